"""Whether a language model searches or remembers: the same search with its crutches taken away."""

from harness.board import LookupBoard, Run, control_table
from harness.report import Block, Section


def render(run: Run, board: LookupBoard) -> Block:
    """Returns the table of controls; nothing where the suite has none."""
    controls = tuple(run.suite["controls"])
    if not controls:
        return Block()
    paragraphs = (
        "Anonymised: operations are letters without a meaning, and neither the benchmark's name nor its own "
        "string form is shown, so that a model that remembers the benchmark cannot use it. Shuffled: scores "
        "are permuted within each batch before the model sees them, so that there is nothing to learn from "
        "the feedback. A model that searches loses by the shuffling and not by the anonymity; a model that "
        "remembers loses by the anonymity; where the intervals hold 0 this run cannot tell.",
    )
    return Block(paragraphs=paragraphs, tables=(control_table(board, controls),))


SECTION = Section(
    title="Contamination",
    order=85,
    summary="The language model's search beside itself with anonymous operations and with shuffled feedback.",
    render=render,
    boards=(LookupBoard,),
)
