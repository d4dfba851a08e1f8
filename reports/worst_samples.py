"""The samples behind the numbers: where claim and reference differ most, and what both always get wrong."""

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import (
    Block,
    Board,
    Figure,
    HarnessError,
    Picture,
    Pictures,
    Run,
    Section,
    Signature,
    Table,
    TaskBoard,
    catalog,
)
from harness.data.corruptions import domain_of
from harness.data.kept import samples_at
from harness.files import content_hash
from harness.learn.modality import modality_of
from harness.study.trained.boards.changed import RowSamples, class_names_of, gains, named, row_samples
from harness.study.trained.boards.scored import ScoreUnit
from harness.study.trained.boards.values import Row, scores_of
from harness.study.trained.units import SCORE
from harness.task.metric import Metric

SHOWN = 8
"""Samples of a kind."""
TRAININGS = 50
"""Of a row that are looked at, those of the smallest seeds."""
SIDE = 64
"""Pixels of a picture that are shown; a larger one is averaged."""
SHOWN_BYTES = 200


class Shown(NamedTuple):
    """Some samples of a domain: why these, their places in the rows, and first minus second of each."""

    why: str
    places: NDArray[np.intp]
    gain: NDArray[np.float64]


def render(run: Run, board: Board) -> Block:
    figures: list[Figure] = []
    tables: list[Table] = []
    lines = []
    for task in board.decisive:
        rows = [task.row(*board.claim) if board.claim else None, task.row(board.reference)]
        if None in rows or rows[0] is rows[1]:
            continue
        for domain in task.held_out:
            scores = [(row, _scores(run, task, row, domain)) for row in rows if row]
            try:
                first, second = (_samples(run, task, row, units) for row, units in scores)
                shown = _chosen(first, second)
            except HarnessError as error:
                lines.append(f"{task.title}, {domain}: {str(error).rstrip('.')}.")
                continue
            if _is_sealed(task.task, domain):
                lines.append(f"{domain} is sealed, so no sample of it is shown.")
                continue
            names = [row.name for row in rows if row]
            made = _drawn(run, (task.task, domain), (first, second), names, shown)
            if made and any(len(units) > TRAININGS for _, units in scores):
                lines.append(f"{domain}: of a row, the {TRAININGS} trainings of the smallest seeds are read.")
            figures += [one for one in made if isinstance(one, Figure)]
            tables += [one for one in made if isinstance(one, Table)]
            if not made:
                lines.append(f"{domain}: its data is not in this machine's folder, so no sample is shown.")
    return Block(paragraphs=tuple(lines), figures=tuple(figures), tables=tuple(tables))


def _is_sealed(task_name: str, domain: str) -> bool:
    if "/" in domain or task_name not in catalog.files("task"):
        return False
    return bool(domain_of(catalog.load("task", task_name), domain).sealed)


def _cut(run: Run, task_name: str, domain: str) -> int | None:
    """Returns what documents of a domain were cut to before they were scored; None for whole ones."""
    specs = (unit.spec for unit in run.planned(SCORE))
    return next((one.document_bytes for one in specs if (one.task, one.domain) == (task_name, domain)), None)


def _scores(run: Run, task: TaskBoard, row: Row, domain: str) -> list[ScoreUnit]:
    found = scores_of(run, task.task, task.selection)
    units = [unit for unit in found if unit.spec.key == row.key and unit.spec.domain == domain]
    return sorted(units, key=lambda unit: unit.spec.report_seed)


def _samples(run: Run, task: TaskBoard, row: Row, units: Sequence[ScoreUnit]) -> RowSamples:
    if not units or any(run.result(unit) is None for unit in units):
        raise HarnessError(f"{row.name} has no score")
    metric: Metric = catalog.metric_of(task.metric)
    return row_samples(run, units[:TRAININGS], metric.needs)


def _chosen(first: RowSamples, second: RowSamples) -> list[Shown]:
    """Returns the samples of each kind; raises a HarnessError where the rows have no samples in common."""
    gain, unit = gains(first, second)
    most = np.argsort(-np.abs(gain), kind="stable")[:SHOWN]
    what = {"nats": "log-probability of the true class", "share": "share of right trainings"}.get(unit, unit)
    found = [Shown(f"The {what} differs most", most, gain[most])]
    if first.bits is not None and second.bits is not None:
        cost = first.bits.mean(axis=0) + second.bits.mean(axis=0)
        dear = np.argsort(-cost, kind="stable")[:SHOWN]
        return [*found, Shown("Both pay most bits per byte", dear, gain[dear])]
    assert first.right is not None
    assert second.right is not None
    never = np.flatnonzero(~(first.right.any(axis=0) | second.right.any(axis=0)))
    if first.likelihood is not None and second.likelihood is not None:
        sure = first.likelihood.mean(axis=0) + second.likelihood.mean(axis=0)
        never = never[np.argsort(sure[never], kind="stable")]
    why = f"Every training of both is wrong, as on {len(never):,} of {len(gain):,} samples"
    return [*found, *([Shown(why, never[:SHOWN], gain[never[:SHOWN]])] if len(never) else [])]


def _drawn(
    run: Run,
    where: tuple[str, str],
    rows: tuple[RowSamples, RowSamples],
    names: Sequence[str],
    shown: Sequence[Shown],
) -> list[Figure | Table]:
    """Returns pictures or texts; nothing where the data is not there."""
    owner, _, inner = where[1].rpartition("/")  # a board may borrow the domains of other tasks
    task_name = owner or where[0]
    if run.data is None or task_name not in catalog.files("task"):
        return []
    signature = catalog.load("task", task_name).signature
    is_image = modality_of(signature.kind).form == "image"
    made: list[Figure | Table] = []
    for one in shown:
        positions, wanted = (getattr(rows[0], name)[one.places].tolist() for name in ("position", "digest"))
        samples = samples_at(task_name, inner, run.data, positions, wanted, cut=_cut(run, *where))
        if samples is None:
            return []
        told = _told(rows, one, class_names_of(where[0]))
        caption = f"{' '.join(where)}: {one.why[0].lower()}{one.why[1:]}. {names[0]}, then {names[1]}"
        draw = _pictures if is_image else _texts
        made.append(draw(caption, told, samples, signature))
    return made


Told = Sequence[dict[str, str]]
"""Of each sample: its name, class, what each row makes of it, and the difference."""


def _told(rows: tuple[RowSamples, RowSamples], shown: Shown, class_names: Sequence[str]) -> Told:
    return [
        {
            "sample": rows[0].name(place),
            "class": "" if rows[0].bits is not None else named(int(rows[0].label[place]), class_names),
            "first": rows[0].told(place, class_names),
            "second": rows[1].told(place, class_names),
            "difference": f"{gain:+.2f}".replace("-", "−"),
        }
        for place, gain in zip(shown.places, shown.gain, strict=True)
    ]


def _texts(caption: str, told: Told, samples: Sequence[bytes], signature: Signature) -> Table:
    rows = [
        (one["sample"], data[:SHOWN_BYTES].decode(errors="replace"), *list(one.values())[1:])
        for one, data in zip(told, samples, strict=True)
    ]
    columns = ("Sample", "Text", "Class", "First", "Second", "Difference")
    keep = [at for at, column in enumerate(columns) if column != "Class" or any(row[at] for row in rows)]
    return Table(
        caption=caption,
        columns=tuple(columns[at] for at in keep),
        rows=tuple(tuple(row[at] for at in keep) for row in rows),
        labels=2,
    )


def _pictures(caption: str, told: Told, samples: Sequence[bytes], signature: Signature) -> Figure:
    """Returns the samples side by side, their class, the rows' predictions and the difference below each."""
    pictures = tuple(
        Picture(
            _png(data, signature),
            one["sample"],
            (f"is {one['class']}", one["first"], one["second"], one["difference"]),
        )
        for one, data in zip(told, samples, strict=True)
    )
    data = [one | {"difference": one["difference"].lstrip("+")} for one in told]
    plots = (Pictures(title=caption, pictures=pictures),)
    return Figure(name=f"samples-{content_hash(caption)}", alt=caption, plots=plots, data=data)


def _png(data: bytes, signature: Signature) -> bytes:
    from PIL import Image

    pixels = np.frombuffer(data, np.uint8).reshape(signature.channels, signature.height, signature.width)
    is_colour = signature.channels == 3
    plain = pixels.transpose(1, 2, 0) if is_colour else pixels.mean(axis=0).astype(np.uint8)
    picture = Image.fromarray(plain)
    if max(picture.size) > SIDE:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    sink = BytesIO()
    picture.save(sink, format="PNG")
    return sink.getvalue()


SECTION = Section(
    title="Worst samples",
    order=92,
    summary="Of each held-out domain: where the claim's row and the reference differ most, and what both get "
    "wrong in every training.",
    render=render,
    studies=("trained",),
)
