"""One searcher beside itself: without names, without true feedback, or changed in another way."""

from harness import Block, LookupBoard, Run, Section
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.tables import control_table
from harness.study.lookup.units import LOOKUP


def render(run: Run, board: LookupBoard) -> Block:
    controls = tuple(LookupSuite.of(run).controls)
    if not controls:
        return Block()
    every = {unit.spec.method: unit.spec.options for unit in run.planned(LOOKUP)}
    options = [every.get(name, {}) for name in controls]
    paragraphs = []
    if any(one.get("names") == "anonymous" for one in options):
        paragraphs.append(
            "Anonymised: operations are letters without a meaning, and neither the benchmark's name nor its "
            "own string form is shown, so that a model that remembers the benchmark cannot use it. A model "
            "that remembers loses by the anonymity."
        )
    if any(one.get("feedback") == "shuffled" for one in options):
        paragraphs.append(
            "Shuffled: scores are permuted within each batch before the model sees them, so that there is "
            "nothing to learn from the feedback. A model that searches loses by the shuffling."
        )
    paragraphs.append("Where the interval of a difference holds 0, this run cannot tell.")
    return Block(paragraphs=tuple(paragraphs), tables=(control_table(board, controls),))


SECTION = Section(
    title="Contamination and other controls",
    order=78,
    summary="A searcher beside itself with something taken away or changed.",
    render=render,
    studies=("lookup",),
)
