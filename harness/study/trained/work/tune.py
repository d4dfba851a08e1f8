"""Trials that tune a fixed baseline: each trains its network alone and is scored on source validation."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import catalog, seeds
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.files import Journal
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline
from harness.learn.peers import agree_on, peers
from harness.run.place import Done, Needs
from harness.study.trained.results import Trial, Tuned
from harness.study.trained.units import TuneSpec
from harness.study.trained.work.final import RowTraining
from harness.study.work.alone import delete_checkpoints

OCTAVES = 2.0
"""How far a trial's learning rate is from the suite's at most, in doublings."""


def tune(unit: Unit[TuneSpec, Tuned], needs: Needs, folder: Path) -> Done:
    """Trains every trial that the folder does not hold yet, and chooses the best on source validation."""
    spec = unit.spec
    view = needs.view(spec.task, spec.sources)
    drawn = list(_drawn(spec))
    journal = Journal(folder / "trials.jsonl", unit.own, ("trial",))
    trials = [Trial.from_json(entry["trial"]) for entry in journal.entries]
    joined = peers()
    if joined.size > 1:
        agree_on(len(trials))
    if not joined.rank:
        journal.settle()
    for rate, architecture in drawn[len(trials) :]:
        tried = _tried(RowTraining(spec, architecture, spec.seed, needs, view, folder), rate)
        if not joined.rank:
            journal.append(trial=tried.to_json())
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


def _tried(training: RowTraining, rate: float) -> Trial:
    """Returns what one trial left; one whose training or score is not finite has a reason and no score."""
    failed = Trial(
        learning_rate=rate, architecture=training.architecture, parameters=None, validation=None, reason=None
    )
    try:
        module, value = training.at(rate)
    except FloatingPointError as error:
        return replace(failed, reason=str(error))
    parameters = sum(weight.numel() for weight in module.parameters())
    if not math.isfinite(value):
        return replace(failed, parameters=parameters, reason="The score is not finite.")
    return replace(failed, parameters=parameters, validation=value)
