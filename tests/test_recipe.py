"""Recipes and what they do to images. Truth: closed forms of schedules and losses, properties of pixels."""

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import get_args

import filled
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from working import plan_of, units

from harness.identity.unit import AnyUnit
from harness.learn.augment import STEPS
from harness.learn.batches import batches
from harness.learn.fit import Recipe, _optimizer, _schedule, cross_entropy, fit, seeded
from harness.learn.move import SCALE, SHIFT, moved
from harness.learn.move import changed as changed_images
from harness.study.settings import Augmentation, Optimizer, Schedule
from harness.study.work.alone import recipe_of
from harness.task.signature import Signature

PLAIN = Recipe(steps=100, batch_size=4, learning_rate=0.1)


def changed(**values: object) -> Recipe:
    return replace(PLAIN, **values)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (PLAIN, {0: 0.2, 4: 1.0, 5: 1.0, 52: 0.5 * (1 + math.cos(math.pi * 47 / 95))}),
        (changed(schedule="linear", warmup=0.0), {0: 1.0, 25: 0.75, 99: 0.01}),
        (changed(schedule="linear", warmup=0.2), {9: 0.5, 19: 1.0, 60: 0.5}),
        (changed(warmup=0.0), {0: 1.0, 50: 0.5}),
    ],
)
def test_the_rate_rises_and_falls_as_the_recipe_says(recipe: Recipe, expected: dict[int, float]) -> None:
    for step, share in expected.items():
        assert _schedule(step, recipe) == pytest.approx(share)


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.positions = nn.Parameter(torch.ones(1, 4, 2))


def decays(recipe: Recipe) -> dict[str, float]:
    module = Named()
    names = {id(weight): name for name, weight in module.named_parameters()}
    groups = _optimizer(module, recipe).param_groups
    return {names[id(weight)]: group["weight_decay"] for group in groups for weight in group["params"]}


def test_vectors_and_named_weights_do_not_decay() -> None:
    assert decays(PLAIN) == {"layer.weight": 0.05, "layer.bias": 0.0, "positions": 0.05}
    assert decays(changed(no_decay=("posit",), weight_decay=0.1)) == {
        "layer.weight": 0.1,
        "layer.bias": 0.0,
        "positions": 0.0,
    }


@pytest.mark.parametrize("kind", ["sgd", "nesterov"])
def test_momentum_follows_its_closed_form(kind: str) -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 1.0)
    recipe = changed(optimizer=kind, schedule="linear", warmup=0.0, steps=2, weight_decay=0.0, clip=0.0)
    batch = (torch.ones(4, 1), torch.ones(4))
    fit(module, recipe, iter([batch] * 2), lambda one, step: 3.0 * module(one[0]).mean())
    velocity, weight = 0.0, 1.0
    for rate in (0.1, 0.05):
        velocity = 0.9 * velocity + 3.0
        weight -= rate * (3.0 + 0.9 * velocity if kind == "nesterov" else velocity)
    assert float(module.weight.detach()) == pytest.approx(weight)


def test_gradients_are_clipped_only_where_the_recipe_says_so() -> None:
    moved = []
    for clip in (0.0, 1.0):
        module = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(module.weight)
        recipe = changed(optimizer="sgd", warmup=0.0, steps=1, clip=clip)
        batch = (torch.ones(4, 1), torch.ones(4))
        fit(module, recipe, iter([batch]), lambda one, step, module=module: 50 * module(one[0]).mean())
        moved.append(-float(module.weight.detach()))
    assert moved == pytest.approx([5.0, 0.1])


def test_label_smoothing_is_a_mixture_with_the_uniform_target() -> None:
    logits = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3, 0])
    uniform = -logits.log_softmax(-1).mean()
    expected = 0.9 * F.cross_entropy(logits, labels) + 0.1 * uniform
    torch.testing.assert_close(cross_entropy(logits, labels, 0.1), expected)
    torch.testing.assert_close(cross_entropy(logits, F.one_hot(labels, 4).float(), 0.1), expected)
    assert torch.equal(cross_entropy(logits, labels), F.cross_entropy(logits, labels))


def pictures(count: int = 8, side: int = 32, channels: int = 3) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, channels, side, side), generator=draw)
    return pixels.float() / 127.5 - 1


def done(steps: list[str], images: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    with seeded(seed):
        return changed_images(images, torch.arange(len(images)) % 4, steps, 4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("step", get_args(Augmentation))
def test_every_step_changes_images_by_its_generator_alone(step: str, channels: int) -> None:
    images = pictures(channels=channels)
    first, again, other = done([step], images), done([step], images), done([step], images, seed=1)
    assert all(torch.equal(one, same) for one, same in zip(first, again, strict=True))
    assert first[0].shape == images.shape
    assert first[0].dtype == torch.float32
    assert not torch.equal(first[0], other[0])


def test_no_step_leaves_images_to_the_bit() -> None:
    images = pictures()
    assert torch.equal(done([], images)[0], images)


def test_a_crop_shows_no_pixel_values_beyond_those_it_was_cut_from() -> None:
    dark = torch.full((4, 3, 32, 32), -0.5)
    cropped, _ = done(["crop"], dark)
    assert (cropped - dark).abs().max() < 1 / 127.5


def test_a_moved_image_is_shifted_and_scaled_within_its_bounds_and_filled_from_its_border() -> None:
    images = torch.full((400, 1, 41, 41), -1.0)
    images[:, :, 16:25, 16:25] = 1.0
    with seeded(0):
        seen = moved(images)
    ink = (seen > 0).float().squeeze(1)
    places = torch.arange(41.0)
    mass = ink.sum((1, 2))
    middles = torch.stack([(ink.sum(1) * places).sum(1), (ink.sum(2) * places).sum(1)]) / mass - 20
    assert 3.5 < middles.abs().max() <= 41 * SHIFT * (1 + SCALE) + 0.5
    assert middles.mean(1).abs().max() < 0.3, "to all sides alike"
    sides = mass.sqrt()
    assert 9 / (1 + SCALE) - 1.1 < sides.min() < 8.5 < 9.7 < sides.max() < 9 / (1 - SCALE) + 1.1
    light = torch.full((4, 3, 8, 8), 0.3)
    torch.testing.assert_close(moved(light), light)


def test_mixed_targets_are_shares_of_the_two_classes_that_are_mixed() -> None:
    seen = set()
    for seed in range(12):
        images, targets = done(["mixup"], pictures(), seed)
        assert targets.shape == (8, 4)
        torch.testing.assert_close(targets.sum(-1), torch.ones(8))
        assert (targets > 0).sum(-1).max() <= 2
        untouched = (images == pictures()).float().mean()
        seen.add("cutmix" if untouched > 0.05 else "mixup")
    assert seen == {"cutmix", "mixup"}


def test_erasing_touches_a_rectangle_of_some_images() -> None:
    images = pictures(64)
    erased, _ = done(["erase"], images)
    touched = (erased != images).flatten(1).any(1)
    assert 6 <= int(touched.sum()) <= 28  # a quarter of 64


def whole(seed: int, augmentation: tuple[str, ...]) -> list[torch.Tensor]:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    split = filled.split(images=images, labels=np.arange(20) % 4)
    signature = Signature(kind="image", classes=4, height=8, width=8)
    torch.rand(seed + 1)  # what the rest of a training draws must not matter
    stream = batches(signature, [split], 6, np.random.default_rng(5), augmentation)
    return [tensor for batch in islice(stream, 3) for tensor in batch]


def test_augmented_batches_follow_the_stream_of_batches_alone() -> None:
    first = whole(0, ("crop", "mixup"))
    second = whole(1, ("crop", "mixup"))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    plain = whole(0, ())
    assert not torch.equal(plain[0], first[0])


def test_settings_know_the_names_of_the_engine() -> None:
    assert set(get_args(Augmentation)) == {"move", *STEPS, "erase", "mixup"}
    for kind in get_args(Optimizer):
        for schedule in get_args(Schedule):
            recipe = changed(optimizer=kind, schedule=schedule)
            assert _optimizer(nn.Linear(2, 2), recipe).param_groups[0]["lr"] == 0.1
            assert 0 < _schedule(50, recipe) < 1


SUITE = """
extends = "toy"
[[tasks]]
name = "toy_patterns"
[tasks.recipe]
%s
"""


def planned(folder: Path, text: str) -> list[AnyUnit]:
    return units(plan_of(SUITE % text, folder), "supernet", "final")


def test_a_recipe_reaches_supernets_and_finals(tmp_path: Path) -> None:
    for unit in planned(tmp_path, 'optimizer = "sgd"\nno_decay = ["norm"]\naugmentation = ["crop"]'):
        spec = unit.spec
        if getattr(spec, "method", None) != "floor":
            recipe = recipe_of(spec, 0.5)
            assert (recipe.optimizer, recipe.no_decay, recipe.augmentation) == ("sgd", ("norm",), ("crop",))
            assert recipe.schedule == "cosine"


def test_a_recipe_as_by_default_is_not_told(tmp_path: Path) -> None:
    assert all("recipe" not in unit.spec.to_json() for unit in planned(tmp_path, 'optimizer = "adamw"'))
