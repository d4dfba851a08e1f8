"""Trials that tune a fixed baseline: each trains its network alone and is scored on source validation.

They are whole trainings, or share the steps of as many by successive halving.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from shutil import rmtree

from harness import catalog, seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.files import Journal
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline
from harness.learn.modality import modality_of
from harness.learn.peers import agree_on, peers
from harness.nn.measure import measured_macs
from harness.run.place import Done, Needs
from harness.search.halving import Halving, rungs_of
from harness.study.settings import Augmentation
from harness.study.trained.results import Trial, Tuned
from harness.study.trained.units import TuneSpec
from harness.study.trained.work.final import RowTraining
from harness.study.work.alone import delete_checkpoints
from harness.study.work.matched import matched_size
from harness.study.work.spent import trainings_macs
from harness.task.signature import Signature

OCTAVES = 2.0
"""How far a trial's learning rate is from the suite's at most, in doublings."""
DECAYS = (0.0, 0.02, 0.05, 0.1, 0.2)
WARMUPS = (0.02, 0.05, 0.1, 0.2)
AUGMENTED: tuple[tuple[Augmentation, ...], ...] = ((), ("crop",), ("erase",), ("crop", "erase"))
"""What a trial adds to the augmentation of images."""


def tune(unit: Unit[TuneSpec, Tuned], needs: Needs, folder: Path) -> Done:
    """Makes every trial that the folder does not hold yet, and chooses the best on source validation."""
    spec = unit.spec
    view = needs.view(spec)
    sign = metric_of(view.metric).sign
    jobs = _Jobs(unit, needs, view, folder)
    trials, compute = _halved(jobs, sign) if spec.strategy else _whole(jobs)
    reached = max(one.steps or 0 for one in trials)
    scored = [
        (sign * one.validation, one)
        for one in trials
        if one.validation is not None and (one.steps or 0) == reached
    ]
    if not scored:
        raise HarnessError(
            f"None of the {len(trials)} trials of {spec.method} has a score; the first: {trials[0].reason}"
        )
    _, best = max(scored, key=lambda pair: pair[0])
    assert best.validation is not None
    result = Tuned(
        learning_rate=best.learning_rate,
        recipe=best.recipe,
        architecture=best.architecture,
        parameters=best.parameters,
        validation=best.validation,
        evaluations=len(trials),
        trials=tuple(trials),
        compute=round(compute),
    )
    return Done(result=result)


class _Jobs:
    """Trials, each made once and kept in a journal, in one order."""

    def __init__(self, unit: Unit[TuneSpec, Tuned], needs: Needs, view: SourceView, folder: Path) -> None:
        self.spec, self.needs, self.view, self.folder = unit.spec, needs, view, folder
        self.journal = Journal(folder / "trials.jsonl", unit.own, ("trial",))
        self.kept = [Trial.from_json(entry["trial"]) for entry in self.journal.entries]
        self.count = 0
        self.is_first = not peers().rank
        if peers().size > 1:
            agree_on(len(self.kept))
        if self.is_first:
            self.journal.settle()

    def done(self, one: Trial, folder: Path) -> Trial:
        """Returns what the next job left, which trains in a folder; one that was done before stays."""
        self.count += 1
        if self.count <= len(self.kept):
            return self.kept[self.count - 1]
        changed = replace(self.spec, recipe=one.recipe)
        tried = _tried(
            RowTraining(changed, one.architecture, self.spec.seed, self.needs, self.view, folder), one
        )
        if self.is_first:
            self.journal.append(trial=tried.to_json())
        return tried


def _whole(jobs: _Jobs) -> tuple[list[Trial], float]:
    """Returns all trials, each trained whole, and what they cost in multiply-accumulates."""
    spec = jobs.spec
    drawn = list(islice(_drawn(spec, jobs.view.signature), spec.evaluations))
    trials = [jobs.done(one, jobs.folder) for one in drawn]
    delete_checkpoints(jobs.folder, [one.learning_rate for one in drawn])
    return trials, sum(trainings_macs(spec, 1, one.macs or 0) for one in trials)


def _halved(jobs: _Jobs, sign: int) -> tuple[list[Trial], float]:
    """Returns each trial as far as it came within the steps of so many whole trainings, and their cost.

    A promoted trial goes on from its checkpoint. The last job is the last that the steps are enough for.
    """
    spec = jobs.spec
    assert spec.steps is not None
    rungs = rungs_of(spec.steps)
    halving, source = Halving(len(rungs)), _drawn(spec, jobs.view.signature)
    drawn: list[Trial] = []
    trials: list[Trial] = []
    left, compute = spec.evaluations * spec.steps, 0.0
    while True:
        job = halving.next()
        steps = rungs[job.rung] - (rungs[job.rung - 1] if job.rung else 0)
        if steps > left:
            break
        if job.trial == len(drawn):
            drawn.append(next(source))
            trials.append(drawn[-1])
        one = replace(drawn[job.trial], steps=rungs[job.rung])
        tried = jobs.done(one, jobs.folder / f"trial-{job.trial}")
        trials[job.trial] = tried
        halving.tell(job, -math.inf if tried.validation is None else sign * tried.validation)
        left -= steps
        compute += trainings_macs(replace(spec, steps=steps), 1, tried.macs or 0)
    if jobs.is_first:
        for index in range(len(drawn)):
            rmtree(jobs.folder / f"trial-{index}", ignore_errors=True)
    return trials, compute


def _drawn(spec: TuneSpec, signature: Signature) -> Iterator[Trial]:
    """Yields what each trial tries, the first ones the plain baseline by the suite's recipe, at each rate.

    The others' rates are log-uniform around the middle one of the suite's, their recipes the same for all
    baselines of a seed, and their shapes what the family draws for the same parameters.
    """
    baseline: FixedBaseline = catalog.load("baseline", spec.method)
    target = matched_size(baseline, spec.tuned_space, signature)
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
    yield from (replace(plain, learning_rate=rate) for rate in spec.learning_rates)
    is_image = modality_of(signature.kind).form == "image"
    for index in count(len(rates)):
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
        module, value = training.at(one.learning_rate, until=one.steps)
    except FloatingPointError as error:
        return replace(one, reason=str(error))
    parameters = sum(weight.numel() for weight in module.parameters())
    one = replace(one, parameters=parameters, macs=measured_macs(module, training.view.signature))
    if not math.isfinite(value):
        return replace(one, reason="The score is not finite.")
    return replace(one, validation=value)
