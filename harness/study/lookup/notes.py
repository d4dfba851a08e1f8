"""What a board of a suite on a table says beside its numbers: columns, samples, limits, ties."""

from collections.abc import Iterator

from harness.run.loaded import Run
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.units import LOOKUP, TableFound


def tie_notes(run: Run) -> Iterator[str]:
    """Says how many searches end with several architectures that share the best score."""
    ties = [one.ties for unit in run.planned(LOOKUP) if (found := run.result(unit)) for one in found.searches]
    tied = [one for one in ties if one > 1]
    if tied:
        yield (
            f"{len(tied):,} of {len(ties):,} searches end with several architectures that share the best "
            f"score (at most {max(tied)}); their test scores are averaged."
        )


def alike_notes(run: Run) -> Iterator[str]:
    """Says which searchers made the same searches, so that what is different between them had no effect."""
    made: dict[str, list[str]] = {method: [] for method in LookupSuite.of(run).searchers}
    for unit in run.planned(LOOKUP):
        result, spec = run.result(unit), unit.spec
        found = [(one.seed, one.incumbents) for one in result.searches] if result else [unit.hash]
        told = repr((spec.domain, spec.feedback, spec.evaluations, found))
        made.setdefault(spec.method, []).append(told)
    alike: dict[tuple[str, ...], list[str]] = {}
    for method, searches in made.items():
        alike.setdefault(tuple(sorted(searches)), []).append(method)
    for methods in alike.values():
        if len(methods) > 1:
            yield (
                f"The same searches, step by step: {', '.join(methods)}. What differs between them had no "
                "effect here."
            )


def table_notes(table: TableFound) -> tuple[str, ...]:
    """Returns what a reader must know of the columns, of a sample in place of a table, and of a limit."""
    notes = [f"{domain}: {note}" for domain, note in sorted(table.notes.items())]
    if table.sampled:
        notes.append(
            f"No optimum is known: {table.sampled:,} random architectures of each domain stand for the "
            "whole space. Regret is to the best of them, below 0 for what is better still, and random search "
            "and mean are estimates from them."
        )
    for domain, about in sorted(table.domains.items()):
        if limit := about.limit:
            notes.append(
                f"{domain}: only architectures with {limit.cost} of at most {limit.value:,.6g} "
                f"{limit.unit}".rstrip()
                + f" may be chosen, {limit.within:.1%} of all; best, mean and random search are of these."
            )
    return tuple(notes)
