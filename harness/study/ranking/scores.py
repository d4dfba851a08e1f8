"""Scores of the same architectures twice: as slices of a shared network, and trained alone."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from harness import seeds
from harness.data.view import SourceView
from harness.identity.unit import Unit
from harness.learn.fit import seeded
from harness.learn.predictors import predictor
from harness.run.place import Done, Needs
from harness.space.choices import Architecture, SearchSpace
from harness.study.work.alone import delete_checkpoints, mean_score, recipe_of, train_alone
from harness.study.work.matched import matched_space
from harness.study.work.slices import load_supernet, slices
from harness.task.task import higher_is_better


def inherited(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Scores every drawn architecture as a slice of the supernet, on source validation."""
    spec = unit.spec
    view, space, architectures = _drawn(unit, needs)
    splits = view.splits("validation", samples=spec["validation_samples"])
    slice_of = slices(spec, view, space, load_supernet(needs, space))
    scores = [mean_score(predictor(*slice_of(one)), splits, view, spec) for one in architectures]
    result = {
        "scores": [_gain(score, view) for score in scores],
        "parameters": [space.parameters(one) for one in architectures],
        "macs": [space.macs(one) for one in architectures],
        "architectures": [space.to_json(one) for one in architectures],
    }
    return Done(result=result)


def scratch(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Trains one drawn architecture alone, at the learning rate that source validation prefers."""
    spec = unit.spec
    view, space, architectures = _drawn(unit, needs)
    architecture = architectures[spec["index"]]
    rates = {
        rate: _trained(unit, needs, view, partial(space.networks.build, architecture), rate, folder)
        for rate in spec["learning_rates"]
    }
    delete_checkpoints(folder, spec["learning_rates"])
    chosen = max(rates, key=lambda rate: (rates[rate], -rate))
    result = {
        "architecture": space.to_json(architecture),
        "score": rates[chosen],
        "learning_rate": chosen,
        "parameters": space.parameters(architecture),
    }
    return Done(result=result)


def _drawn(unit: Unit, needs: Needs) -> tuple[SourceView, SearchSpace, list[Architecture]]:
    """Returns the view, the space and the architectures, which are the same for every unit of a suite."""
    view = needs.view(unit)
    space = matched_space(unit.spec, view.signature)
    draw = random.Random(seeds.stream(0, "quality", space.name))
    found: dict[Architecture, None] = {}
    for _ in range(100 * unit.spec["architectures"]):
        if len(found) == unit.spec["architectures"]:
            break
        found.setdefault(space.sample(draw))
    return view, space, list(found)


def _trained(
    unit: Unit,
    needs: Needs,
    view: SourceView,
    build: Callable[[], nn.Module],
    rate: float,
    folder: Path,
) -> float:
    spec = unit.spec
    with seeded(seeds.stream(spec["seed"], "scratch", "weights")):
        module = build().to(needs.place.device)
        order = seeds.generator(spec["seed"], "scratch", "batches")
        train_alone(module, view, recipe_of(spec, rate), order, folder)
    splits = view.splits("validation", samples=spec["validation_samples"])
    return _gain(mean_score(predictor(module, view.signature), splits, view, spec), view)


def _gain(score: float, view: SourceView) -> float:
    """Returns the score with its sign turned where lower is better."""
    return score if higher_is_better(view.metric) else -score
