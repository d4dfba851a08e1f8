"""What was compared and how the models were selected."""

from harness import Block, Board, Run, Section, Table, TaskBoard
from harness.study.trained.settings import PlannedSuite


def render(run: Run, board: Board) -> Block:
    suite = PlannedSuite.of(run)
    search = suite.search
    seeds = ", ".join(str(seed) for seed in suite.seeds)
    rules = list(dict.fromkeys(task.selection for task in board.tasks))
    paragraphs = [
        f"Selection: {', then '.join(rules)}. Search and every choice but an oracle's see only the train and "
        "validation splits of source domains; held-out domains are read once, by the final score.",
        f"Roles of seeds are crossed over seeds {seeds}: a search on one seed selects the architecture, "
        "a training from scratch on another reports it, each seed in both roles once; numbers are means.",
    ]
    if any(row.space for task in board.tasks for row in task.rows):
        paragraphs += [
            f"Budget: every search, that of the {board.reference} row included, evaluates "
            f"{search.evaluations:,} new, legal architectures with the same evaluator.",
            f"Size: every candidate is within {100 * search.parameter_tolerance:g} % of the default "
            "architecture's parameters.",
        ]
    if board.claim is not None:
        paragraphs.append(f"Claim fixed in the suite: {board.claimed} against {board.reference}.")
    rows = [
        (task.task, task.metric.replace("_", " "), _sources(task), ", ".join(task.held_out))
        for task in board.first_rule
    ]
    table = Table(
        caption="Tasks: a model is trained on the sources and must hold up on the held-out domains",
        columns=("Task", "Metric", "Sources", "Held out"),
        rows=tuple(rows),
        labels=4,
    )
    return Block(paragraphs=tuple(paragraphs), tables=(table,))


def _sources(task: TaskBoard) -> str:
    if task.folds:
        return "all others, in turn"
    return ", ".join(task.sources) if task.trained_on is None else f"those of {task.trained_on}"


SECTION = Section(
    title="What was compared, and how it was selected",
    order=85,
    summary="The rules that were the same for every row.",
    render=render,
    studies=("trained",),
)
