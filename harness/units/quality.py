"""Scores of the same architectures twice: as slices of a shared network, and trained alone."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from harness import seeds
from harness.evaluate import predictor
from harness.plan import Unit
from harness.protocol import SourceView
from harness.space import Architecture, SearchSpace
from harness.task import higher_is_better
from harness.train import Recipe, batches, cross_entropy, fit, seeded
from harness.units.place import Done, Needs, matched_space
from harness.units.search import slices
from harness.units.trained import mean_score


def inherited(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Scores every drawn architecture as a slice of the supernet, on source validation."""
    spec = unit.spec
    view, space, architectures = _drawn(unit, needs)
    supernet = space.supernet()
    supernet.load_state_dict(load_file(needs.folder("supernet") / "weights.safetensors"))
    supernet.to(needs.place.device)
    splits = view.splits("validation", samples=spec["validation_samples"])
    slice_of = slices(spec["seed"], view, space, supernet)
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
    rates = {rate: _trained(spec, view, space, architecture, rate, needs) for rate in spec["learning_rates"]}
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
    space = matched_space(unit.spec["space"], view, unit.spec["parameter_tolerance"])
    draw = random.Random(seeds.stream(0, "quality", space.name))
    found: dict[Architecture, None] = {}
    for _ in range(100 * unit.spec["architectures"]):
        if len(found) == unit.spec["architectures"]:
            break
        found.setdefault(space.sample(draw))
    return view, space, list(found)


def _trained(
    spec: Mapping[str, Any],
    view: SourceView,
    space: SearchSpace,
    architecture: Architecture,
    rate: float,
    needs: Needs,
) -> float:
    recipe = Recipe(steps=spec["steps"], batch_size=spec["batch_size"], learning_rate=rate)
    with seeded(seeds.stream(spec["seed"], "scratch", "weights")):
        module = space.build(architecture).to(needs.place.device)
        order = seeds.generator(spec["seed"], "scratch", "batches")
        data = batches(view.signature, view.splits("train"), recipe.batch_size, order)
        fit(module, recipe, data, lambda batch, step: cross_entropy(module(batch[0]), batch[1]))
    splits = view.splits("validation", samples=spec["validation_samples"])
    return _gain(mean_score(predictor(module, view.signature), splits, view, spec), view)


def _gain(score: float, view: SourceView) -> float:
    """Returns the score with its sign turned where lower is better."""
    return score if higher_is_better(view.metric) else -score
