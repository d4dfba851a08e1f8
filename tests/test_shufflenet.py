"""The single-path one-shot ShuffleNetV2 has its published counts and blocks. Truth: the published counts."""

import pytest
import torch

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.designs import ShuffleInner
from harness.nn.networks.shufflenet import BlockChoice, ShuffleNet
from harness.space.choices import SearchSpace, SpaceFamily
from harness.task.signature import Signature

PAPER = [2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3]


def bound(preset: str, signature: Signature | None = None) -> SearchSpace:
    family: SpaceFamily = catalog.load("space", "shufflenet")
    return family.space(preset, signature)


def stirred(space: SearchSpace) -> ShuffleNet:
    """Returns a supernet no tensor of which is at a value that hides a mistake."""
    module = space.networks.supernet()
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.rand_like(tensor) * 0.1)
    return module


def images(side: int = 28, channels: int = 1) -> torch.Tensor:
    return torch.linspace(-1, 1, 4 * channels * side * side).sin().reshape(4, channels, side, side)


@pytest.mark.parametrize(
    ("blocks", "parameters", "macs"),
    [
        (PAPER, 3_558_464, 322_918_720),
        ([0] * 20, 3_154_880, 295_842_496),
        ([3] * 20, 3_870_816, 358_825_920),
    ],
    ids=["published", "plain", "Xception"],
)
def test_networks_have_the_published_counts(blocks: list[int], parameters: int, macs: int) -> None:
    for preset in ("paper", "paper-scales"):
        space = bound(preset)
        architecture = space.from_json({"blocks": blocks})
        assert (space.parameters(architecture), space.macs(architecture)) == (parameters, macs)


def test_there_are_four_choices_at_twenty_places() -> None:
    assert bound("paper").size() == 4**20
    assert bound("paper-scales").size() == (4 * 8) ** 20


@pytest.mark.parametrize("preset", ["paper", "paper-scales"])
def test_the_default_is_the_plain_shufflenet(preset: str) -> None:
    space = bound(preset)
    assert space.default() == space.from_json({"blocks": [0] * 20})


def test_scales_other_than_one_are_refused_where_they_are_not_chosen() -> None:
    form = {"blocks": [0] * 20, "scales": [1.0] * 20}
    assert bound("paper").from_json(form) == bound("paper").default()
    with pytest.raises(HarnessError, match="use shufflenet:paper-scales"):
        bound("paper").from_json(form | {"scales": [0.8] * 20})


def test_batch_norms_of_a_supernet_learn_nothing() -> None:
    assert not [name for name, _ in stirred(bound("micro")).named_parameters() if ".norm." in name]


def test_gradients_reach_only_the_slice() -> None:
    space = bound("micro-scales")
    form = {"blocks": [0, 1, 2, 3, 0, 3], "scales": [0.2, 0.4, 0.6, 0.8, 1.0, 1.2]}
    architecture = space.from_json(form)
    with seeded(0):
        supernet = stirred(space)
    supernet(images(), space.networks.route(architecture)).square().sum().backward()
    touched = {name: weight.grad for name, weight in supernet.named_parameters() if weight.grad is not None}
    choices = {name[7:10] for name in touched if name.startswith("blocks.")}
    assert choices == {"0.0", "1.1", "2.2", "3.3", "4.0", "5.3"}
    middle = touched["blocks.3.3.main.3.conv.weight"]
    assert bool((middle[:25, :25].abs().sum(dim=(0, 2, 3)) > 0).all())
    assert middle[25:].abs().sum() == 0
    assert middle[:, 25:].abs().sum() == 0


def test_half_of_the_channels_pass_a_block_of_stride_one_unchanged() -> None:
    with seeded(0):
        block = BlockChoice(8, 8, 1, ShuffleInner(3, 4), affine=True)
    inputs = torch.arange(2 * 8 * 9.0).reshape(2, 8, 3, 3)
    assert torch.equal(block(inputs, 4)[:, :4], inputs[:, ::2])


def test_the_classifier_has_no_bias() -> None:
    assert bound("micro").networks.build((0,) * 6).get_submodule("head").bias is None


def test_only_the_published_network_drops_channels_in_training() -> None:
    with torch.device("meta"):
        shares = {
            preset: bound(preset).networks.build(bound(preset).default()).get_submodule("dropout").p
            for preset in ("paper", "micro")
        }
    assert shares == {"paper": 0.1, "micro": 0.0}
