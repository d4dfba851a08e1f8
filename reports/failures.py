"""Everything that failed, was skipped or has not run, with its reason."""

from typing import Any

from harness import AnyBoard, Block, Run, Section, Table, Unit

SEEDS = ("seed", "select_seed", "report_seed")


def render(run: Run, board: AnyBoard) -> Block:
    kinds = dict.fromkeys(unit.kind for unit in run.units)
    units = [unit for kind in kinds for unit in run.planned(kind)]
    rows, skipped, missing = [], 0, 0
    for unit in units:
        record = run.records.get(unit.hash)
        if record is None:
            missing += 1
        elif record.status != "ok":
            skipped += record.status == "skipped"
            reason = record.reason or "no reason was recorded"
            rows.append((record.status, unit.kind.name, _about(unit), reason))
    counts = (
        f"{len(units):,} units: {len(units) - len(rows) - missing:,} done, {len(rows) - skipped:,} failed, "
        f"{skipped:,} skipped because something they need failed, {missing:,} not run yet."
    )
    if not rows:
        return Block(paragraphs=(counts,))
    table = Table(
        caption="Units without a result; the same command tries them again",
        columns=("Status", "Kind", "Unit", "Reason"),
        rows=tuple(sorted(rows, key=lambda row: row[0])),
        labels=4,
        heading=2,
    )
    return Block(paragraphs=(counts,), tables=(table,))


def _about(unit: Unit[Any, Any]) -> str:
    keys = ("task", "table", "domain", "feedback", "method", "searcher", "space", *SEEDS)
    told = {key: getattr(unit.spec, key, None) for key in keys}
    words = {
        key: f"{key.replace('_', ' ')} {value}" if key in SEEDS else str(value) for key, value in told.items()
    }
    return ", ".join(words[key] for key, value in told.items() if value not in (None, ""))


SECTION = Section(
    title="Failures",
    order=95,
    summary="What has no result, and why; a missing score is never a zero.",
    render=render,
)
