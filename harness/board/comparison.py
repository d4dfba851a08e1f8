"""Two rows side by side: what a comparison holds, and how it is told."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from harness.board.scale import Scale, in_unit
from harness.board.table import Table
from harness.board.values import Estimate, State, rounded
from harness.board.wording import FAILED, MISSING
from harness.errors import HarnessError, UnknownNameError
from harness.files import SCHEMA, canonical_json
from harness.stats.pairs import holm

Outcome = Literal["better", "worse", "cannot tell"]
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
        difference: first minus second, with its 95 % interval.
        p: two-sided, of "there is no difference".
        p_holm: the same, adjusted for the number of domains; None for the mean.
        detectable: the true difference that this many samples would find four times in five.
        test: what `p` is from.
        by_seed: the difference of each pair of seed roles.
        samples: test samples of each score, or searches of the row with fewer.
        groups: groups that were resampled; None where nothing is.
    """

    where: str
    scale: Scale
    state: State = "ok"
    reason: str | None = None
    first: float | None = None
    second: float | None = None
    difference: Estimate | None = None
    p: float | None = None
    p_holm: float | None = None
    detectable: float | None = None
    test: str | None = None
    by_seed: tuple[float, ...] = ()
    samples: int | None = None
    groups: int | None = None

    @property
    def outcome(self) -> Outcome:
        """What the interval says of the first row, unless seeds disagree or the test does not follow it."""
        if self.difference is None or self.doubt is not None:
            return "cannot tell"
        return "better" if (self.difference.value > 0) == self.scale.higher_is_better else "worse"

    @property
    def doubt(self) -> str | None:
        """Why the difference is not told; empty where the interval holds 0, None where nothing speaks."""
        if self.difference is None or self.difference.low <= 0 <= self.difference.high:
            return ""
        if min(self.by_seed, default=0.0) < 0 < max(self.by_seed, default=0.0):
            return ", because its seeds disagree about the direction"
        if self.p is not None and self.p >= 0.05:
            return f", because the {self.test} gives p = {self.p:.3f}"
        return None


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
    corrected = iter(holm([one.p for one in domains if one.p is not None]))
    return tuple(one if one.p is None else replace(one, p_holm=next(corrected)) for one in domains)


def sentence(part: str, names: tuple[str, str], overall: Compared, *, over: str, kind: str) -> str:
    """Returns what the interval of `overall` says, and what it could have said."""
    first, second = names
    if overall.difference is None or overall.detectable is None:
        return f"{part}: this run cannot tell, because {(overall.reason or 'a score lacks').rstrip('.')}."
    scores = [tell(overall, value) for value in (overall.first, overall.second)]
    value, low, high = (tell(overall, bound, signed=True) for bound in overall.difference)
    is_bits = overall.scale.unit == "raw"
    unit, each = ("bits per byte", "bits per byte") if is_bits else ("points", "%")
    words = f"{first} is {overall.outcome}"
    if overall.outcome == "cannot tell":
        words = f"this run cannot tell which is better{overall.doubt}"
        found = tell(overall, overall.detectable)
        words += f"; it would find a true difference of {found} {unit} four times in five"
    return (
        f"{part}: {first} has {scores[0]} {each}, {second} {scores[1]} {each} {over}; the {kind} is {value} "
        f"{unit} (95 % interval {low} to {high}): {words}."
    )


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
        value, low, high = (tell(one, bound, signed=True) for bound in one.difference)
        counted = [
            one.test or "",
            "" if one.samples is None else f"n {one.samples:,}",
            "" if one.groups is None else f"{one.groups:,} groups",
        ]
        rows.append(
            (
                one.where,
                tell(one, one.first),
                tell(one, one.second),
                f"{value} [{low}, {high}]",
                MISSING if one.p is None else f"{one.p:.4f}",
                MISSING if one.p_holm is None else f"{one.p_holm:.4f}",
                tell(one, one.detectable),
                ", ".join(filter(None, counted)) or MISSING,
            )
        )
    return Table(
        caption=f"{part.heading}: {comparison.first} minus {comparison.second}, {part.what}",
        columns=("Domain", "First", "Second", "Difference", "p", "p (Holm)", "Detectable", "Test"),
        rows=tuple(rows),
        notes=(
            "Intervals: 95 %. Holm: adjusted for the number of domains. Detectable: the true difference "
            "that a test of this size finds four times in five.",
        ),
    )
