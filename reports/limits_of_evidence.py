"""What this run cannot show, with the size of effect that it could have seen."""

from harness import AnyBoard, Block, Board, LookupBoard, RankingBoard, Run, Section, TaskBoard
from harness.board.wording import show
from harness.study.trained.settings import PlannedSuite


def render(run: Run, board: AnyBoard) -> Block:
    if isinstance(board, LookupBoard):
        return _lookup(run)
    if isinstance(board, RankingBoard):
        return Block(
            paragraphs=(
                f"The intervals resample {board.architectures} architectures and hold the seeds of supernets "
                "and trainings fixed; short trainings may order architectures otherwise than long ones.",
            )
        )
    if not isinstance(board, Board):
        return Block()
    seeds = len(PlannedSuite.of(run).seeds)
    paragraphs = [
        f"Intervals hold the spread over the {seeds} seeds and over the groups of each test split "
        "(documents, font families, writers). They say what other seeds and other samples of these domains "
        "would give, and not what other domains would.",
        *(text for task in board.tasks for text in _task(board, task)),
        "Many rows were compared. Only the claim was fixed in advance; whatever else looks good here "
        "should be tested in a run of its own.",
    ]
    if run.limit is not None:
        paragraphs.append(f"The run was limited to {run.limit:,} samples of each split.")
    return Block(paragraphs=tuple(paragraphs))


def _lookup(run: Run) -> Block:
    paragraphs = [
        "Intervals are over seeds of the searchers on one table. They say what other seeds would give "
        "there, and neither what another space, data set or training would.",
        "The space is small and its best cells are alike, so that a search may look good here for knowing "
        "that much of convolutions helps. A ranking of searchers here is no ranking elsewhere.",
        "Many rows were compared. Only the claim was fixed in advance.",
    ]
    if run.limit is not None:
        paragraphs.append(f"The run was limited to {run.limit:,} seeds.")
    return Block(paragraphs=tuple(paragraphs))


def _task(board: Board, task: TaskBoard) -> list[str]:
    texts = []
    row = task.row(*board.claim) if board.claim else None
    if row is not None and row.difference is not None:
        seeds = [show(task.metric, value, signed=True) for value in row.difference.by_seed]
        size = show(task.metric, row.difference.detectable, signed=True, unit=True).lstrip("+")
        given = f" The seeds gave {', '.join(seeds)}." if seeds else ""
        texts.append(
            f"{task.title}: a true difference to {board.reference} of {size} would be found four times in "
            f"five; smaller ones mostly stay hidden.{given}"
        )
    few = [note for note in task.notes if "a verdict needs" in note]
    texts += [f"{task.title}: {note}" for note in few]
    return texts


SECTION = Section(
    title="Limits of the evidence",
    order=80,
    summary="What the numbers above do not say.",
    render=render,
)
