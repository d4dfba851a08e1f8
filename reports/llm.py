"""What the searches asked of a language model, which model it was, and what became of its proposals."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from statistics import fmean
from typing import Any, NamedTuple

from harness import AnyBoard, Axis, Block, Curve, Figure, Plane, Run, Section, Table, Unit
from harness.board.language_model import language_model_use
from harness.board.wording import MISSING, show_seconds
from harness.llm.client import NO_USAGE, Reply
from harness.search.report import ModelUse, SearchReport
from harness.study.lookup.units import LOOKUP
from harness.study.trained.units import SEARCH
from harness.study.work.units import ENDPOINT, SearchingSpec

FUNNEL = ("proposed", "parsed", "legal", "new", "evaluated")
TOKENS = ("calls", "prompt_tokens", "completion_tokens", "reasoning_tokens")


class Asked(NamedTuple):
    """One search that asked a model: the row it belongs to, its report, and its unit."""

    row: str
    report: SearchReport
    unit: Unit[Any, Any]

    @property
    def use(self) -> ModelUse:
        assert self.report.llm is not None
        return self.report.llm


Rows = dict[str, list[Asked]]
"""Row -> its searches that asked a model."""


def render(run: Run, board: AnyBoard) -> Block:
    rows: Rows = {}
    for one in _asked(run):
        rows.setdefault(one.row, []).append(one)
    if not rows:
        if not any(unit.spec.llm for unit in run.units if isinstance(unit.spec, SearchingSpec)):
            return Block()
        return Block(paragraphs=("No finished search of this run asked a language model.",))
    asked = list(chain(*rows.values()))
    paragraphs = [
        f"{model} is the embedded model: a stand-in that needs no key and no network, far smaller than the "
        "models the method was published with. Its row tells what the machinery does with it and is no "
        "measure of the published method."
        for model in sorted({one.use.model for one in asked if one.use.kind == "embedded"})
    ]
    paragraphs += _tried(run)
    counted = [
        (one.get("proposed", 0), one.get("evaluated", 0))
        for found in asked
        for one in found.report.iterations
    ]
    is_lossy = sum(proposed for proposed, _ in counted) > sum(evaluated for _, evaluated in counted)
    return Block(
        paragraphs=tuple(paragraphs),
        figures=(_figure(rows),) if is_lossy else (),
        tables=(_accounting(run, rows), _funnel(rows)),
        appendix=(_by_iteration(rows), _losses(rows), _settings(rows)),
    )


def _tried(run: Run) -> Iterator[str]:
    """Says what it took to try an endpoint before the searches, and what it refuses."""
    for unit in run.planned(ENDPOINT):
        found = run.result(unit)
        if found is None:
            continue
        replies = [Reply.from_json(one) for one in run.records[unit.hash].about.get("replies", ())]
        tokens = sum(reply.usage.prompt_tokens + reply.usage.completion_tokens for reply in replies)
        lacks = any(NO_USAGE in reply.events for reply in replies)
        spent = "an unknown number of" if lacks else f"{tokens:,}"
        yield (
            f"The endpoint {unit.spec.llm.base_url} was tried before the searches with {len(replies)} "
            f"exchanges of {spent} tokens, which no row counts; of a request's settings it refuses "
            f"{', '.join(found.refused) or 'none'}."
        )


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


def _accounting(run: Run, rows: Rows) -> Table:
    lines = []
    for row, mine in rows.items():
        use = language_model_use(one.report for one in mine)
        assert use is not None
        tokens = (use.prompt_tokens, use.completion_tokens, use.reasoning_tokens)
        sums = [f"{use.calls:,}", *map(use.told, tokens)]
        seconds = [show_seconds(_seconds(run, mine, part)) for part in ("llm", "evaluation")]
        lines.append((row, use.model, str(len(mine)), *sums, _price(mine), *seconds))
    heads = ["Prompt tokens", "Completion tokens", "of these reasoning"]
    heads += ["Price", "Seconds in the model", "Seconds in evaluation"]
    return Table(
        caption="Calls and tokens, summed over a row's searches; seconds are this machine's",
        columns=("Row", "Model", "Searches", "Calls", *heads),
        rows=tuple(lines),
        labels=2,
    )


def _seconds(run: Run, asked: Sequence[Asked], part: str) -> float | None:
    """Returns the sum of a part of the searches' seconds; None unless all of them have it."""
    timings = [run.timings.get(one.unit.hash) for one in asked]
    found = [seconds for one in timings if one and (seconds := one.part(part)) is not None]
    return sum(found) if len(found) == len(asked) else None


def _price(asked: Sequence[Asked]) -> str:
    """Returns the money of all searches, in the currency of the suite's prices."""
    known = [one.use.price for one in asked if one.use.price is not None]
    return f"{sum(known):.4f}" if known and len(known) == len(asked) else MISSING


def _counters(asked: Sequence[Asked]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in asked:
        total.update(one.report.counters)
    return total


def _funnel(rows: Rows) -> Table:
    names = (*FUNNEL, "over_limit", "random first")
    lines = []
    for row, mine in rows.items():
        sums = _counters(mine)
        steps = ("proposed", "legal"), ("legal", "new")
        shares = [
            f"{100 * sums[after] / sums[before]:.1f}" if sums[before] else MISSING for before, after in steps
        ]
        lines.append((row, *(f"{sums[name]:,}" for name in names), *shares))
    return Table(
        caption="What became of the proposals, summed over a row's searches",
        columns=("Row", *(name.replace("_", " ").capitalize() for name in names), "Legal in %", "New in %"),
        rows=tuple(lines),
    )


def _by_iteration(rows: Rows) -> Table:
    names = (*FUNNEL, "over_limit", *TOKENS)
    lines = []
    for row, mine in rows.items():
        means = _per_iteration(mine, (*names, NO_USAGE))
        lines += [
            (row, str(at + 1), *(_mean(name, means[name][at], means[NO_USAGE][at]) for name in names))
            for at in range(len(means["proposed"]))
        ]
    return Table(
        caption="Each iteration, mean over a row's searches that came so far",
        columns=("Row", "Iteration", *(name.replace("_", " ").capitalize() for name in names)),
        rows=tuple(lines),
    )


def _mean(name: str, mean: float, uncounted: float) -> str:
    """Returns a mean count as people read it; of tokens that no server told, what is known."""
    if not uncounted or name not in TOKENS[1:]:
        return f"{mean:,.1f}"
    return f"at least {mean:,.1f}" if mean else "unknown"


def _losses(rows: Rows) -> Table:
    known = {*FUNNEL, "over_limit", "random first"}
    lines = []
    for row, mine in rows.items():
        found = sorted(_counters(mine).items())
        told = [f"{name.replace('_', ' ')} {number:,}" for name, number in found if name not in known]
        lines.append((row, ", ".join(told) or "none"))
    return Table(
        caption="Losses and events by reason, summed over a row's searches",
        columns=("Row", "Counters"),
        rows=tuple(lines),
        labels=2,
    )


def _settings(rows: Rows) -> Table:
    lines = []
    for row, mine in rows.items():
        every = [sorted(one.report.settings.items()) for one in mine]
        told = {", ".join(f"{key} {value}" for key, value in settings) for settings in every}
        prompts = {one.report.prompt_hash or MISSING for one in mine}
        lines.append((row, "; ".join(sorted(told)), ", ".join(sorted(prompts))))
    return Table(
        caption="Every setting of the searcher, and the hash of its prompts",
        columns=("Row", "Settings", "Prompts"),
        rows=tuple(lines),
        labels=3,
    )


def _figure(rows: Rows) -> Figure:
    curves = {row: _per_iteration(mine) for row, mine in rows.items()}

    planes = tuple(
        Plane(
            title=row,
            x=Axis(label="iteration"),
            y=Axis(label="architectures, mean over searches", low=0.0),
            lines=tuple(
                Curve(
                    series=name, points=tuple((float(at), value) for at, value in enumerate(values, start=1))
                )
                for name, values in found.items()
            ),
        )
        for row, found in list(curves.items())[:3]
    )
    totals = {name: sum(sum(found[name]) for found in curves.values()) for name in FUNNEL}
    share = 100 * totals["new"] / totals["proposed"] if totals["proposed"] else 0.0
    more = f" Only the first three of {len(rows)} rows are drawn." if len(rows) > 3 else ""
    alt = (
        f"From proposal to evaluation, iteration by iteration. Over all rows {share:.0f} % of what was "
        f"proposed was legal and new.{more}"
    )
    data = [
        {"row": row, "iteration": at, **dict(zip(FUNNEL, values, strict=True))}
        for row, found in curves.items()
        for at, values in enumerate(zip(*found.values(), strict=True), start=1)
    ]
    return Figure(name="llm-funnel", alt=alt, plots=planes, data=data)


def _per_iteration(asked: Sequence[Asked], names: Sequence[str] = FUNNEL) -> dict[str, list[float]]:
    """Returns name -> mean count at each iteration, over the searches that came so far."""
    rounds = list(zip_longest(*(one.report.iterations for one in asked)))
    known = [[one for one in found if one is not None] for found in rounds]
    return {name: [fmean(one.get(name, 0) for one in found) for found in known] for name in names}


SECTION = Section(
    title="Language model",
    order=55,
    summary="Which model answered, how often, how many tokens it took, and what became of its proposals.",
    render=render,
    studies=("trained", "lookup"),
)
