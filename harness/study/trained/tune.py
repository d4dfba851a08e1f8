"""Trials that tune a fixed baseline: each trains its network alone and is scored on source validation."""

import json
import math
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import catalog, seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.errors import DamagedError, HarnessError
from harness.files import canonical_json, content_hash, write_atomically
from harness.identity.unit import AnyUnit, Unit
from harness.learn.baseline import FixedBaseline
from harness.learn.peers import agree_on, peers
from harness.run.place import Done, Needs
from harness.study.trained.final import trial
from harness.study.trained.units import Trial, Tuned, TuneSpec
from harness.study.work.alone import delete_checkpoints

OCTAVES = 2.0
"""How far a trial's learning rate is from the suite's at most, in doublings."""


def tune(unit: Unit[TuneSpec, Tuned], needs: Needs, folder: Path) -> Done:
    """Trains every trial that the folder does not hold yet, and chooses the best on source validation."""
    spec = unit.spec
    view = needs.view(spec)
    drawn = list(_drawn(spec))
    path = folder / "trials.jsonl"
    trials = _kept(path, unit)
    joined = peers()
    if joined.size > 1:
        agree_on(len(trials))
    for rate, architecture in drawn[len(trials) :]:
        tried = _tried(spec, needs, view, (rate, architecture), folder)
        if not joined.rank:
            _append(path, unit, tried)
        trials.append(tried)
    delete_checkpoints(folder, [rate for rate, _ in drawn])
    sign = metric_of(view.metric).sign
    scored = [(sign * one.validation, one) for one in trials if one.validation is not None]
    if not scored:
        raise HarnessError(
            f"None of the {len(trials)} trials of {spec.method} has a score; the first: {trials[0].reason}"
        )
    _, best = max(scored, key=lambda pair: pair[0])
    result = Tuned(
        learning_rate=best.learning_rate,
        architecture=best.architecture,
        parameters=best.parameters,
        validation=best.validation,
        evaluations=len(trials),
        trials=tuple(trials),
    )
    return Done(result=result)


def _drawn(spec: TuneSpec) -> Iterator[tuple[float, dict[str, Any] | None]]:
    """Yields learning rate and architecture of each trial, the first one's the plain baseline's (None).

    The others' rates are log-uniform around the suite's, the same for all baselines of a seed, and their
    depths uniform among those that the family has.
    """
    baseline: FixedBaseline = catalog.load("baseline", spec.method)
    depths = sorted(baseline.depths)
    yield spec.learning_rate, None
    for index in range(1, spec.evaluations):
        draw = random.Random(seeds.stream(spec.seed, "tune", index))
        tried = spec.learning_rate * 2.0 ** draw.uniform(-OCTAVES, OCTAVES)
        yield tried, {"depth": draw.choice(depths)} if depths else None


def _tried(
    spec: TuneSpec,
    needs: Needs,
    view: SourceView,
    chosen: tuple[float, dict[str, Any] | None],
    folder: Path,
) -> Trial:
    """Returns what one trial left; one whose training or score is not finite has a reason and no score."""
    rate, architecture = chosen
    failed = Trial(
        learning_rate=rate, architecture=architecture, parameters=None, validation=None, reason=None
    )
    try:
        value, parameters = trial(spec, needs, view, architecture, rate, folder)
    except FloatingPointError as error:
        return replace(failed, reason=str(error))
    if not math.isfinite(value):
        return replace(failed, parameters=parameters, reason="The score is not finite.")
    return replace(failed, parameters=parameters, validation=value)


def _kept(path: Path, unit: AnyUnit) -> list[Trial]:
    """Returns the trials of a run that was killed, before the first line that is not as it was written."""
    text = path.read_bytes() if path.exists() else b""
    kept: list[Trial] = []
    for line in text.split(b"\n"):
        trial = _trial(line)
        if trial is None or line != _line(unit, trial).encode():
            break
        kept.append(trial)
    whole = "".join(f"{_line(unit, trial)}\n" for trial in kept).encode()
    if whole != text:
        write_atomically(path, whole)
    return kept


def _trial(line: bytes) -> Trial | None:
    try:
        return Trial.from_json(json.loads(line)[0])
    except (ValueError, TypeError, LookupError, RecursionError, DamagedError):
        return None


def _line(unit: AnyUnit, trial: Trial) -> str:
    """Returns a trial as it is kept, with a checksum that covers whose it is."""
    told = trial.to_json()
    return canonical_json([told, content_hash([unit.own, told])])


def _append(path: Path, unit: AnyUnit, tried: Trial) -> None:
    try:
        with path.open("ab") as file:
            file.write(f"{_line(unit, tried)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise HarnessError(
            f"Cannot write {path}: {error.strerror}; free space or choose another --out."
        ) from error
