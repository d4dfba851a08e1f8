"""What the run says of the claim that its suite fixed in advance."""

from harness import AnyBoard, Block, Board, LookupBoard, Run, Section, verdict
from harness.study.lookup.tables import lookup_sentences
from harness.study.settings import STEPS_PER_SAMPLE
from harness.study.trained.boards.verdict import overall, task_verdict, trained_wants


def render(run: Run, board: AnyBoard) -> Block:
    if isinstance(board, LookupBoard):
        first, *others = lookup_sentences(board)
        return Block(lead=first, paragraphs=tuple(others))
    if not isinstance(board, Board):
        return Block(lead=verdict(board))
    verdicts = [task_verdict(board, task) for task in board.decisive]
    limited: tuple[str, ...] = ()
    if run.limit is not None:
        limited = (
            f"Only {run.limit:,} samples of each split and at most {STEPS_PER_SAMPLE * run.limit:,} training "
            "steps were used, so this is a trial of the machinery.",
        )
    return Block(
        lead=overall(board, verdicts),
        paragraphs=(
            *(one.sentence for one in verdicts),
            *(f"A verdict would take: {line}" for line in trained_wants(run, board)),
            *limited,
        ),
    )


SECTION = Section(
    title="Verdict",
    order=10,
    summary="Made from the interval of one comparison that the suite fixed before any result.",
    render=render,
)
