"""Trials that tune a fixed baseline: each trains its network alone and is scored on source validation."""

import json
import math
import os
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import catalog, seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.files import canonical_json, content_hash, write_atomically
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline
from harness.learn.peers import agree_on, peers
from harness.run.place import Done, Needs
from harness.study.trained.final import trial
from harness.study.work.alone import delete_checkpoints

OCTAVES = 2.0
"""How far a trial's learning rate is from the suite's at most, in doublings."""


def tune(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Trains every trial that the folder does not hold yet, and chooses the best on source validation."""
    view = needs.view(unit)
    drawn = list(_drawn(unit.spec))
    path = folder / "trials.jsonl"
    trials = _kept(path, unit)
    joined = peers()
    if joined.size > 1:
        agree_on(len(trials))
    for rate, architecture in drawn[len(trials) :]:
        tried = _tried(unit, needs, view, (rate, architecture), folder)
        if not joined.rank:
            _append(path, unit, tried)
        trials.append(tried)
    delete_checkpoints(folder, [rate for rate, _ in drawn])
    scored = [one for one in trials if one["validation"] is not None]
    if not scored:
        method, reason = unit.spec["method"], trials[0]["reason"]
        raise HarnessError(f"None of the {len(trials)} trials of {method} has a score; the first: {reason}")
    sign = metric_of(view.metric).sign
    best = max(scored, key=lambda one: sign * one["validation"])
    chosen = {key: best[key] for key in ("learning_rate", "architecture", "parameters", "validation")}
    return Done(result={**chosen, "evaluations": len(trials), "trials": trials})


def _drawn(spec: Mapping[str, Any]) -> Iterator[tuple[float, dict[str, Any] | None]]:
    """Yields learning rate and architecture of each trial, the first one's the plain baseline's (None).

    The others' rates are log-uniform around the suite's, the same for all baselines of a seed, and their
    depths uniform among those that the family has.
    """
    baseline: FixedBaseline = catalog.load("baseline", spec["method"])
    depths = sorted(baseline.depths)
    rate: float = spec["learning_rate"]
    yield rate, None
    for index in range(1, spec["evaluations"]):
        draw = random.Random(seeds.stream(spec["seed"], "tune", index))
        tried = rate * 2.0 ** draw.uniform(-OCTAVES, OCTAVES)
        yield tried, {"depth": draw.choice(depths)} if depths else None


def _tried(
    unit: Unit,
    needs: Needs,
    view: SourceView,
    chosen: tuple[float, dict[str, Any] | None],
    folder: Path,
) -> dict[str, Any]:
    """Returns what one trial left; one whose training or score is not finite has a reason and no score."""
    rate, architecture = chosen
    told: dict[str, Any] = {"learning_rate": rate, "architecture": architecture}
    try:
        value, parameters = trial(unit, needs, view, architecture, rate, folder)
    except FloatingPointError as error:
        return {**told, "parameters": None, "validation": None, "reason": str(error)}
    if not math.isfinite(value):
        return {**told, "parameters": parameters, "validation": None, "reason": "The score is not finite."}
    return {**told, "parameters": parameters, "validation": value, "reason": None}


def _kept(path: Path, unit: Unit) -> list[dict[str, Any]]:
    """Returns the trials of a run that was killed, before the first line that is not as it was written."""
    text = path.read_bytes() if path.exists() else b""
    kept: list[dict[str, Any]] = []
    for line in text.split(b"\n"):
        trial = _trial(line)
        if line != _line(unit, trial).encode():
            break
        kept.append(trial)
    whole = "".join(f"{_line(unit, trial)}\n" for trial in kept).encode()
    if whole != text:
        write_atomically(path, whole)
    return kept


def _trial(line: bytes) -> Any:
    try:
        return json.loads(line)[0]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


def _line(unit: Unit, trial: Mapping[str, Any]) -> str:
    """Returns a trial as it is kept, with a checksum that covers whose it is."""
    return canonical_json([trial, content_hash([unit.own, trial])])


def _append(path: Path, unit: Unit, tried: Mapping[str, Any]) -> None:
    try:
        with path.open("ab") as file:
            file.write(f"{_line(unit, tried)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise HarnessError(
            f"Cannot write {path}: {error.strerror}; free space or choose another --out."
        ) from error
