"""The once-for-all MobileNetV3 has its published counts; its supernet transforms kernels, sorts channels.

Truth: published counts, the measured sub-networks of the authors (where the user has their table).
"""

import published
import pytest
import torch

from harness import catalog
from harness.learn.fit import seeded
from harness.nn.networks.mobilenet import ElasticDepthwise, MobileBlock, MobileNet, sort_channels
from harness.space.choices import SearchSpace, SpaceFamily
from harness.space.form import Architecture
from harness.task.signature import Signature


def bound(preset: str, signature: Signature | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", "mobilenet")
    return family.space(preset, signature)


def uniform(space: SearchSpace, kernel: int, expansion: int, depth: int, side: int) -> Architecture:
    return space.from_json({"r": side, "d": [depth] * 5, "ks": [kernel] * 20, "e": [expansion] * 20})


def stirred(space: SearchSpace) -> MobileNet:
    """Returns a supernet no tensor of which is at a value that hides a mistake."""
    module = space.networks.supernet()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    return module


def images(side: int = 28) -> torch.Tensor:
    return torch.linspace(-1, 1, 4 * side * side).sin().reshape(4, 1, side, side)


@pytest.mark.parametrize(
    ("preset", "shape", "parameters", "large", "small"),
    [
        ("w1.0", (7, 6, 4), 7_664_760, 566_170_656, 188_248_320),
        ("w1.0", (5, 4, 3), 4_551_792, 250_746_944, 84_099_584),
        ("w1.2", (7, 6, 4), 10_701_632, 843_101_040, 279_987_456),
    ],
)
def test_uniform_networks_have_the_published_counts(
    preset: str, shape: tuple[int, int, int], parameters: int, large: int, small: int
) -> None:
    space = bound(preset)
    at_224, at_128 = (uniform(space, *shape, side) for side in (224, 128))
    assert space.parameters(at_224) == space.parameters(at_128) == parameters
    assert (space.macs(at_224), space.macs(at_128)) == (large, small)


def test_the_supernet_adds_its_kernel_matrices_to_the_largest_network() -> None:
    with torch.device("meta"):
        module = bound("w1.0").networks.supernet()
    assert sum(weight.numel() for weight in module.parameters()) == 7_678_880


def test_there_are_as_many_networks_as_published_at_each_of_25_resolutions() -> None:
    assert bound("w1.0").size() == 25 * (9**2 + 9**3 + 9**4) ** 5
    assert (9**2 + 9**3 + 9**4) ** 5 == 21_758_655_492_572_485_851


def test_every_measured_sub_network_has_its_parameters_and_macs() -> None:
    space, rows = bound("w1.0"), published.rows("ofa_mbv3_w10_measured.csv")
    assert len(rows) == 1100
    for row in rows:
        digits = {name: [int(digit) for digit in row[name]] for name in ("d", "ks", "e")}
        architecture = space.from_json({"r": int(row["res"]), **digits})
        counted = (space.parameters(architecture), space.macs(architecture))
        assert counted == (int(row["params"]), int(row["macs"])), row


def test_the_default_is_the_plain_middle() -> None:
    space = bound("w1.0")
    assert space.default() == uniform(space, 5, 4, 3, 224)


def test_images_are_resized_to_the_chosen_resolution() -> None:
    space = bound("w1.0", Signature(kind="image", classes=10, channels=1))
    architecture = uniform(space, 3, 3, 2, 128)
    with seeded(0), torch.inference_mode():
        module = space.networks.build(architecture).eval()
        resized = torch.nn.functional.interpolate(images(), (128, 128), mode="bilinear", antialias=True)
        assert torch.equal(module(images()), module(resized))


def test_gradients_reach_only_the_slice() -> None:
    space = bound("micro")
    form = {"d": [1, 2, 3], "ks": [3, 3, 3] + [7, 5, 3] + [7] * 3, "e": [3] * 9}
    with seeded(0):
        supernet = stirred(space)
    supernet(images(), space.networks.route(space.from_json(form))).square().sum().backward()
    touched = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    blocks = {name[7:10] for name in touched if name.startswith("stages.")}
    assert blocks == {"0.0", "1.0", "1.1", "2.0", "2.1", "2.2"}
    matrices = {name for name in touched if "transforms" in name}
    assert matrices == {
        "stages.0.0.depth.transforms.7to5",
        "stages.0.0.depth.transforms.5to3",
        "stages.1.1.depth.transforms.7to5",
    }
    for name in ("expand.conv.weight", "depth.conv.weight", "depth.norm.weight", "project.conv.weight"):
        gradient = touched[f"stages.2.1.{name}"].transpose(0, 1 if name.startswith("project") else 0)
        assert gradient[:96].abs().sum() > 0
        assert gradient[96:].abs().sum() == 0


def test_training_a_slice_moves_only_its_own_statistics() -> None:
    space = bound("micro")
    smallest = space.from_json({"d": [1, 1, 1], "ks": [3] * 9, "e": [3] * 9})
    with seeded(0):
        supernet = space.networks.supernet().train()
    supernet(images(), space.networks.route(smallest))
    mean = supernet.get_buffer("stages.0.0.expand.norm.running_mean")
    assert bool((mean[:48] != 0).all())
    assert bool((mean[48:] == 0).all())


def test_a_new_supernet_takes_smaller_kernels_from_the_centre() -> None:
    with seeded(0):
        depth = ElasticDepthwise(4, (3, 5, 7), 1, "relu")
    assert torch.equal(depth.weight(5, 3), depth.conv.weight[:3, :, 1:6, 1:6])
    assert torch.equal(depth.weight(3, 4), depth.conv.weight[:, :, 2:5, 2:5])


def test_the_smallest_kernel_comes_through_both_matrices() -> None:
    with seeded(0), torch.no_grad():
        depth = ElasticDepthwise(4, (3, 5, 7), 1, "relu")
        first, second = depth.transforms["7to5"], depth.transforms["5to3"]
        first.copy_(torch.randn(25, 25))
        second.copy_(torch.randn(9, 9))
        five = (first @ depth.conv.weight[2, 0, 1:6, 1:6].reshape(25)).reshape(5, 5)
        three = (second @ five[1:4, 1:4].reshape(9)).reshape(3, 3)
        torch.testing.assert_close(depth.weight(3, 4)[2, 0], three)


@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
def test_sorting_channels_keeps_the_full_network(trains: bool) -> None:
    space = bound("micro")
    with seeded(0), torch.inference_mode():
        supernet = stirred(space).double().train(trains)
        inputs = images().double()
        before = supernet(inputs)
        sort_channels(supernet)
        torch.testing.assert_close(supernet(inputs), before, atol=1e-9, rtol=1e-9)


def test_sorting_channels_puts_the_important_ones_into_every_slice() -> None:
    space = bound("micro")
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


def test_blocks_beyond_the_depth_are_not_read() -> None:
    space = bound("w1.0")
    form = space.to_json(uniform(space, 7, 6, 2, 160))
    published = form | {"r": [160], "ks": [7, 7, 0, 0] * 5, "e": [6, 6, 4, None] * 5}
    assert space.from_json(published) == space.from_json(form)


def test_shrinking_opens_kernels_before_depths_before_widths() -> None:
    space = catalog.load("space", "mobilenet").space("micro")
    stems = [space.choices[group[0]].name.partition("[")[0] for group in space.stages()]
    assert stems == ["ks", "d", "e"]
    assert sorted(index for group in space.stages() for index in group) == list(range(len(space.choices)))
