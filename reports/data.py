"""Where the data comes from, under which licence, and the hash of what was read."""

from harness import AnyBoard, Block, Board, LookupBoard, QualityBoard, Record, Run, Section, Table


def render(run: Run, board: AnyBoard) -> Block:
    """Returns one table of domains per task."""
    if isinstance(board, LookupBoard):
        return _table(run, board)
    tables = []
    parts = (
        [(board.task, (("source", tuple(run.suite["task"]["sources"])),))]
        if isinstance(board, QualityBoard)
        else [(task.task, (("source", task.sources), ("held out", task.held_out))) for task in board.decisive]
    )
    for task_name, roles in parts:
        rows = []
        for role, names in roles:
            for name in names:
                owner, _, inner = name.rpartition("/")  # a board may borrow the domains of other tasks
                units = run.planned("prepare", task=owner or task_name, domain=inner)
                rows += [(name, role, *_prepared(run.records.get(unit.hash))) for unit in units]
                if name.startswith("lm_eval:"):
                    rows.append((name, role, "a task of lm-eval", "its makers'", *["—"] * 3))
        tables.append(
            Table(
                caption=f"{task_name}: domains",
                columns=("Domain", "Role", "Origin", "Licence", "Samples", "Groups", "sha256 (first 16)"),
                rows=tuple(rows),
                labels=5,
            )
        )
    return Block(tables=tuple(tables))


def _prepared(record: Record | None) -> tuple[str, ...]:
    """Returns what a prepared domain is, and dashes where it is not there."""
    if record is None or record.status != "ok":
        return ("—",) * 5
    result, about = record.result, record.about
    counts = [f"{split} {count:,}" for split, count in sorted(result["counts"].items())]
    groups = sum(result.get("groups", {}).values())
    told = (str(about["origin"]), str(about["licence"]), ", ".join(counts))
    return (*told, f"{groups:,}", str(result["sha256"])[:16])


def _table(run: Run, board: LookupBoard) -> Block:
    found = next((run.result(unit) for unit in run.planned("table")), None)
    if found is None:
        return Block(paragraphs=("The table was not read yet.",))
    rows = []
    for name, about in sorted(found["domains"].items()):
        sign = 1 if about["higher_is_better"] else -1
        values = (about["best"]["test"], about["best"]["validation"], about["mean"])
        rows.append((name, *(f"{sign * value:.6f}" for value in values)))
    sampled = found.get("sampled")
    size = f"{sampled:,} sampled" if sampled else f"{found['rows']:,}"
    less = [
        f"{found[key]:,} rows {what}"
        for key, what in (("left_out", "without a score are left out"), ("averaged", "are repeats, averaged"))
        if key in found
    ]
    text = (
        f"Table {board.table}: {size} architectures{''.join(f', {one}' for one in less)}, sha256 "
        f"{found['sha256']}. Origin: {found['origin']}. Licence: {found['licence']}."
    )
    columns = ("Domain", "Best test", "Best validation", "Mean test")
    scores = f"of {sampled:,} sampled architectures" if sampled else "of the whole table"
    table = Table(caption=f"Scores {scores}, as shares or raw", columns=columns, rows=tuple(rows))
    return Block(paragraphs=(text, *board.notes), tables=(table,))


SECTION = Section(
    title="Data",
    order=110,
    summary="Origin, licence, size and hash of every domain; splits never part a group.",
    render=render,
    boards=(Board, LookupBoard, QualityBoard),
)
