"""Scores of the same architectures twice: as slices of a shared network, and trained alone."""

import random
from pathlib import Path

from torch import nn

from harness import seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.identity.unit import Unit
from harness.learn.baseline import Predictor
from harness.learn.predictors import predictor
from harness.run.place import Done, Needs
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.study.work.alone import delete_checkpoints, recipe_of, train_alone, validation_score
from harness.study.work.matched import matched_space
from harness.study.work.slices import load_supernet, slices
from harness.study.work.units import DrawnSpec, Inherited, InheritedSpec, Scratch, ScratchSpec


def inherited(unit: Unit[InheritedSpec, Inherited], needs: Needs, folder: Path) -> Done:
    """Scores every drawn architecture as a slice of the supernet, on source validation."""
    spec = unit.spec
    view, space, architectures = _drawn(spec, needs)
    slice_of = slices(spec.seed, view, space, load_supernet(needs, space))
    result = Inherited(
        scores=tuple(_gain(predictor(*slice_of(one)), view, spec) for one in architectures),
        parameters=tuple(space.parameters(one) for one in architectures),
        macs=tuple(space.macs(one) for one in architectures),
        architectures=tuple(space.to_json(one) for one in architectures),
    )
    return Done(result=result)


def scratch(unit: Unit[ScratchSpec, Scratch], needs: Needs, folder: Path) -> Done:
    """Trains one drawn architecture alone, at the learning rate that source validation prefers."""
    spec = unit.spec
    view, space, architectures = _drawn(spec, needs)
    architecture = architectures[spec.index]

    def build() -> nn.Module:
        return space.networks.build(architecture).to(needs.place.device)

    rates = {}
    for rate in spec.learning_rates:
        module = train_alone(build, view, recipe_of(spec, rate), spec.seed, "scratch", folder)
        rates[rate] = _gain(predictor(module, view.signature), view, spec)
    delete_checkpoints(folder, spec.learning_rates)
    chosen = max(rates, key=lambda rate: (rates[rate], -rate))
    result = Scratch(
        architecture=space.to_json(architecture),
        score=rates[chosen],
        learning_rate=chosen,
        parameters=space.parameters(architecture),
    )
    return Done(result=result)


def _drawn(spec: DrawnSpec, needs: Needs) -> tuple[SourceView, SearchSpace, list[Architecture]]:
    """Returns the view, the space and the architectures, which are the same for every unit of a suite."""
    view = needs.view(spec)
    space = matched_space(spec, view.signature)
    draw = random.Random(seeds.stream(0, "quality", space.name))
    found: dict[Architecture, None] = {}
    for _ in range(100 * spec.architectures):
        if len(found) == spec.architectures:
            break
        found.setdefault(space.sample(draw))
    return view, space, list(found)


def _gain(model: Predictor, view: SourceView, spec: DrawnSpec) -> float:
    """Returns the score on source validation, with its sign turned where lower is better."""
    return metric_of(view.metric).sign * validation_score(model, view, spec)
