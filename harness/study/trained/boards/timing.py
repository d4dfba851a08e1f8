"""Seconds and memory of the rows of a task, on the machine that ran them."""

from harness.board.table import Table
from harness.board.wording import MISSING, show_seconds
from harness.run.loaded import Run
from harness.study.trained.boards.values import TaskBoard, chosen_by, show_method
from harness.study.work.units import SUPERNET


def timing_table(run: Run, task: TaskBoard) -> Table:
    """Returns seconds and memory of each row from the timing files; no result depends on them."""
    rows = []
    for row in task.rows:
        finals = task.finals(run, row.key) if task.trained_on is None else []
        scores = [unit for unit in task.scores(run) if unit.spec.key == row.key]
        searches = [unit for final in finals if (unit := chosen_by(run, final))]
        supernets = [unit for unit in (run.needed(search, SUPERNET) for search in searches) if unit]
        columns = [
            _seconds(run, [unit.hash for unit in units]) for units in (supernets, searches, finals, scores)
        ]
        memory = [
            run.timings[unit.hash].peak_memory_bytes
            for unit in (*supernets, *searches, *finals, *scores)
            if unit.hash in run.timings
        ]
        peak = max((value for value in memory if value), default=None)
        rows.append(
            (
                show_method(row),
                row.space or MISSING,
                *(show_seconds(value) for value in columns),
                MISSING if peak is None else f"{peak / 2**20:,.0f}",
            )
        )
    return Table(
        caption=f"{task.title}: seconds, summed over seeds, on the machine that ran this",
        columns=(
            "Method",
            "Space",
            "Supernet (shared)",
            "Search or trials",
            "Finals",
            "Scoring",
            "Peak memory (MiB)",
        ),
        rows=tuple(rows),
        labels=2,
        notes=("Rows of one space share its supernets, so the first column must not be added up.",),
    )


def _seconds(run: Run, hashes: list[str]) -> float | None:
    """Returns the sum, or None unless every one of the units was timed."""
    if not hashes or not all(one in run.timings for one in hashes):
        return None
    return sum(run.timings[one].seconds for one in dict.fromkeys(hashes))
