"""How fast the networks of a run answer: measured on this machine, and as tables beside the board."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from harness import catalog
from harness.board.table import Table
from harness.board.values import Estimate
from harness.board.wording import MISSING, show_estimate
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.files import content_hash
from harness.learn.baseline import is_trained
from harness.run.loaded import Run
from harness.run.provenance import provenance
from harness.run.record import Speed
from harness.stats.fronts import front
from harness.study.network import Blueprint
from harness.study.trained.boards.values import Board, Key, Row, TaskBoard, show_method
from harness.study.trained.network import blueprint_of
from harness.study.trained.units import FINAL

Designs = dict[tuple[str, str, Key], list[Blueprint]]
"""Task, rule of selection and row -> the design of each network that was trained for it."""
RowSpeeds = dict[tuple[str, int, int], dict[Key, list[Speed]]]
"""Device, threads and batch size -> row -> the speed of each of its networks, all of which were measured."""
LOOKED = 0.2
"""Seconds for which other processes are watched, before and after."""


def measured_speeds(run: Run, device: str, threads: int, batch_size: int) -> Iterator[Speed]:
    """Yields the speed of each network that finals of a run trained, each design once, with random weights.

    Raises:
        HarnessError: there is no such device, or no final is done.
    """
    import numpy as np
    import torch

    from harness.learn.fit import seeded
    from harness.nn.measure import call_seconds, threads_of

    if device not in ("cpu", "cuda") or (device == "cuda" and not torch.cuda.is_available()):
        raise HarnessError(f"There is no device {device!r} on this machine; leave out --device for its cpu.")
    designs = {_digest(one): one for board in [*_finals(run).values()] for one in board}
    if not designs:
        raise HarnessError(f"{run.name} in {run.folder} has no trained network yet; `{run.command}` goes on.")
    made = provenance(device, 1)
    name = made["device"] if device == "cuda" else made["processor"]
    for digest, design in designs.items():
        with seeded(0), threads_of(threads):
            module = design.build().eval().to(device)
            busy, processors = _busy()
            single = call_seconds(module, design.signature, 1)
            batched = call_seconds(module, design.signature, batch_size)
            busy = max(busy, _busy()[0])
        yield Speed(
            network=digest,
            device=name,
            threads=threads,
            p50=float(np.median(single)),
            p95=float(np.percentile(single, 95)),
            calls=len(single),
            batch_size=batch_size,
            throughput=batch_size / float(np.median(batched)),
            busy=busy,
            processors=processors,
        )


def _busy() -> tuple[float, int]:
    """Returns how many processors are in use while this process waits, and how many there are."""
    import psutil

    count = psutil.cpu_count() or 1
    return psutil.cpu_percent(LOOKED) / 100 * count, count


def _digest(design: Blueprint) -> str:
    return content_hash(design.to_json())


def _finals(run: Run) -> Designs:
    found: Designs = {}
    for unit in run.planned(FINAL):
        spec, result = unit.spec, run.result(unit)
        baseline = None if spec.space else catalog.load("baseline", spec.method)
        if result is not None and (baseline is None or is_trained(baseline)):
            place = spec.task, spec.selection, spec.key
            found.setdefault(place, []).append(blueprint_of(spec, result))
    return found


def speed_tables(run: Run, board: Board) -> Iterator[Table]:
    """Yields a table for each task whose networks were measured, with the front of each machine."""
    for task in board.tasks:
        table = _table(task, row_speeds(run, task)) if task.trained_on is None else None
        if table is not None:
            yield table


def row_speeds(run: Run, task: TaskBoard) -> RowSpeeds:
    """Returns what was measured of the rows of a board."""
    if not run.speeds:
        return {}
    designs = _finals(run)
    known = {one.place: one for one in run.speeds}
    found: RowSpeeds = {}
    for machine in sorted({place[1:] for place in known}):
        for row in task.rows:
            digests = [_digest(one) for one in designs.get((task.task, task.selection, row.key), [])]
            if digests and all((digest, *machine) in known for digest in digests):
                speeds = [known[digest, *machine] for digest in digests]
                found.setdefault(machine, {})[row.key] = speeds
    return found


def latency_of(speeds: Sequence[Speed]) -> float:
    """Returns the median milliseconds of one sample, the mean over the networks of a row."""
    return 1e3 * fmean(one.p50 for one in speeds)


def latency_front(task: TaskBoard, speeds: Mapping[Key, Sequence[Speed]]) -> set[str]:
    """Returns the names of the rows that no other beats in latency or score without losing in the other."""
    rows: list[tuple[Row, Estimate]] = [
        (row, row.held_out) for row in task.rows if row.held_out and row.key in speeds and not row.is_variant
    ]
    sign = metric_of(task.metric).sign
    best = front([latency_of(speeds[row.key]) for row, _ in rows], [sign * mean.value for _, mean in rows])
    return {rows[index][0].name for index in best.tolist()}


def _table(task: TaskBoard, found: RowSpeeds) -> Table | None:
    rows: list[tuple[str, ...]] = []
    bold: set[tuple[int, int]] = set()
    notes: list[str] = []
    for (device, threads, batch_size), speeds in found.items():
        unbeaten = latency_front(task, speeds)
        for row in task.rows:
            of = speeds.get(row.key)
            if of is None or row.is_variant:
                continue
            if row.name in unbeaten:
                bold.add((len(rows), 3))
            told = (
                f"{latency_of(of):.3g}",
                f"{1e3 * fmean(one.p95 for one in of):.3g}",
                f"{fmean(one.throughput for one in of):,.0f} (of {batch_size:,})",
            )
            mean = show_estimate(task.metric, row.held_out) if row.held_out else MISSING
            rows.append((show_method(row), row.space or MISSING, mean, *told, device, f"{threads:,}"))
        every = [one for of in speeds.values() for one in of]
        disturbed = [one for one in every if one.is_disturbed]
        if disturbed:
            notes.append(
                f"{device}, threads {threads:,}: other processes used up to "
                f"{max(one.busy for one in disturbed):.1f} of {disturbed[0].processors:,} processors around "
                f"{len(disturbed):,} of {len(every):,} measurements; measure again where nothing else runs."
            )
    if not rows:
        return None
    return Table(
        caption=f"{task.title}: speed of each row's networks, mean over seeds, by `harness latency`",
        columns=(
            *("Method", "Space", "Held out", "Latency p50 (ms)", "Latency p95 (ms)"),
            *("Samples a second (batch)", "Device", "Threads"),
        ),
        rows=tuple(rows),
        labels=2,
        bold=frozenset(bold),
        notes=(
            "Latency: of a call with one sample. Bold: by point estimates, no row is both faster and better. "
            "No result, no rank and no verdict depends on these numbers.",
            *notes,
        ),
    )
