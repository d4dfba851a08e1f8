"""Strategies of weight sharing. Truth: counts of what each step trains, and gradients of the modules."""

import random
from collections import Counter

import pytest
import torch
from spaces import named
from torch import nn

from harness.errors import UnknownNameError
from harness.learn.fit import Recipe, cross_entropy, seeded
from harness.learn.supernet import (
    STRATEGIES,
    Fair,
    ProgressiveShrinking,
    Sandwich,
    calibrated,
    divergence,
    has_batch_norm,
    train_supernet,
)
from harness.nn.networks.mobilenet import MobileNet, sort_channels
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.study import settings
from harness.task.signature import Signature

IMAGE = Signature(kind="image", classes=4, height=8, width=8)
CELLS, HYBRID, MOBILE = (named(f"{name}:micro", IMAGE) for name in ("nasbench201", "hybrid", "mobilenet"))


def test_fairness_trains_every_option_of_every_choice_once_a_step() -> None:
    strategy = Fair(CELLS, 10, random.Random(0))
    for step in range(5):
        parts = strategy.parts(step, nn.Identity())
        for index in range(6):
            assert sorted(part.architecture[index] for part in parts) == [0, 1, 2, 3, 4]


def test_fairness_gives_options_of_short_choices_the_same_share() -> None:
    strategy = Fair(HYBRID, 10, random.Random(0))
    seen = [strategy.parts(step, nn.Identity()) for step in range(60)]
    widths = Counter(part.architecture[0] for parts in seen for part in parts)
    assert max(widths.values()) < 1.2 * min(widths.values())


def test_a_sandwich_is_the_largest_the_smallest_and_two_others() -> None:
    strategy = Sandwich(HYBRID, 10, random.Random(0))
    parts = strategy.parts(0, nn.Identity())
    sizes = [HYBRID.parameters(part.architecture) for part in parts]
    assert sizes[0] == max(sizes)
    assert sizes[1] == min(sizes)
    assert len(parts) == 4
    assert [part.target for part in parts] == ["labels", "first", "first", "first"]


def test_extremes_are_the_largest_and_the_smallest_of_all() -> None:
    space = named("hybrid:micro-attention", IMAGE)
    sizes = [space.parameters(one) for one in space.enumerate()]
    assert space.parameters(space.extreme(largest=True)) == max(sizes)
    assert space.parameters(space.extreme(largest=False)) == min(sizes)


def test_shrinking_opens_one_group_of_choices_after_another() -> None:
    with seeded(0):
        supernet = HYBRID.networks.supernet()
    groups = HYBRID.stages()
    strategy = ProgressiveShrinking(HYBRID, 100, random.Random(0))
    moved: list[set[int]] = []
    largest = HYBRID.extreme(largest=True)
    for step in range(100):
        (part,) = strategy.parts(step, supernet)
        if step % 20 == 0:
            moved.append(set())
        used = HYBRID.active(part.architecture)
        moved[-1] |= {
            index for index, gene in enumerate(part.architecture) if used[index] and gene != largest[index]
        }
    assert moved[0] == set()
    for stage in range(1, len(groups) + 1):
        allowed = {index for group in groups[:stage] for index in group}
        assert moved[stage] <= allowed
    assert moved[-1]


def test_what_the_optimizer_remembers_is_reordered_with_the_channels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Truth: the same training of the largest network without the sorting, sorted at its end."""

    def trained(*, sorts: bool) -> dict[str, torch.Tensor]:
        with seeded(0):
            module = MOBILE.networks.supernet()
        draw = torch.Generator().manual_seed(0)

        def data():
            while True:
                yield torch.randn(8, 1, 8, 8, generator=draw), torch.randint(0, 4, (8,), generator=draw)

        recipe = Recipe(steps=8, batch_size=8, learning_rate=1e-4)
        order = sort_channels if sorts else lambda supernet: []
        monkeypatch.setattr("harness.nn.networks.mobilenet.sort_channels", order)
        monkeypatch.setattr(MOBILE, "stages", lambda: [()], raising=False)  # the largest, sorted half-way
        with seeded(1):
            train_supernet(module, MOBILE, "progressive_shrinking", recipe, data(), random.Random(0))
        return module.state_dict()

    plain = trained(sorts=False)
    followed = trained(sorts=True)
    differs = [name for name, value in followed.items() if not torch.allclose(value, plain[name], atol=1e-6)]
    assert differs  # the channels did move
    left, right = MOBILE.networks.supernet(), MOBILE.networks.supernet()
    for module, state in ((left, plain), (right, followed)):
        module.load_state_dict(state)
        assert isinstance(module, MobileNet)
        sort_channels(module)
    for (name, one), other in zip(left.state_dict().items(), right.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-3, msg=name)


def test_the_teacher_is_the_largest_as_the_first_stage_left_it() -> None:
    with seeded(0):
        supernet = HYBRID.networks.supernet()
    strategy = ProgressiveShrinking(HYBRID, 10, random.Random(0))
    assert strategy.teacher() is None
    strategy.parts(9, supernet)
    teacher = strategy.teacher()
    assert teacher is not None
    inputs = torch.randn(3, 1, 8, 8)
    largest = HYBRID.extreme(largest=True)
    before = teacher(inputs)
    assert torch.allclose(before, supernet(inputs, HYBRID.networks.route(largest)), atol=1e-5)
    with torch.no_grad():
        for weight in supernet.parameters():
            weight.add_(1.0)
    assert torch.equal(teacher(inputs), before)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("space", [CELLS, HYBRID], ids=["cells", "hybrid"])
def test_every_strategy_learns_to_tell_dark_from_bright(space: SearchSpace, strategy: str) -> None:
    with seeded(1):
        supernet = space.networks.supernet()
    draw = torch.Generator().manual_seed(0)

    def data(size: int = 16):
        while True:
            labels = torch.randint(0, 4, (size,), generator=draw)
            noise = torch.randn(size, 1, 8, 8, generator=draw)
            yield noise * 0.1 + labels.view(-1, 1, 1, 1) - 1.5, labels

    recipe = Recipe(steps=40, batch_size=16, learning_rate=1e-2)
    with seeded(2):
        train_supernet(supernet, space, strategy, recipe, data(), random.Random(0))
    inputs, labels = next(data(256))
    module = space.networks.slice(supernet, space.extreme(largest=True))
    calibrated(module, [next(data())[0] for _ in range(4)])
    with torch.no_grad():
        assert (module(inputs).argmax(1) == labels).float().mean() > 0.45  # by chance 0.25


def test_suites_know_the_strategies_by_name() -> None:
    assert set(settings.STRATEGIES) == set(STRATEGIES)


def test_an_unknown_strategy_is_answered_with_near_names() -> None:
    with pytest.raises(UnknownNameError, match="did you mean sandwich"):
        train_supernet(
            nn.Identity(),
            HYBRID,
            "sandwhich",
            Recipe(steps=1, batch_size=1, learning_rate=1e-3),
            iter(()),
            random.Random(0),
        )


def test_divergence_is_least_for_what_was_wanted() -> None:
    wanted = torch.randn(5, 7, 4)
    entropy = -(wanted.softmax(-1) * wanted.log_softmax(-1)).sum(-1).mean()
    assert float(divergence(wanted, wanted)) == pytest.approx(float(entropy), abs=1e-6)
    assert float(divergence(wanted + torch.randn(5, 7, 4), wanted)) > float(entropy)


def test_calibration_gives_the_statistics_of_the_batches_and_leaves_weights() -> None:
    with seeded(0):
        module = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))
    before = {name: value.clone() for name, value in module.named_parameters()}
    batches = [torch.randn(32, 2, 2, 2) * 3 + 5 for _ in range(4)]
    done = calibrated(module, batches)
    norm = module[0]
    assert norm.running_mean is not None
    means = torch.stack([batch.mean(dim=(0, 2, 3)) for batch in batches]).mean(0)
    assert torch.allclose(norm.running_mean, means, atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in done.named_parameters())
    assert not done.training


@pytest.mark.parametrize(("space", "holds"), [(CELLS, True), (HYBRID, False)])
def test_only_spaces_with_batch_norm_are_calibrated(space: SearchSpace, holds: bool) -> None:
    with seeded(0):
        assert has_batch_norm(space.networks.supernet()) is holds


def test_a_step_leaves_gradients_inside_its_slice_alone() -> None:
    with seeded(0):
        supernet = CELLS.networks.supernet()
    architecture: Architecture = (3, 0, 2, 1, 4, 3)
    loss = cross_entropy(
        supernet(torch.randn(4, 1, 8, 8), CELLS.networks.route(architecture)), torch.tensor([0, 1, 2, 3])
    )
    loss.backward()
    for name, weight in supernet.named_parameters():
        if ".convs." in name:
            edge = int(name.split(".edges.")[1].split(".")[0])
            kernel = "3x3" if "3x3" in name else "1x1"
            used = {3: "3x3", 2: "1x1"}.get(architecture[edge]) == kernel
            assert (weight.grad is not None) == used, name
