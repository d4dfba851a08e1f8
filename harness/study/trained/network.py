"""The final network of a row of a run that trains: which seed's, from which record, and its weights."""

from dataclasses import asdict, replace
from typing import NamedTuple

from harness import __version__, catalog
from harness.board.comparison import find_row
from harness.errors import HarnessError, UnknownNameError
from harness.files import file_hash
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline, FloorBaseline, ReadyBaseline
from harness.learn.modality import modality_of
from harness.run.loaded import Run
from harness.run.record import Record
from harness.run.stored import RECORD, read_checked
from harness.study.network import Blueprint, NetworkFacts, RowNetwork
from harness.study.settings import RecipeSettings
from harness.study.trained.boards.board import build_trained_board
from harness.study.trained.boards.values import Board, Row, TaskBoard, finals_of
from harness.study.trained.card import card_parts
from harness.study.trained.results import Final
from harness.study.trained.settings import PlannedSuite
from harness.study.trained.units import TUNE, FinalSpec
from harness.study.work.alone import WEIGHTS
from harness.study.work.matched import matched_size
from harness.task.selection import ORACLE


class _Asked(NamedTuple):
    """A row, the task that its networks were trained on, and the boards on which they were scored."""

    row: Row
    task: str
    boards: tuple[TaskBoard, ...]


def network_of(run: Run, row: str, task: str | None, seed: int | None) -> RowNetwork:
    """Returns the network of a row, with all that records say of it.

    It is that of the smallest seed where none is asked for, of the first domains that the suite holds out
    where each is in turn, and by the first rule of selection that is none of the oracle: no score has a part
    in which it is.

    Raises:
        UnknownNameError: there is no such row, or it was not trained on that task.
        HarnessError: the row has no network, not of that seed, or not yet.
        DamagedError: its weights are not what was written.
    """
    board = build_trained_board(run)
    asked = _asked(run, board, row, task)
    final = _final(run, asked, seed)
    record, result = _finished(run, asked.row, final)
    weights = read_checked(run.place(final), record, WEIGHTS)
    facts = _facts(run, asked.row, final, result, record)
    parts = card_parts(run, board, asked.boards, final, facts, is_asked=seed is not None)
    return RowNetwork(facts, weights, f"{asked.row.name} on {asked.task}", tuple(parts))


def _asked(run: Run, board: Board, name: str, task: str | None) -> _Asked:
    rule = next((one for one in PlannedSuite.of(run).selection if one != ORACLE), None)
    if rule is None:
        raise HarnessError(
            f"{run.name} selects by the oracle alone, which chooses another network for every domain; "
            "add another rule to its `selection`."
        )
    shown = [one for one in board.tasks if one.selection == rule]
    names = sorted({row.name for one in shown for row in one.rows})
    if name not in names and name in {one.name for each in shown for one in each.published}:
        raise HarnessError(
            f"{name} is a published row: scores of a paper and no network; there are {', '.join(names)}."
        )
    chosen = find_row(name, names)
    of_row = [(one, row) for one in shown for row in one.rows if row.name == chosen]
    tasks = list(dict.fromkeys(one.trained_on or one.task for one, _ in of_row))
    if task is None and len(tasks) > 1:
        raise HarnessError(f"{chosen} was trained on {' and on '.join(tasks)}; choose one by --task.")
    wanted = task or tasks[0]
    if wanted not in tasks:
        raise UnknownNameError(f"task of {chosen}", wanted, tasks)
    boards = tuple(one for one in shown if (one.trained_on or one.task) == wanted)
    return _Asked(next(row for one, row in of_row if one in boards), wanted, boards)


def _final(run: Run, asked: _Asked, seed: int | None) -> Unit[FinalSpec, Final]:
    """Returns the unit that trained the network; nothing that it scored is looked at."""
    every = finals_of(run, asked.task, asked.boards[0].selection, asked.row.key)
    seeds = sorted({final.spec.select_seed for final in every})
    wanted = seeds[0] if seed is None else seed
    if wanted not in seeds:
        raise HarnessError(
            f"{asked.row.name} has no seed {wanted}; seeds of its searches are {', '.join(map(str, seeds))}."
        )
    folds = PlannedSuite.of(run).task(asked.task).folds

    def fold(final: Unit[FinalSpec, Final]) -> int:
        of = (place for place, names in enumerate(folds) if not set(names) & set(final.spec.sources))
        return next(of, 0)

    return min((final for final in every if final.spec.select_seed == wanted), key=fold)


def _finished(run: Run, row: Row, final: Unit[FinalSpec, Final]) -> tuple[Record, Final]:
    """Returns record and result of what trained the network, which has one."""
    baseline = None if final.spec.space else catalog.load("baseline", final.spec.method)
    if isinstance(baseline, FloorBaseline):
        raise HarnessError(f"{row.name} is a floor, which has no network; name another row.")
    if isinstance(baseline, ReadyBaseline):
        raise HarnessError(
            f"{row.name} came trained and was scored as it is, so this run has no weights of it; take it "
            "from where it came."
        )
    record, result = run.records.get(final.hash), run.result(final)
    where = f"The network of {row.name} with seed {final.spec.select_seed}"
    if record is None:
        raise HarnessError(f"{where} is not trained yet; `{run.command}` goes on.")
    if result is None:
        reason = (record.reason or "no reason given").rstrip(".")
        raise HarnessError(f"{where} was not trained ({record.status}: {reason}); name another by --seed.")
    return record, result


def _facts(run: Run, row: Row, final: Unit[FinalSpec, Final], result: Final, record: Record) -> NetworkFacts:
    spec, task = final.spec, final.spec.seen
    return NetworkFacts(
        row=row.name,
        suite=run.name,
        blueprint=blueprint_of(spec, result),
        classes=task.class_names,
        vocabulary=modality_of(task.signature.kind).vocabulary,
        sources=spec.sources,
        parameters=result.parameters,
        macs=result.macs,
        recipe=asdict(_recipe(run, final)),
        learning_rate=result.learning_rate,
        steps=result.steps,
        batch_size=spec.batch_size,
        search_seed=spec.select_seed,
        training_seed=spec.report_seed,
        outside=result.outside,
        engine=__version__,
        code=record.code,
        record=file_hash(run.place(final) / RECORD),
        weights=record.files[WEIGHTS],
    )


def blueprint_of(spec: FinalSpec, result: Final) -> Blueprint:
    """Returns what builds the network of a final."""
    signature = spec.seen.signature
    baseline = None if spec.space else catalog.load("baseline", spec.method)
    return Blueprint(
        task=spec.task,
        signature=signature,
        method=spec.method,
        space=spec.space,
        architecture=result.architecture,
        near=(
            matched_size(baseline, spec.tuned_space, signature) if isinstance(baseline, FixedBaseline) else 0
        ),
    )


def _recipe(run: Run, final: Unit[FinalSpec, Final]) -> RecipeSettings:
    """Returns the recipe that trained a network: that of the best trial where trials chose one."""
    spec, tuned = final.spec, run.result(run.needed(final, TUNE))
    if tuned is None:
        return spec.recipe
    added = spec.recipe.augmentation if spec.variant == "augmented" else ()
    return replace(tuned.recipe, augmentation=tuple(dict.fromkeys([*tuned.recipe.augmentation, *added])))
