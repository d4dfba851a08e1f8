"""The study that trains searched networks and fixed baselines, and scores them on held-out domains."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness import catalog
from harness.identity.unit import AnyUnit
from harness.learn.baseline import FixedBaseline, with_family
from harness.run.loaded import Run
from harness.stats.ranks import LEAST_RANKED
from harness.study.plan import stand_ins
from harness.study.published import check_published, each_once
from harness.study.settings import (
    ALONE,
    Need,
    check_language_model,
    check_task,
    check_zero_shot,
)
from harness.study.study import Study, first_seeds, joint, rules_of, words
from harness.study.trained.settings import PlannedSuite, Suite
from harness.study.trained.units import KINDS, SCORE, ZERO_SHOT, RowScoreSpec
from harness.study.work.units import PREPARE

if TYPE_CHECKING:
    from harness.board.series import Series
    from harness.study.trained.boards.values import Board
    from harness.task.signature import Signature


class TrainedStudy(Study[Suite, "Board"]):
    """Tasks x spaces x methods x seeds."""

    summary = "trains networks at equal budgets and scores them on held-out domains"
    settings = Suite
    planned = PlannedSuite
    kinds = KINDS
    rows = (SCORE, ZERO_SHOT)
    free = (*Study.free, "spaces", "searchers", "baselines", "tasks", "zero_shot", "search", "published")

    parts: ClassVar = {
        "plan": "harness.study.trained.plan:plan_trained",
        "board": "harness.study.trained.boards.board:build_trained_board",
        "verdict": "harness.study.trained.boards.verdict:trained_verdict",
        "wants": "harness.study.trained.boards.verdict:trained_wants",
        "tables": "harness.study.trained.boards.tables:leaderboard_tables",
        "with_foreign": "harness.study.trained.boards.board:with_foreign",
        "lines": "harness.study.trained.boards.tables:csv_lines",
        "compare": "harness.study.trained.boards.compare:compare_trained",
        "rescore": "harness.study.trained.boards.rescore:rescore",
        "values": "harness.study.trained.boards.values:Board",
        "headline": "harness.study.trained.leaderboards:trained_headline",
        "leaderboards": "harness.study.trained.leaderboards:trained_leaderboards",
        "found": "harness.study.trained.leaderboards:trained_found",
        "history": "harness.study.trained.history:trained_history",
        "scored_parts": "harness.study.trained.work.parts:suite_parts",
        "network": "harness.study.trained.network:network_of",
        "measure": "harness.study.trained.speed:measured_speeds",
        "measured": "harness.study.trained.speed:speed_tables",
    }

    def check(self, settings: Suite, need: Need) -> None:
        check_language_model(settings.llm, need)
        for kind, names in (("searcher", settings.searchers), ("space", settings.spaces)):
            own = settings.search.variants if kind == "searcher" else ()
            stems = [name.partition(":")[0] for name in names if name not in own]
            need.known(kind, stems, catalog.files(kind))
        need.once(settings.seeds, "seeds has a seed twice")
        searches = bool(settings.searchers)
        need(bool(settings.searchers) == bool(settings.spaces), "searchers and spaces belong together")
        need(settings.search.evaluations >= 1 or not searches, "search.evaluations must be at least 1")
        few = settings.search.rank_architectures
        need(
            few == 0 or few >= LEAST_RANKED,
            f"search.rank_architectures must be 0, or at least {LEAST_RANKED}",
        )
        need.once(settings.selection, "selection has a rule twice")
        names = [task.name for task in settings.tasks]
        need.once(names, "a task stands twice")
        halves = settings.search.training == "asha"
        need(not halves or not settings.search.racing, "search.racing is for training whole, not for asha")
        for task in settings.tasks:
            need(
                not halves or task.supernet.strategy == ALONE,
                f"search.training is asha, which is for candidates trained {ALONE}; set supernet.strategy "
                f"of task {task.name!r} so",
            )
            check_task(task, need, searches=searches)
            is_shared = searches and settings.search.shared_supernet
            need(
                not (is_shared and task.supernet.strategy == ALONE),
                f"search.shared_supernet has no supernet to share where the strategy is {ALONE}",
            )
        check_published(settings.published, need)
        for one in settings.zero_shot:
            check_zero_shot(one, names, need)
        boards = [*names, *(one.name for one in settings.zero_shot)]
        need.once(boards, "a zero_shot board has the name of another board")
        rows = {*settings.baselines, *settings.searchers}
        need.among("methods", "reference", settings.reference, rows)
        if settings.tuned_space is None:
            _check_size(settings, need)
        claim = settings.claim
        need.among("methods", "claim", claim.method, rows)
        need(
            (claim.method in settings.searchers and claim.space in settings.spaces)
            or (claim.method in settings.baselines and not claim.space),
            "claim must name one of its searchers and one of its spaces, or one of its baselines alone",
        )

    def with_models(self, settings: Suite, models: Sequence[str]) -> Suite:
        named = [with_family(one) for one in models]
        return replace(
            settings,
            baselines=[*settings.baselines, *(one for one in named if one not in settings.baselines)],
        )

    def seeded(self, settings: Suite, count: int) -> list[str]:
        return [first_seeds(settings.seeds, count)]

    def trained_on(self, settings: Suite) -> "list[tuple[str, Signature]]":
        tasks = [(one.name, catalog.load("task", one.name), one.context) for one in settings.tasks]
        return [(name, task.in_windows(context).signature) for name, task, context in tasks]

    def whole(self, settings: Suite) -> Suite:
        return replace(
            settings,
            tasks=[replace(task, whole=True) for task in settings.tasks],
            zero_shot=[replace(board, whole=True) for board in settings.zero_shot],
        )

    def stood_in(self, settings: Suite) -> Suite:
        names, claim = stand_ins(settings.searchers), settings.claim
        return replace(
            settings,
            searchers=[names.get(one, one) for one in settings.searchers],
            reference=names.get(settings.reference, settings.reference),
            claim=replace(claim, method=names.get(claim.method, claim.method)),
            search=settings.search.with_names(names),
        )

    def protocol(self, run: Run) -> dict[str, Any]:
        suite = PlannedSuite.of(run)
        found = super().protocol(run) | rules_of(suite.search)
        found["tasks"] = sorted(task.name for task in suite.tasks)
        for task in suite.tasks:
            found |= {f"{words(key)} of {task.name}": value for key, value in asdict(task).items()}
            del found[f"name of {task.name}"]
        for unit in run.planned(PREPARE):
            prepared = run.result(unit)
            found[f"prepared {unit.spec.data}"] = prepared and prepared.sha256
        return found

    def place(self, unit: AnyUnit) -> Sequence[Any]:
        spec = unit.spec
        assert isinstance(spec, RowScoreSpec)
        seeds = (spec.select_seed, spec.report_seed)
        return [spec.method, spec.variant, spec.space, spec.selection, spec.task, spec.place, *seeds]

    def merged(self, runs: Sequence[Run]) -> PlannedSuite:
        suites = [PlannedSuite.of(run) for run in runs]
        first = suites[0]
        joined: dict[str, Any] = {key: joint(suites, key) for key in ("spaces", "searchers", "baselines")}
        joined["published"] = each_once(one for suite in suites for one in suite.published)
        # Nothing was fixed for the rows of all runs where claims differ.
        claim = first.claim if all(suite.claim == first.claim for suite in suites) else None
        return replace(first, **joined, claim=claim)

    def series(self, board: "Board") -> "Sequence[Series]":
        return board.series

    def noted(self, board: "Board", note: str) -> "Board":
        return replace(board, tasks=tuple(replace(task, notes=(*task.notes, note)) for task in board.tasks))


def _check_size(settings: Suite, need: Need) -> None:
    """Raises what of a suite without a tuned space has the size of one."""
    entries = {name: catalog.load("baseline", name) for name in settings.baselines}
    fixed = {name: one for name, one in entries.items() if isinstance(one, FixedBaseline)}
    follows = [f"baseline {name!r}" for name, one in fixed.items() if one.is_matched]
    if len(settings.spaces) > 1 and settings.search.parameter_tolerance:
        follows.append("a search of several spaces")
    told = f"the size of {' and '.join(follows)} comes from the suite's tuned_space, and it names none"
    need(not follows, f'{told}; add tuned_space = "SPACE:PRESET", of `harness list spaces`')


STUDY = TrainedStudy()
