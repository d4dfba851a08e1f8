"""Where the data comes from, under which licence, and the hash of what was read."""

from collections.abc import Iterator

from harness import AnyBoard, Block, Board, LookupBoard, RankingBoard, Record, Run, Section, Table, TaskBoard
from harness.data.sealed import ordinal
from harness.study.lookup.units import TABLE
from harness.study.opening import OPEN
from harness.study.ranking.settings import PlannedRanking
from harness.study.work.units import PREPARE, Preparation


def render(run: Run, board: AnyBoard) -> Block:
    if isinstance(board, LookupBoard):
        return _table(run, board)
    tables = []
    parts = (
        [(board.task, (("source", tuple(PlannedRanking.of(run).task.sources)),))]
        if isinstance(board, RankingBoard)
        else [(task.task, _roles(task)) for task in board.first_rule]
        if isinstance(board, Board)
        else _all(run)
    )
    for task_name, roles in parts:
        rows = []
        for role, names in roles:
            for name in names:
                owner, _, inner = name.rpartition("/")  # a board may borrow the domains of other tasks
                wanted = (owner or task_name, inner)
                units = [u for u in run.planned(PREPARE) if (u.spec.task, u.spec.domain) == wanted]
                rows += [(name, role, *_prepared(run.records.get(unit.hash))) for unit in units]
                if name.startswith("lm_eval:"):
                    rows.append((name, role, *["—"] * 2, "a task of lm-eval", "its makers'", *["—"] * 3))
        tables.append(
            Table(
                caption=f"{task_name}: domains",
                columns=(
                    "Domain",
                    "Role",
                    "Family",
                    "Stratum",
                    "Origin",
                    "Licence",
                    "Samples",
                    "Groups",
                    "sha256 (first 16)",
                ),
                rows=tuple(rows),
                labels=8,
            )
        )
    return Block(paragraphs=tuple(_opened(run)), tables=tuple(tables))


def _opened(run: Run) -> Iterator[str]:
    """Says which sealed domains the run opened, and how often they had been by then."""
    for unit in run.planned(OPEN):
        record, opened = run.records.get(unit.hash), run.result(unit)
        if record is not None and opened is not None:
            yield (
                f"{unit.spec.of} is sealed, and was opened for the {ordinal(record.about['opening'])} time, "
                f"by plan {opened.plan} with code {opened.code}."
            )


def _roles(task: TaskBoard) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not task.folds:
        return (("source", task.sources), ("held out", task.held_out))
    rest = tuple(name for name in task.sources if name not in task.held_out)
    return (("held out in turn", task.held_out), ("source", rest))


def _all(run: Run) -> list[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]]:
    """Returns every task of a run with all domains that it prepared."""
    names: dict[str, list[str]] = {}
    for unit in run.planned(PREPARE):
        names.setdefault(unit.spec.task, []).append(unit.spec.domain)
    return [(task, (("read", tuple(domains)),)) for task, domains in names.items()]


def _prepared(record: Record | None) -> tuple[str, ...]:
    """Returns what a prepared domain is, and dashes where it is not there."""
    if record is None or record.status != "ok":
        return ("—",) * 7
    result, about = Preparation.from_json(record.result), record.about
    sizes = [
        ", ".join(f"{split} {count:,}" for split, count in sorted(each.items()))
        for each in (result.counts, result.groups)
    ]
    family = f"{about.get('family') or '—'}{', sealed' if about.get('sealed') else ''}"
    told = (family, str(about.get("stratum") or "—"), str(about["origin"]), str(about["licence"]))
    return (*told, *sizes, result.sha256[:16])


def _table(run: Run, board: LookupBoard) -> Block:
    found = next(map(run.result, run.planned(TABLE)), None)
    if found is None:
        return Block(paragraphs=("The table was not read yet.",))
    rows = []
    for name, about in sorted(found.domains.items()):
        sign = 1 if about.higher_is_better else -1
        values = (about.best.test, about.best.validation, about.mean)
        rows.append((name, *(f"{sign * value:.6f}" for value in values)))
    sampled = found.sampled
    size = f"{sampled:,} sampled" if sampled else f"{found.rows:,}"
    counted = ((found.left_out, "without a score are left out"), (found.averaged, "are repeats, averaged"))
    less = [f"{number:,} rows {what}" for number, what in counted if number]
    text = (
        f"Table {board.table}: {size} architectures{''.join(f', {one}' for one in less)}, sha256 "
        f"{found.sha256}. Origin: {found.origin}. Licence: {found.licence}."
    )
    columns = ("Domain", "Best test", "Best validation", "Mean test")
    scores = f"of {sampled:,} sampled architectures" if sampled else "of the whole table"
    table = Table(caption=f"Scores {scores}, as shares or raw", columns=columns, rows=tuple(rows))
    return Block(paragraphs=(text, *board.notes), tables=(table,))


SECTION = Section(
    title="Data",
    order=90,
    summary="Origin, licence, size and hash of every domain; splits never part a group.",
    render=render,
)
