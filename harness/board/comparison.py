"""Two rows side by side: what a comparison holds, and how it is told."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from harness.board.changed import Changed
from harness.board.scale import Scale, in_unit
from harness.board.table import Table
from harness.board.values import Difference, Outcome, State, rounded
from harness.board.wording import FAILED, MISSING, listed
from harness.errors import HarnessError, UnknownNameError
from harness.files import SCHEMA, canonical_json
from harness.stats.corrections import holm
from harness.stats.effect import LEAST_GROUPS, LEAST_SEEDS

OVERALL = "mean"


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two rows on one domain, or over all of them.

    Attributes:
        where: the domain, or `mean` over the domains.
        scale: how its numbers are told.
        state: ok, or why there is no difference.
        reason: one sentence when the state is not ok.
        first: score of the first row, averaged over seeds.
        second: score of the second row.
        difference: first minus second, with all that is decided of it.
        p_holm: its p, adjusted for the number of domains; None for the mean and without p.
        samples: test samples of each score, or searches of the row with fewer.
        changed: the samples on which the rows differ; None where none were kept.
    """

    where: str
    scale: Scale
    state: State = "ok"
    reason: str | None = None
    first: float | None = None
    second: float | None = None
    difference: Difference | None = None
    p_holm: float | None = None
    samples: int | None = None
    changed: Changed | None = None

    @property
    def outcome(self) -> Outcome:
        """What the decision says of the first row."""
        if self.difference is None:
            return "no verdict"
        return self.difference.outcome(higher_is_better=self.scale.higher_is_better)


@dataclass(frozen=True, kw_only=True)
class ComparedPart:
    """One task of a run that trains, or one feedback and budget of a run on a table.

    Attributes:
        heading: which one.
        what: the score that is compared.
        overall: the mean over domains.
        domains: one each.
        sentence: what the interval of the mean says.
    """

    heading: str
    what: str
    overall: Compared
    domains: tuple[Compared, ...]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class RowComparison:
    """Two rows of a run.

    Attributes:
        name: the suite's name.
        first: the first row.
        second: the second row.
        sentence: what the run says of the two.
        parts: what it says it from.
    """

    name: str
    first: str
    second: str
    sentence: str
    parts: tuple[ComparedPart, ...]

    def to_json(self) -> str:
        """Returns one JSON document, the same for the same records."""
        parts = [asdict(part) for part in self.parts]
        for part in parts:
            for one in (part["overall"], *part["domains"]):
                one["scale"] = {"unit": one["scale"]["unit"]} | {
                    "higher_is_better": one["scale"]["higher_is_better"]
                }
        head = {"schema": SCHEMA, "name": self.name, "sentence": self.sentence}
        rows = {"first": self.first, "second": self.second}
        return canonical_json(rounded(head | rows | {"parts": parts}), indent=1) + "\n"


def find_row(name: str, rows: Sequence[str]) -> str:
    """Returns the row that `method`, `method in space` or `method@space` means.

    Raises:
        UnknownNameError: there is no such row.
        HarnessError: the method has several rows.
    """
    asked = name.replace("@", " in ", 1)
    if asked in rows:
        return asked
    of_method = [row for row in rows if row.partition(" in ")[0] == asked]
    if len(of_method) > 1:
        raise HarnessError(f"{name!r} has {len(of_method)} rows; name one: {', '.join(of_method)}.")
    if not of_method:
        raise UnknownNameError("row", name, {*rows, *(row.partition(" in ")[0] for row in rows)})
    return of_method[0]


def adjusted(domains: Sequence[Compared]) -> tuple[Compared, ...]:
    """Returns the domains with p-values adjusted for their number; those without one do not count."""
    tests = [None if one.difference is None else one.difference.p for one in domains]
    corrected = iter(holm([p for p in tests if p is not None]))
    return tuple(
        one if p is None else replace(one, p_holm=next(corrected))
        for one, p in zip(domains, tests, strict=True)
    )


def sentence(
    part: str, names: tuple[str, str], overall: Compared, *, over: str, kind: str, raw: str = ""
) -> str:
    """Returns what the interval of `overall` says, and what it could have said.

    Args:
        raw: the unit of scores that are no shares.
    """
    first, second = names
    difference = overall.difference
    if difference is None:
        return f"{part}: this run cannot tell, because {(overall.reason or 'a score lacks').rstrip('.')}."
    scores = [tell(overall, value) for value in (overall.first, overall.second)]
    value, low, high = (
        tell(overall, bound, signed=True) for bound in (difference.value, difference.low, difference.high)
    )
    unit, each = (raw, raw) if overall.scale.unit == "raw" else ("points", "%")
    found = tell(overall, difference.detectable)
    words = {
        "same": "the two are alike on every group of every seed",
        "cannot tell": "this run cannot tell which is better; it would find a true difference of "
        f"{found} {unit} four times in five",
        "no verdict": f"no verdict, because {listed(list(lacking(difference)))}",
    }.get(overall.outcome, f"{first} is {overall.outcome}")
    return (
        f"{part}: {first} has {scores[0]} {each}, {second} {scores[1]} {each} {over}; the {kind} is {value} "
        f"{unit} (95 % interval {low} to {high}): {words}."
    )


def lacking(difference: Difference) -> Iterator[str]:
    """Yields what a difference lacks for a verdict."""
    if difference.seeds is not None and difference.seeds < LEAST_SEEDS:
        yield f"there are {difference.seeds} seeds of the {LEAST_SEEDS} that it takes"
    if difference.groups is not None and difference.groups < LEAST_GROUPS:
        yield f"a domain counts as {difference.groups:.0f} groups of the {LEAST_GROUPS} that it takes"


def tell(compared: Compared, value: float | None, *, signed: bool = False) -> str:
    """Returns a number of this domain as people read it."""
    return MISSING if value is None else in_unit(value, compared.scale, signed=signed)


def compared_table(comparison: RowComparison, part: ComparedPart) -> Table:
    """Returns one line per domain, and one for their mean."""
    rows = []
    for one in (*part.domains, part.overall):
        if one.difference is None:
            mark = MISSING if one.state == "missing" else FAILED
            rows.append((one.where, *6 * (mark,), one.reason or "no reason"))
            continue
        found = one.difference
        value, low, high = (tell(one, bound, signed=True) for bound in (found.value, found.low, found.high))
        counted = [
            "" if one.samples is None else f"n {one.samples:,}",
            "" if found.groups is None else f"{found.groups:,.0f} groups",
            "" if found.seeds is None else f"{found.seeds} seeds",
        ]
        rows.append(
            (
                one.where,
                tell(one, one.first),
                tell(one, one.second),
                f"{value} [{low}, {high}]",
                MISSING if found.p is None else f"{found.p:.4f}",
                MISSING if one.p_holm is None else f"{one.p_holm:.4f}",
                tell(one, found.detectable),
                ", ".join(filter(None, counted)) or MISSING,
            )
        )
    return Table(
        caption=f"{part.heading}: {comparison.first} minus {comparison.second}, {part.what}",
        columns=("Domain", "First", "Second", "Difference", "p", "p (Holm)", "Detectable", "From"),
        rows=tuple(rows),
        notes=(
            "Intervals: 95 %, seeds and groups inside. Holm: adjusted for the number of domains. Detectable: "
            "the true difference that a run like this finds four times in five.",
        ),
    )
