"""What the networks of single spaces do. Truth: loops, recurrences and parts computed apart."""

from typing import Any

import pytest
import torch
from spaces import inputs, named, stirred

from harness.learn.fit import seeded
from harness.nn.counts import FAMILIES, mixer_parameters
from harness.nn.mixers import _scan
from harness.nn.networks.cells import Edge
from harness.nn.networks.mobilenet import ElasticDepthwise, MobileBlock, sort_channels
from harness.nn.networks.shufflenet import BlockChoice, ShuffleInner
from harness.task.signature import Signature

GREY = Signature(kind="image", classes=10)


def images() -> torch.Tensor:
    found: torch.Tensor = inputs(GREY, 4)
    return found


def test_attention_with_relative_positions_equals_a_loop_over_pairs() -> None:
    space = named("autoformer:micro", Signature(kind="image", classes=2, height=12, width=8))  # 3 x 2 patches
    with seeded(0), torch.inference_mode():
        network = stirred(space)
        block = network.blocks[0]
        projected = torch.randn(1, 7, 3, 2, 16)
        apart = (network.get_buffer("rows"), network.get_buffer("columns"))
        mixed = block._attend(projected, apart)[0].unflatten(-1, (2, 16))
        tables = {name: weight for name, weight in block.named_parameters() if "_position" in name}

        def between(what: str, one: int, other: int) -> torch.Tensor:
            down, right = 0, 0  # the row of pairs with the class token
            if one and other:
                down = (other - 1) // 2 - (one - 1) // 2 + 8
                right = (other - 1) % 2 - (one - 1) % 2 + 8
            return tables[f"{what}_position.vertical"][down] + tables[f"{what}_position.horizontal"][right]

        query, key, value = projected[0].unbind(1)
        for head in range(2):
            for one in range(7):
                keys = torch.stack([key[other, head] + between("key", one, other) for other in range(7)])
                values = torch.stack(
                    [value[other, head] + between("value", one, other) for other in range(7)]
                )
                weights = (keys @ query[one, head] / 4).softmax(dim=0)
                torch.testing.assert_close(mixed[one, head], weights @ values, atol=1e-5, rtol=0)


def test_logits_of_a_decoder_depend_on_the_order_of_tokens() -> None:
    space = named("decoder:micro")
    with seeded(0), torch.inference_mode():
        module = space.networks.build(space.default())
        one, other = torch.tensor([[1, 2, 3]]), torch.tensor([[2, 1, 3]])
        assert (module(one)[:, -1] - module(other)[:, -1]).abs().max() > 1e-4


def test_attention_and_mlp_of_a_decoder_read_the_same_input() -> None:
    with seeded(0), torch.inference_mode():
        block = stirred(named("decoder:micro")).blocks[0]
        tokens = torch.randn(1, 5, 64)
        whole = block(tokens, 4, 256, True)
        parts = []
        for name in ("outward", "down"):
            kept = {one: getattr(block, one).clone() for one in (name, f"{name}_bias")}
            for one in kept:
                block.get_parameter(one).zero_()
            parts.append(block(tokens, 4, 256, True) - tokens)
            for one, weight in kept.items():
                block.get_parameter(one).copy_(weight)
        torch.testing.assert_close(whole, tokens + parts[0] + parts[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("width", [32, 48, 64])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_mixer_has_the_parameters_of_attention(family: str, width: int) -> None:
    assert abs(mixer_parameters(family, width) / (4 * width**2) - 1) <= 0.03


def test_the_parallel_scan_equals_the_plain_recurrence() -> None:
    with seeded(0):
        keep, fresh = torch.rand(2, 37, 3), torch.randn(2, 37, 3)
    state, states = torch.zeros(2, 3), []
    for step in range(37):
        state = keep[:, step] * state + fresh[:, step]
        states.append(state)
    torch.testing.assert_close(_scan(keep, fresh), torch.stack(states, dim=1))


def touched(name: str, form: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Returns the gradients of the weights of a supernet that one architecture reaches."""
    space = named(name)
    with seeded(0):
        supernet = stirred(space)
    supernet(images(), space.networks.route(space.from_json(form))).square().sum().backward()
    return {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}


def test_gradients_reach_the_blocks_kernels_and_channels_of_a_mobilenet_alone() -> None:
    found = touched("mobilenet:micro", {"d": [1, 2, 3], "ks": [3] * 3 + [7, 5, 3] + [7] * 3, "e": [3] * 9})
    blocks = {name[7:10] for name in found if name.startswith("stages.")}
    assert blocks == {"0.0", "1.0", "1.1", "2.0", "2.1", "2.2"}
    matrices = {name.removeprefix("stages.") for name in found if "transforms" in name}
    assert matrices == {
        f"{at}.depth.transforms.{one}" for at, one in (("0.0", "7to5"), ("0.0", "5to3"), ("1.1", "7to5"))
    }
    for name in ("expand.conv.weight", "depth.conv.weight", "depth.norm.weight", "project.conv.weight"):
        gradient = found[f"stages.2.1.{name}"].transpose(0, 1 if name.startswith("project") else 0)
        assert gradient[:96].abs().sum() > 0
        assert gradient[96:].abs().sum() == 0


def test_gradients_reach_the_blocks_and_channels_of_a_shufflenet_alone() -> None:
    form = {"blocks": [0, 1, 2, 3, 0, 3], "scales": [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]}
    found = touched("shufflenet:micro-scales", form)
    choices = {name[7:10] for name in found if name.startswith("blocks.")}
    assert choices == {"0.0", "1.1", "2.2", "3.3", "4.0", "5.3"}
    middle = found["blocks.3.3.main.3.conv.weight"]
    assert bool((middle[:25, :25].abs().sum(dim=(0, 2, 3)) > 0).all())
    assert middle[25:].abs().sum() == 0
    assert middle[:, 25:].abs().sum() == 0


@pytest.mark.parametrize(
    ("name", "form", "buffer", "channels"),
    [
        (
            "mobilenet:micro",
            {"d": [1, 1, 1], "ks": [3] * 9, "e": [3] * 9},
            "stages.0.0.expand.norm.running_mean",
            48,
        ),
        ("nats_size:micro", "16:16:16:16:16", "stem.norm.running_mean", 16),
    ],
)
def test_training_a_slice_moves_only_its_own_statistics(
    name: str, form: Any, buffer: str, channels: int
) -> None:
    space = named(name)
    with seeded(0):
        supernet = space.networks.supernet().train()
    supernet(images(), space.networks.route(space.from_json(form)))
    mean = supernet.get_buffer(buffer)
    assert bool((mean[:channels] != 0).all())
    assert bool((mean[channels:] == 0).all())


def test_batch_norms_of_a_shuffle_supernet_learn_nothing() -> None:
    supernet = named("shufflenet:micro").networks.supernet()
    assert not [name for name, _ in supernet.named_parameters() if ".norm." in name]


def test_half_of_the_channels_pass_a_block_of_stride_one_unchanged() -> None:
    with seeded(0):
        block = BlockChoice(8, 8, 1, ShuffleInner(3, 4), affine=True)
    pixels = torch.arange(2 * 8 * 9.0).reshape(2, 8, 3, 3)
    assert torch.equal(block(pixels, 4)[:, :4], pixels[:, ::2])


def test_images_are_resized_to_the_chosen_resolution() -> None:
    space = named("mobilenet:w1.0", GREY)
    form = {"r": 128, "d": [2] * 5, "ks": [3] * 20, "e": [3] * 20}
    with seeded(0), torch.inference_mode():
        module = space.networks.build(space.from_json(form)).eval()
        resized = torch.nn.functional.interpolate(images(), (128, 128), mode="bilinear", antialias=True)
        assert torch.equal(module(images()), module(resized))


def test_smaller_kernels_start_in_the_centre_and_come_through_every_matrix() -> None:
    with seeded(0), torch.no_grad():
        depth = ElasticDepthwise(4, (3, 5, 7), 1, "relu")
        assert torch.equal(depth.weight(5, 3), depth.conv.weight[:3, :, 1:6, 1:6])
        assert torch.equal(depth.weight(3, 4), depth.conv.weight[:, :, 2:5, 2:5])
        first, second = depth.transforms["7to5"], depth.transforms["5to3"]
        first.copy_(torch.randn(25, 25))
        second.copy_(torch.randn(9, 9))
        five = (first @ depth.conv.weight[2, 0, 1:6, 1:6].reshape(25)).reshape(5, 5)
        three = (second @ five[1:4, 1:4].reshape(9)).reshape(3, 3)
        torch.testing.assert_close(depth.weight(3, 4)[2, 0], three)


@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
def test_sorting_channels_keeps_the_full_network(trains: bool) -> None:
    with seeded(0), torch.inference_mode():
        supernet = stirred(named("mobilenet:micro")).double().train(trains)
        before = supernet(images().double())
        sort_channels(supernet)
        torch.testing.assert_close(supernet(images().double()), before, atol=1e-9, rtol=1e-9)


def test_sorting_channels_puts_the_important_ones_into_every_slice() -> None:
    space = named("mobilenet:micro")
    small = space.networks.route(space.from_json({"d": [3, 3, 3], "ks": [7] * 9, "e": [3] * 9}))
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).eval()
        before = supernet(images(), small)
        sort_channels(supernet)
        assert not torch.allclose(supernet(images(), small), before, atol=1e-3)
    for block in supernet.modules():
        if isinstance(block, MobileBlock):
            norms = block.project.conv.weight.detach().abs().sum(dim=(0, 2, 3))
            assert bool((norms.diff() <= 0).all())


def test_shrinking_a_mobilenet_opens_kernels_before_depths_before_widths() -> None:
    space = named("mobilenet:micro")
    stems = [space.choices[group[0]].name.partition("[")[0] for group in space.stages()]
    assert stems == ["ks", "d", "e"]
    assert sorted(index for group in space.stages() for index in group) == list(range(len(space.choices)))


@pytest.mark.parametrize("name", ["nasbench201:micro", "transnas_micro:micro", "nasbench_macro:micro"])
def test_a_supernet_wants_a_route(name: str) -> None:
    with seeded(0), pytest.raises(ValueError, match="A supernet needs a route"):
        named(name).networks.supernet()(images())


def test_pooling_does_not_count_what_lies_outside() -> None:
    constant = torch.ones(1, 2, 5, 5)
    assert torch.equal(Edge(2, ()).forward(constant, "avg_pool_3x3"), constant)
