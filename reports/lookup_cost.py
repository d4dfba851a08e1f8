"""What the searches of a suite on a table cost: evaluations, and seconds apart."""

from harness import Block, LookupBoard, Run, Section, Table
from harness.board.wording import MISSING
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.units import LOOKUP
from harness.study.work.units import PROXIES


def render(run: Run, board: LookupBoard) -> Block:
    rows = []
    for method in LookupSuite.of(run).searchers:
        units = [unit for unit in run.planned(LOOKUP) if unit.spec.method == method and run.result(unit)]
        found = [search for unit in units if (done := run.result(unit)) for search in done.searches]
        searches, spent = len(found), sum(search.evaluations for search in found)
        timed = all(unit.hash in run.timings for unit in units)
        seconds = sum(run.timings[unit.hash].seconds for unit in units) if timed else None
        each = MISSING if seconds is None or not searches else f"{seconds / searches:.3f}"
        rows.append((method, f"{searches:,}", f"{spent:,}", each))
    proxies = []
    for unit in run.planned(PROXIES):
        result = run.result(unit)
        timing = run.timings.get(unit.hash)
        if result is not None and timing is not None:
            proxies.append(
                f"The proxy {unit.spec.proxy} of {result.candidates:,} untrained networks of "
                f"{unit.spec.space} took {timing.seconds:.0f} s, once for all searches."
            )
    table = Table(
        caption=f"{board.table}: cost of the searches on the machine that ran them",
        columns=("Searcher", "Searches", "Evaluations", "Seconds a search"),
        rows=tuple(rows),
        notes=("A look-up itself costs nothing: in a search of one's own every evaluation is a training.",),
    )
    return Block(paragraphs=tuple(proxies), tables=(table,))


SECTION = Section(
    title="Cost",
    order=70,
    summary="Evaluations and seconds; tokens stand with the language model.",
    render=render,
    studies=("lookup",),
)
