"""The study of diversity: what the diversity of a space does at matched size, compute and in-domain score."""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.study.diversity.settings import DiversitySuite, PlannedDiversity
from harness.study.diversity.units import CELL, POOL_FLOOR, TABLE_POOL
from harness.study.opening import OPEN
from harness.study.settings import Need, check_task
from harness.study.study import Study
from harness.study.work.units import PREPARE

if TYPE_CHECKING:
    from harness.study.diversity.board import DiversityBoard  # noqa: F401  in quotes below
    from harness.study.plan import Plan


class DiversityStudy(Study[DiversitySuite, "DiversityBoard"]):
    """Arms x architectures x seeds, each trained alone and scored at its checkpoints on every domain."""

    summary = "varies the diversity of a space at matched size, compute and in-domain score"
    settings = DiversitySuite
    planned = PlannedDiversity
    kinds = (PREPARE, OPEN, POOL_FLOOR, CELL, TABLE_POOL)
    rows = (CELL, TABLE_POOL)
    parts: ClassVar = {
        "plan": "harness.study.diversity.plan:plan_diversity",
        "board": "harness.study.diversity.board:build_diversity_board",
        "verdict": "harness.study.diversity.tables:diversity_verdict",
        "tables": "harness.study.diversity.tables:diversity_tables",
        "headline": "harness.study.diversity.tables:diversity_headline",
        "lines": "harness.study.diversity.tables:csv_lines",
        "values": "harness.study.diversity.board:DiversityBoard",
    }

    def check(self, settings: DiversitySuite, need: Need) -> None:
        either = bool(settings.tables) != (settings.task is not None)
        need(either, "a suite has either a task or tables")
        need.once(settings.tables, "tables has a name twice")
        if settings.task is None:
            need(not settings.arms, "arms are of a task, and there is none")
            return
        check_task(settings.task, need)
        need(len(settings.arms) >= 1, "a task needs arms")
        need.once([arm.name for arm in settings.arms], "arms has a name twice")
        shares = settings.checkpoints
        need(shares == sorted(set(shares)), "checkpoints ascend")
        need(shares[-1] == 1, "the last of checkpoints is 1, the whole training")
        for arm in settings.arms:
            need.once(arm.seeds, f"arm {arm.name!r} has a seed twice")
            named = arm.design == "drawn" or bool(settings.families)
            need(named, f"arm {arm.name!r} is {arm.design} and needs families")
        need(not (settings.rates and not settings.families), "rates are of families, which names no list")
        controls = bool(settings.control or settings.control_source)
        need(controls == bool(settings.control_architectures), "a control has a change and architectures")

    def register(self, plan: "Plan") -> Path:
        from harness.study.diversity.plan import register

        return register(plan)

    def refuse(self, plan: "Plan") -> None:
        from harness.study.diversity.plan import refuse_unregistered

        refuse_unregistered(plan)

    def stands_alone(self) -> str:
        return "a study of diversity compares its own pools, which no other run shares"


STUDY = DiversityStudy()
"""What a suite says of a study of diversity."""
