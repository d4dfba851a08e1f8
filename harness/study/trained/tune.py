"""Trials that tune a fixed baseline: each trains its network alone and is scored on source validation."""

import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness import catalog, seeds
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.files import Journal
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline
from harness.learn.peers import agree_on, peers
from harness.run.place import Done, Needs
from harness.study.trained.final import trial
from harness.study.work.alone import delete_checkpoints
from harness.task.task import higher_is_better

OCTAVES = 2.0
"""How far a trial's learning rate is from the suite's at most, in doublings."""


def tune(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Trains every trial that the folder does not hold yet, and chooses the best on source validation."""
    view = needs.view(unit)
    drawn = list(_drawn(unit.spec))
    journal = Journal(folder / "trials.jsonl", unit.own, ("trial",))
    trials = [entry["trial"] for entry in journal.entries]
    joined = peers()
    if joined.size > 1:
        agree_on(len(trials))
    if not joined.rank:
        journal.settle()
    for rate, architecture in drawn[len(trials) :]:
        tried = _tried(unit, needs, view, (rate, architecture), folder)
        if not joined.rank:
            journal.append(trial=tried)
        trials.append(tried)
    delete_checkpoints(folder, [rate for rate, _ in drawn])
    scored = [one for one in trials if one["validation"] is not None]
    if not scored:
        method, reason = unit.spec["method"], trials[0]["reason"]
        raise HarnessError(f"None of the {len(trials)} trials of {method} has a score; the first: {reason}")
    sign = 1 if higher_is_better(view.metric) else -1
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
