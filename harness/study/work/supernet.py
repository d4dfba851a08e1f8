"""Networks whose weights the architectures of a space share: trained on the sources, or read as released."""

import random
from pathlib import Path

from torch import nn

from harness import seeds
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.files import file_hash
from harness.identity.unit import Unit
from harness.learn.batches import batches
from harness.learn.fit import seeded
from harness.learn.supernet import train_supernet
from harness.nn.released import read_released
from harness.run.place import Done, Needs
from harness.space.choices import SearchSpace
from harness.study.work.alone import WEIGHTS, checkpoint_of, recipe_of, save_weights
from harness.study.work.matched import matched_space
from harness.study.work.spent import mean_macs, step_macs
from harness.study.work.units import Released, Supernet, SupernetSpec


def supernet(unit: Unit[SupernetSpec, Supernet], needs: Needs, folder: Path) -> Done:
    """Trains the weight-sharing network of a space on source domains, or reads a released one."""
    spec = unit.spec
    view = needs.view(spec)
    space = matched_space(spec, view.signature)
    with seeded(seeds.stream(spec.seed, "supernet", "weights")):
        module = space.networks.supernet().to(needs.place.device)
        released = _released(spec, space, module) if spec.checkpoint else None
        steps = 0 if released else _trained_supernet(spec, view, space, module, folder)
    save_weights(module, folder / WEIGHTS)
    checkpoint_of(folder).delete()
    result = Supernet(
        parameters=sum(weight.numel() for weight in module.parameters()),
        space_size=space.size(),
        window=tuple(space.window or ()),
        steps=steps,
        compute=None if released else _compute(spec, space),
        checkpoint=released,
    )
    return Done(result=result)


def _trained_supernet(
    spec: SupernetSpec, view: SourceView, space: SearchSpace, module: nn.Module, folder: Path
) -> int:
    """Trains the network, and returns the steps that it took."""
    assert spec.learning_rate is not None
    assert spec.strategy is not None
    recipe = recipe_of(spec, spec.learning_rate)
    order = seeds.generator(spec.seed, "supernet", "batches")
    data = batches(view.signature, view.splits("train"), recipe.batch_size, order, recipe.augmentation)
    draw = random.Random(seeds.stream(spec.seed, "supernet", "paths"))
    train_supernet(module, space, spec.strategy, recipe, data, draw, checkpoint_of(folder, order))
    return recipe.steps


def _compute(spec: SupernetSpec, space: SearchSpace) -> int:
    assert spec.batch_size is not None
    step = step_macs(spec.strategy, space, mean_macs(space))
    return round(step * (spec.steps or 0) * spec.batch_size)


def _released(spec: SupernetSpec, space: SearchSpace, module: nn.Module) -> Released:
    path = Path(spec.checkpoint)
    found = file_hash(path)
    if found != spec.checkpoint_sha256:
        raise HarnessError(f"{path} has sha256 {found}, and the plan was made for {spec.checkpoint_sha256}.")
    return Released(format=space.networks.load_released(module, read_released(path)), sha256=found)
