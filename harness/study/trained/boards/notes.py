"""What a board says beside its numbers: rules, few domains, and what was asked of language models."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from harness.board.values import Difference, Splits, row_name
from harness.board.wording import FAILED, listed, show_correlation, show_difference
from harness.catalog import metric_of
from harness.files import content_hash
from harness.run.loaded import Run
from harness.stats.effect import LEAST_GROUPS
from harness.stats.equal import MOST_OUTSIDE
from harness.study.trained.boards.values import InDomainLine, Key, RankQuality, Row, finals_of
from harness.study.trained.results import ZeroShotScore
from harness.study.trained.units import TUNE
from harness.task.metric import Metric
from harness.task.selection import CROSS_VALIDATION, ORACLE

CORRUPTIONS = "corruptions of domains that the rows trained on"
SELECTION_NOTES = {
    CROSS_VALIDATION: "Learning rates: chosen on each source by models that never saw it.",
    ORACLE: "Oracle: each score's learning rate was chosen on the validation split of the domain it is on, "
    "held-out ones included, which no real use allows.",
}


def lost_notes(rows: Iterable[Row]) -> list[str]:
    """Says why scores lack, each reason once with its rows."""
    lost: dict[str, dict[str, None]] = {}
    for row in rows:
        for cell in row.cells:
            if cell.state in ("failed", "skipped"):
                lost.setdefault(cell.reason or "no reason", {})[row.name] = None
    return [f"{FAILED} {', '.join(names)}: {reason}" for reason, names in lost.items()]


def too_few_domains(domains: int, methods: int) -> str:
    """Says so where no test over domains could tell any pair of methods apart; empty otherwise.

    The least p of a sign test over domains is 2^(1 - domains), times the number of pairs after Holm.
    """
    if 2.0 ** (1 - domains) * methods * (methods - 1) / 2 <= 0.05:
        return ""
    return f" {domains} domains are too few to rank significantly over domains that nobody drew."


def few_groups_note(domain: str, groups: float) -> str:
    """Says that a domain has too few groups for a verdict."""
    return (
        f"{domain} counts as {groups:.0f} groups, and a verdict needs {LEAST_GROUPS}: its intervals say less "
        "than they seem to."
    )


def line_note(reference: str, line: InDomainLine) -> str:
    """Says what rows are compared with at equal in-domain score, or why they are not."""
    if line.lacks:
        return f"Nothing is said at equal in-domain score, because {line.lacks}."
    others = listed([row for row in dict.fromkeys(line.rows) if row != reference])
    return (
        f"At equal in-domain score: what is left of the difference beside a line through {len(line.rows)} "
        f"trainings ({reference}, {others}), which explains {100 * line.fit:.0f} % of the variance of their "
        f"held-out scores. In brackets where more than {100 * MOST_OUTSIDE:.0f} % of a row's in-domain "
        "scores lie beyond those of the line."
    )


def regime_note(metric: str, regime: Difference, *, is_past: bool) -> str:
    """Says whether networks have left behind what needs no training."""
    told = "yes" if is_past else "path only"
    return f"Reference past the floor in domain: {told}, {show_difference(metric, regime)}."


def again_note(reference: str, again: Splits) -> str:
    """Says how often the rule tells the reference from itself."""
    return (
        f"A/A: the rule tells {100 * again.called / again.splits:.0f} % of {again.splits} splits of the "
        f"trainings of {reference} in halves apart, which are one method (descriptive: splits overlap)."
    )


def stability_note(order: float, first: float, *, domains: int, families: int, rows: int) -> str:
    """Says how often resamples of the held-out domains, or of their families, keep order and first place."""
    what = f"{domains} held-out domains"
    if families < domains:
        what = f"{families} families of the {what}"
    return (
        f"Stability: {100 * order:.0f} % of 2,000 resamples of the {what} keep the order "
        f"of the {rows} ranked rows, {100 * first:.0f} % the first place.{too_few_domains(families, rows)}"
    )


def rank_notes(ranks: Iterable[RankQuality]) -> Iterator[str]:
    """Says how well what searches read ranks architectures."""
    for one in ranks:
        sizes = one.by_parameters
        yield (
            f"Ranks in {one.space}: slices of its supernet order {one.architectures} random architectures as "
            f"training alone does with Kendall's tau {show_correlation(one.tau, one.low, one.high)}, "
            f"{'better' if one.is_shown else 'not shown to be better'} than chance"
            f"{'' if sizes is None else f'; their parameters do with {show_correlation(sizes)}'}."
        )


def in_turn_note(folds: Iterable[Iterable[str]]) -> str:
    """Says what is held out in turn, and what the columns are then."""
    each = "; ".join(" and ".join(fold) for fold in folds)
    return (
        f"Held out in turn, with all other domains as sources: {each}. Each held-out score is of networks "
        "that never saw the domain, the score in domain the mean over all of them and their own sources."
    )


def seen_note(domains: Iterable[str]) -> str:
    """Says why no claim is made of domains."""
    return f"Of a family that a source is of, so outside of every claim: {', '.join(domains)}."


def corrupted_note(domains: Iterable[str]) -> str:
    """Says when a claim is made of domains."""
    return f"{', '.join(domains)}: {CORRUPTIONS}, of which the verdict speaks where nothing else is held out."


def tuning_note(run: Run, task: str) -> list[str]:
    """Says what the trials of tuned fixed baselines are, where there are any."""
    specs = [unit.spec for unit in run.planned(TUNE) if unit.spec.task == task]
    names = sorted({spec.method for spec in specs})
    if not names:
        return []
    counts = " or ".join(map(str, sorted({spec.evaluations for spec in specs})))
    halved = " in all, which successive halving (ASHA) shares" if any(one.strategy for one in specs) else ""
    return [
        f"Trials of {', '.join(names)}: {counts} whole trainings{halved}, the first by the recipe of "
        "finals, scored on source validation under every rule of selection; a searcher evaluates slices of a "
        "supernet."
    ]


def same_notes(run: Run, task: str, selection: str, keys: Iterable[Key]) -> Iterator[str]:
    """Says which rows have the same network, by the bytes of what they trained."""
    rows: dict[str, dict[str, None]] = {}
    for key in keys:
        for final in finals_of(run, task, selection, key):
            record = run.records.get(final.hash)
            if record is not None and record.files:
                made = content_hash([final.spec.sources, dict(record.files)])
                rows.setdefault(made, {})[row_name(*key)] = None
    counts = Counter(tuple(names) for names in rows.values() if len(names) > 1)
    for names, count in counts.items():
        yield (
            f"The same network, byte for byte: {' and '.join(names)} share {count}; the cost of each row has "
            "it in full."
        )


def zero_shot_note(scores: Iterable[ZeroShotScore], trained_on: str) -> str:
    """Says whose networks are scored, and what lm-eval counts."""
    measures = sorted({str(score.measure) for score in scores})
    counted = f" ({', '.join(measures)})" if measures else ""
    return (
        f"Nothing was trained for this board: its rows are the networks of {trained_on}, scored by lm-eval's "
        f"own code{counted}."
    )


def zero_shot_chance(scores: Mapping[str, Iterable[ZeroShotScore]], metric: Metric) -> float | None:
    """Returns the mean over domains of the metric of a blind guess; None where one is not known.

    Any row's score of a domain says it, as all rows have the same questions; of another metric where a guess
    has another expectation, none does.

    Args:
        scores: domain -> of every row.
        metric: of the board.
    """
    chances = [
        next((score.chance for score in of_domain if metric_of(score.metric).chance is metric.chance), None)
        for of_domain in scores.values()
    ]
    known = [chance for chance in chances if chance is not None]
    return sum(known) / len(known) if known and len(known) == len(chances) else None
