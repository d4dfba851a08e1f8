"""The units of a suite that trains, all but shared networks: domains, finals and scores."""

import io
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from harness import seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline, FloorBaseline, ReadyBaseline
from harness.learn.fit import seeded
from harness.learn.predictors import predictor
from harness.nn.measure import measured_macs
from harness.nn.pretrained import Frozen, fit_head
from harness.run.place import Done, Needs
from harness.study.settings import RecipeSettings
from harness.study.trained.results import Final, Tuned
from harness.study.trained.units import FINAL, SEARCH, TUNE, FinalSpec, TuneSpec
from harness.study.trained.work.score import FLOOR, baseline_of, module_of, opened, opening_of
from harness.study.work.alone import (
    WEIGHTS,
    delete_checkpoints,
    recipe_of,
    save_weights,
    train_alone,
    validation_score,
    weights_at,
)
from harness.study.work.matched import matched_space
from harness.study.work.spent import trainings_macs
from harness.task.selection import CROSS_VALIDATION, ORACLE

NOT_TRAINED = Final(
    architecture=None, parameters=0, macs=0, learning_rate=None, steps=0, compute=0, validation=None, rates={}
)
"""What a final says of a model that no step of this run trained."""
Architecture = Mapping[str, Any] | None


def final(unit: Unit[FinalSpec, Final], needs: Needs, folder: Path) -> Done:
    """Trains one row's network from scratch, or fits a floor."""
    spec = unit.spec
    view = needs.view(spec)
    if spec.selection == ORACLE:  # every score chooses for itself among what the other final kept
        return Done(result=replace(needs.result(FINAL), learning_rate=None, validation=None))
    baseline = baseline_of(spec)
    if isinstance(baseline, FloorBaseline):
        return _final_floor(baseline, spec, view, folder)
    if isinstance(baseline, ReadyBaseline):
        opened(spec.method, view.signature, opening_of(needs))  # fails here, once, where it cannot be
        return Done(result=replace(NOT_TRAINED, outside=baseline.outside))
    if isinstance(baseline, FixedBaseline) and baseline.is_frozen:
        return _final_frozen(RowTraining(spec, None, spec.report_seed, needs, view, folder))
    training = RowTraining(*_chosen(spec, needs), spec.report_seed, needs, view, folder)
    found = _cross_validated(training) if spec.selection == CROSS_VALIDATION else _best_of(training, spec)
    save_weights(found.module, folder / WEIGHTS)
    for place in (folder, *(folder / f"without-{left}" for left in view.sources)):
        delete_checkpoints(place, training.rates)
    about = replace(_about(found.module, training), learning_rate=found.rate, rates=found.rates)
    return Done(result=replace(about, validation=found.validation))


def _chosen(spec: FinalSpec, needs: Needs) -> tuple[FinalSpec, Architecture]:
    """Returns a final with the recipe that it trains by, and the architecture that was chosen or drawn."""
    if needs.find(SEARCH) is not None:
        return spec, needs.result(SEARCH).architecture
    if spec.space:
        space = matched_space(spec, needs.view(spec).signature)
        drawn = space.sample(random.Random(seeds.stream(spec.select_seed, "drawn", spec.space)))
        return spec, space.to_json(drawn)
    if needs.find(TUNE) is None:
        return spec, None
    tuned = needs.result(TUNE)
    chosen = replace(spec, learning_rates=(tuned.learning_rate,), recipe=_recipe_of(spec, tuned))
    return chosen, tuned.architecture


def _recipe_of(spec: FinalSpec, tuned: Tuned) -> RecipeSettings:
    """Returns the recipe of the best trial, with what a control adds to it."""
    added = spec.recipe.augmentation if spec.variant == "augmented" else ()
    return replace(tuned.recipe, augmentation=tuple(dict.fromkeys([*tuned.recipe.augmentation, *added])))


@dataclass(frozen=True)
class RowTraining:
    """How the network of a row is trained alone, at any rate; it begins with random weights or its own."""

    spec: FinalSpec | TuneSpec
    architecture: Architecture
    seed: int
    needs: Needs
    view: SourceView
    folder: Path

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rates that a final tries."""
        assert isinstance(self.spec, FinalSpec)
        assert self.spec.learning_rates is not None
        return self.spec.learning_rates

    def begun(self) -> nn.Module:
        """Returns the network before any training."""
        module = module_of(self.spec, self.view, self.architecture)
        baseline = baseline_of(self.spec)
        if isinstance(baseline, FixedBaseline) and baseline.load is not None:
            baseline.load(module, opening_of(self.needs))
        return module.to(self.needs.place.device)

    def at(
        self, rate: float, *, scored_on: SourceView | None = None, until: int | None = None
    ) -> tuple[nn.Module, float]:
        """Returns the network after training at a rate, or to a step, and its metric on source validation."""
        recipe = recipe_of(self.spec, rate)
        module = train_alone(self.begun, self.view, recipe, self.seed, "final", self.folder, until=until)
        model = predictor(module, self.view.signature)
        return module, validation_score(model, scored_on or self.view, self.spec)


class _Found(NamedTuple):
    module: nn.Module
    rate: float
    rates: dict[str, float]
    validation: float


def _best_of(training: RowTraining, spec: FinalSpec) -> _Found:
    """Trains at every rate and takes what does best on source validation."""
    sign = metric_of(training.view.metric).sign
    rates: dict[str, float] = {}
    best: _Found | None = None
    for rate in training.rates:
        module, value = training.at(rate)
        rates[repr(rate)] = value
        if spec.keeps_every_rate:
            save_weights(module, training.folder / weights_at(rate))
        if best is None or sign * value > sign * best.validation:
            best = _Found(module, rate, rates, value)
    assert best is not None
    return best


def _cross_validated(training: RowTraining) -> _Found:
    """Trains at the rate whose models did best, on average, on a source that they had not seen."""
    view, every = training.view, training.rates
    rates: dict[str, float] = {}
    for rate in every if len(every) > 1 else ():
        values = []
        for left in view.sources:
            rest = view.only(*(one for one in view.sources if one != left))
            without = replace(training, view=rest, folder=training.folder / f"without-{left}")
            values.append(without.at(rate, scored_on=view.only(left))[1])
        rates[repr(rate)] = float(np.mean(values))
    sign = metric_of(view.metric).sign
    chosen = max(every, key=lambda rate: sign * rates.get(repr(rate), 0.0))
    module, validation = training.at(chosen)
    return _Found(module, chosen, rates, validation)


def _about(module: nn.Module, training: RowTraining) -> Final:
    """Returns what a network is and costs, whichever rate trained it, and what it was trained on before."""
    spec, view, architecture = training.spec, training.view, training.architecture
    assert isinstance(spec, FinalSpec)
    baseline = baseline_of(spec)
    if spec.space and architecture is not None:
        space = matched_space(spec, view.signature)
        macs = space.macs(space.from_json(architecture))
    else:
        macs = measured_macs(module, view.signature)
    return replace(
        NOT_TRAINED,
        architecture=architecture,
        parameters=sum(weight.numel() for weight in module.parameters()),
        macs=macs,
        steps=spec.steps or 0,
        compute=round(trainings_macs(spec, spec.trainings, macs)) if spec.trainings else 0,
        outside=baseline.outside if isinstance(baseline, FixedBaseline) else None,
    )


def _final_floor(baseline: FloorBaseline, spec: FinalSpec, view: SourceView, folder: Path) -> Done:
    floor = baseline.fit(view.signature, view.splits("train"))
    state = floor.state()
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **state)
    write_atomically(folder / FLOOR, sink.getvalue())
    model = baseline.restore(view.signature, state)
    return Done(result=replace(NOT_TRAINED, validation=validation_score(model, view, spec)))


def _final_frozen(training: RowTraining) -> Done:
    """Fits a head to frozen features, at every strength of its penalty; source validation chooses one."""
    spec, view, metric = training.spec, training.view, metric_of(training.view.metric)
    with seeded(seeds.stream(training.seed, "final", "weights")):
        module = training.begun().eval()
    if not isinstance(module, Frozen):
        raise HarnessError(f"Baseline {spec.method!r} has no frozen features to fit a head to.")
    values = fit_head(
        module,
        view.splits("train"),
        lambda: validation_score(predictor(module, view.signature), view, spec),
        higher_is_better=metric.higher_is_better,
    )
    save_weights(module, training.folder / WEIGHTS)
    best = max if metric.higher_is_better else min
    return Done(result=replace(_about(module, training), strengths=values, validation=best(values.values())))
