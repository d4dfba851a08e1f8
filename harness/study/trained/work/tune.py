"""Trials that tune a fixed baseline: each trains its network alone and is scored on source validation."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness import catalog, seeds
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.files import Journal
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline
from harness.learn.modality import modality_of
from harness.learn.peers import agree_on, peers
from harness.nn.measure import measured_macs
from harness.run.place import Done, Needs
from harness.study.settings import Augmentation
from harness.study.trained.results import Trial, Tuned
from harness.study.trained.units import TuneSpec
from harness.study.trained.work.final import RowTraining
from harness.study.work.alone import delete_checkpoints
from harness.study.work.matched import parameter_target
from harness.study.work.spent import trainings_macs
from harness.task.signature import Signature

OCTAVES = 2.0
"""How far a trial's learning rate is from the suite's at most, in doublings."""
DECAYS = (0.0, 0.02, 0.05, 0.1, 0.2)
WARMUPS = (0.02, 0.05, 0.1, 0.2)
AUGMENTED: tuple[tuple[Augmentation, ...], ...] = ((), ("crop",), ("erase",), ("crop", "erase"))
"""What a trial adds to the augmentation of images."""


def tune(unit: Unit[TuneSpec, Tuned], needs: Needs, folder: Path) -> Done:
    """Trains every trial that the folder does not hold yet, and chooses the best on source validation."""
    spec = unit.spec
    view = needs.view(spec)
    drawn = list(_drawn(spec, view.signature))
    journal = Journal(folder / "trials.jsonl", unit.own, ("trial",))
    trials = [Trial.from_json(entry["trial"]) for entry in journal.entries]
    joined = peers()
    if joined.size > 1:
        agree_on(len(trials))
    if not joined.rank:
        journal.settle()
    for one in drawn[len(trials) :]:
        changed = replace(spec, recipe=one.recipe)
        tried = _tried(RowTraining(changed, one.architecture, spec.seed, needs, view, folder), one)
        if not joined.rank:
            journal.append(trial=tried.to_json())
        trials.append(tried)
    delete_checkpoints(folder, [one.learning_rate for one in drawn])
    sign = metric_of(view.metric).sign
    scored = [(sign * one.validation, one) for one in trials if one.validation is not None]
    if not scored:
        raise HarnessError(
            f"None of the {len(trials)} trials of {spec.method} has a score; the first: {trials[0].reason}"
        )
    _, best = max(scored, key=lambda pair: pair[0])
    result = Tuned(
        learning_rate=best.learning_rate,
        recipe=best.recipe,
        architecture=best.architecture,
        parameters=best.parameters,
        validation=best.validation,
        evaluations=len(trials),
        trials=tuple(trials),
        compute=round(sum(trainings_macs(spec, 1, one.macs or 0) for one in trials)),
    )
    return Done(result=result)


def _drawn(spec: TuneSpec, signature: Signature) -> Iterator[Trial]:
    """Yields what each trial tries, the first ones the plain baseline by the suite's recipe, at each rate.

    The others' rates are log-uniform around the middle one of the suite's, their recipes the same for all
    baselines of a seed, and their shapes what the family draws for the same parameters.
    """
    baseline: FixedBaseline = catalog.load("baseline", spec.method)
    target = parameter_target(spec.tuned_space, signature) if baseline.is_matched else 0
    rates = sorted(spec.learning_rates)
    plain = Trial(
        learning_rate=rates[len(rates) // 2],
        recipe=spec.recipe,
        architecture=None,
        parameters=None,
        macs=None,
        validation=None,
        reason=None,
    )
    yield from (replace(plain, learning_rate=rate) for rate in spec.learning_rates[: spec.evaluations])
    is_image = modality_of(signature.kind).form == "image"
    for index in range(len(rates), spec.evaluations):
        draw = random.Random(seeds.stream(spec.seed, "tune", index))
        rate = plain.learning_rate * 2.0 ** draw.uniform(-OCTAVES, OCTAVES)
        added = draw.choice(AUGMENTED) if is_image else ()
        recipe = replace(
            spec.recipe,
            weight_decay=draw.choice(DECAYS),
            warmup=draw.choice(WARMUPS),
            augmentation=tuple(dict.fromkeys([*spec.recipe.augmentation, *added])),
        )
        shape = baseline.vary(draw, signature, target) if baseline.vary else None
        yield replace(plain, learning_rate=rate, recipe=recipe, architecture=shape or None)


def _tried(training: RowTraining, one: Trial) -> Trial:
    """Returns what one trial left; one whose training or score is not finite has a reason and no score."""
    try:
        module, value = training.at(one.learning_rate)
    except FloatingPointError as error:
        return replace(one, reason=str(error))
    parameters = sum(weight.numel() for weight in module.parameters())
    one = replace(one, parameters=parameters, macs=measured_macs(module, training.view.signature))
    if not math.isfinite(value):
        return replace(one, reason="The score is not finite.")
    return replace(one, validation=value)
