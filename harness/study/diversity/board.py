"""The board of a study of diversity."""

from dataclasses import dataclass
from typing import ClassVar

from harness.board.marks import CURRENT, Marks, marks_of
from harness.run.loaded import Run
from harness.study.diversity.pools import found_of_pools
from harness.study.diversity.registration import Registration
from harness.study.diversity.results import PoolFindings
from harness.study.diversity.settings import PlannedDiversity
from harness.study.diversity.units import CELL, TABLE_POOL


@dataclass(frozen=True, kw_only=True)
class DiversityBoard:
    """What is found of every pool.

    Attributes:
        name: the suite's name.
        title: the suite's title.
        limit: largest number of samples of each split; None for all.
        margin: largest gain that does not matter; 0 for none.
        budget: architectures that a search sees.
        found: of the task, or of each table that is done.
        done: units that bear a result.
        planned: units that are to.
        registration: of the plan before anything was trained; None where there is none.
        failed: names of units with the reasons why they failed.
        marks: when and where the results were made.
    """

    study: ClassVar[str] = "diversity"
    name: str
    title: str
    limit: int | None
    margin: float
    budget: int
    found: tuple[PoolFindings, ...]
    done: int
    planned: int
    registration: Registration | None = None
    failed: tuple[tuple[str, str], ...] = ()
    marks: Marks = CURRENT


def build_diversity_board(run: Run) -> DiversityBoard:
    suite = PlannedDiversity.of(run)
    units = [*run.planned(CELL), *run.planned(TABLE_POOL)]
    found = [result.found for unit in run.planned(TABLE_POOL) if (result := run.result(unit)) is not None]
    if suite.task is not None and (pools := found_of_pools(run, suite)) is not None:
        found.append(pools)
    records = [(unit, run.records.get(unit.hash)) for unit in units]
    return DiversityBoard(
        name=run.name,
        title=run.title,
        limit=run.limit,
        margin=suite.margin,
        budget=suite.budget,
        found=tuple(found),
        done=sum(record is not None and record.status == "ok" for _, record in records),
        planned=len(units),
        failed=tuple(
            (unit.label, record.reason or "no reason")
            for unit, record in records
            if record is not None and record.status == "failed"
        ),
        marks=marks_of(run, units),
        registration=suite.registration,
    )
