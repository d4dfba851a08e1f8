"""What the searches asked of a language model, which model it was, and what became of its proposals."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import MARKERS, AnyBoard, Block, Figure, Run, Section, Table, Unit, draw, palette
from harness.board.wording import MISSING, show_seconds
from harness.search.report import ModelUse, SearchReport
from harness.study.lookup.units import LOOKUP
from harness.study.trained.units import SEARCH
from harness.study.work.units import SearchingSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FUNNEL = ("proposed", "parsed", "legal", "new", "evaluated")
TOKENS = ("calls", "prompt_tokens", "completion_tokens", "reasoning_tokens")


class Asked(NamedTuple):
    """One search that asked a model: the row it belongs to, its report, and its unit."""

    row: str
    report: SearchReport
    unit: Unit[Any, Any]

    @property
    def use(self) -> ModelUse:
        """What it asked."""
        assert self.report.llm is not None
        return self.report.llm


def render(run: Run, board: AnyBoard) -> Block:
    """Returns who answered, calls and tokens, the funnel of proposals, and every setting."""
    asked = list(_asked(run))
    if not asked:
        if not any(unit.spec.llm for unit in run.units if isinstance(unit.spec, SearchingSpec)):
            return Block()
        return Block(paragraphs=("No finished search of this run asked a language model.",))
    rows = list(dict.fromkeys(one.row for one in asked))
    paragraphs = [
        f"{model} is the embedded model: a stand-in that needs no key and no network, far smaller than the "
        "models the method was published with. Its row tells what the machinery does with it and is no "
        "measure of the published method."
        for model in sorted({one.use.model for one in asked if one.use.kind == "embedded"})
    ]
    figures = [_figure(asked, rows)] if any(one.report.iterations for one in asked) else []
    tables = [
        _accounting(run, asked, rows),
        _funnel(asked, rows),
        _by_iteration(asked, rows),
        _losses(asked, rows),
        _settings(asked, rows),
    ]
    return Block(paragraphs=tuple(paragraphs), figures=tuple(figures), tables=tuple(tables))


def _asked(run: Run) -> Iterator[Asked]:
    for unit in run.planned(SEARCH):
        result, spec = run.result(unit), unit.spec
        report = SearchReport.of(result.report if result else None)
        if report.llm is not None:
            yield Asked(f"{spec.task}: {spec.searcher} in {spec.space}", report, unit)
    for block in run.planned(LOOKUP):
        found, about = run.result(block), block.spec
        for search in found.searches if found else ():
            report = SearchReport.of(search.report)
            if report.llm is not None:
                row = f"{about.method}, {about.evaluations} evaluations, {about.feedback} as feedback"
                yield Asked(row, report, block)


def _accounting(run: Run, asked: Sequence[Asked], rows: Sequence[str]) -> Table:
    lines = []
    for row in rows:
        mine = [one for one in asked if one.row == row]
        sums = [sum(getattr(one.use, key) for one in mine) for key in TOKENS]
        seconds = [_seconds(run, mine, part) for part in ("llm", "evaluation")]
        lines.append(
            (
                row,
                ", ".join(sorted({one.use.model for one in mine})),
                str(len(mine)),
                *(f"{number:,}" for number in sums),
                _price(mine),
                *(show_seconds(value) for value in seconds),
            )
        )
    return Table(
        caption="Calls and tokens, summed over a row's searches; seconds are this machine's",
        columns=(
            "Row",
            "Model",
            "Searches",
            "Calls",
            "Prompt tokens",
            "Completion tokens",
            "of these reasoning",
            "Price",
            "Seconds in the model",
            "Seconds in evaluation",
        ),
        rows=tuple(lines),
        labels=2,
    )


def _seconds(run: Run, asked: Sequence[Asked], part: str) -> float | None:
    """Returns the sum of a part of the searches' seconds; None unless all of them have it."""
    found = [
        seconds
        for one in asked
        if (timing := run.timings.get(one.unit.hash)) is not None
        and (seconds := timing.part(part)) is not None
    ]
    return sum(found) if len(found) == len(asked) else None


def _price(asked: Sequence[Asked]) -> str:
    """Returns the money of all searches, in the currency of the suite's prices."""
    prices = [one.use.price for one in asked]
    known = [price for price in prices if price is not None]
    return f"{sum(known):.4f}" if known and len(known) == len(prices) else MISSING


def _funnel(asked: Sequence[Asked], rows: Sequence[str]) -> Table:
    lines = []
    for row in rows:
        counters = [one.report.counters for one in asked if one.row == row]
        sums = [sum(found.get(key, 0) for found in counters) for key in (*FUNNEL, "over_limit")]
        first = sum(found.get("random first", 0) for found in counters)
        shares = [f"{100 * after / before:.1f}" if before else MISSING for before, after in _steps(sums)]
        lines.append((row, *(f"{value:,}" for value in sums), f"{first:,}", *shares))
    return Table(
        caption="What became of the proposals, summed over a row's searches",
        columns=(
            "Row",
            *(name.capitalize() for name in FUNNEL),
            "Over limit",
            "Random first",
            "Legal in %",
            "New in %",
        ),
        rows=tuple(lines),
    )


def _steps(sums: Sequence[int]) -> list[tuple[int, int]]:
    proposed, _, legal, new = sums[:4]
    return [(proposed, legal), (legal, new)]


def _by_iteration(asked: Sequence[Asked], rows: Sequence[str]) -> Table:
    names = (*FUNNEL, "over_limit", *TOKENS)
    lines = []
    for row in rows:
        means = _per_iteration([one.report for one in asked if one.row == row], names)
        lines += [
            (row, str(at + 1), *(f"{means[name][at]:,.1f}" for name in names))
            for at in range(len(means["proposed"]))
        ]
    return Table(
        caption="Each iteration, mean over a row's searches that came so far",
        columns=("Row", "Iteration", *(name.replace("_", " ").capitalize() for name in names)),
        rows=tuple(lines),
    )


def _losses(asked: Sequence[Asked], rows: Sequence[str]) -> Table:
    known = {*FUNNEL, "over_limit", "random first"}
    lines = []
    for row in rows:
        found: dict[str, int] = {}
        for one in asked:
            if one.row == row:
                for name, number in one.report.counters.items():
                    found[name] = found.get(name, 0) + number
        told = [f"{name.replace('_', ' ')} {found[name]:,}" for name in sorted(found) if name not in known]
        lines.append((row, ", ".join(told) or "none"))
    return Table(
        caption="Losses and events by reason, summed over a row's searches",
        columns=("Row", "Counters"),
        rows=tuple(lines),
        labels=2,
    )


def _settings(asked: Sequence[Asked], rows: Sequence[str]) -> Table:
    lines = []
    for row in rows:
        reports = [one.report for one in asked if one.row == row]
        told = {
            ", ".join(f"{key} {value}" for key, value in sorted(report.settings.items()))
            for report in reports
        }
        prompts = {report.prompt_hash or MISSING for report in reports}
        lines.append((row, "; ".join(sorted(told)), ", ".join(sorted(prompts))))
    return Table(
        caption="Every setting of the searcher, and the hash of its prompts",
        columns=("Row", "Settings", "Prompts"),
        rows=tuple(lines),
        labels=3,
    )


def _figure(asked: Sequence[Asked], rows: Sequence[str]) -> Figure:
    curves = {row: _per_iteration([one.report for one in asked if one.row == row]) for row in rows}

    def paint(axes: Sequence["Axes"]) -> None:
        for axis, row in zip(axes, rows[:3], strict=False):
            colours = palette(len(FUNNEL))
            for index, (name, values) in enumerate(curves[row].items()):
                at = range(1, len(values) + 1)
                axis.plot(at, values, color=colours[index], marker=MARKERS[index], markersize=4, label=name)
            axis.set_title(row, fontsize=8)
            axis.set_xlabel("iteration")
            axis.set_ylim(bottom=0)
            axis.grid(axis="y")
        axes[0].set_ylabel("architectures, mean over searches")
        axes[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=8)

    totals = {name: sum(sum(curves[row][name]) for row in rows) for name in FUNNEL}
    share = 100 * totals["new"] / totals["proposed"] if totals["proposed"] else 0.0
    more = f" Only the first three of {len(rows)} rows are drawn." if len(rows) > 3 else ""
    alt = (
        f"From proposal to evaluation, iteration by iteration. Over all rows {share:.0f} % of what was "
        f"proposed was legal and new.{more}"
    )
    data = [
        {"row": row, "iteration": at, **{name: curves[row][name][at - 1] for name in FUNNEL}}
        for row in rows
        for at in range(1, len(curves[row]["proposed"]) + 1)
    ]
    return draw(paint, name="llm-funnel", alt=alt, data=data, panels=min(3, len(rows)), size=(10.5, 3.4))


def _per_iteration(reports: Sequence[SearchReport], names: Sequence[str] = FUNNEL) -> dict[str, list[float]]:
    """Returns name -> mean count at each iteration, over the searches that came so far."""
    rounds = [report.iterations for report in reports]
    length = max(map(len, rounds))
    curves: dict[str, list[float]] = {}
    for name in names:
        values = []
        for at in range(length):
            found = [one[at].get(name, 0) for one in rounds if at < len(one)]
            values.append(sum(found) / len(found))
        curves[name] = values
    return curves


SECTION = Section(
    title="Language model",
    order=90,
    summary="Which model answered, how often, how many tokens it took, and what became of its proposals.",
    render=render,
    studies=(
        "trained",
        "lookup",
    ),
)
