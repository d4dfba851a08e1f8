"""Fixed baselines. Truth: parameter counts of torchvision's networks, a closed form, what causality means."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from harness import catalog
from harness.errors import HarnessError
from harness.learn.baseline import FixedBaseline
from harness.learn.fit import cross_entropy, seeded
from harness.task.signature import Signature

LLAMA: FixedBaseline = catalog.load("baseline", "llama")
TIMM = catalog.load("baseline", "timm")
BYTES = Signature(kind="bytes", classes=256, context=16)
NAMES = (
    "vit_tiny_patch16_224",
    "deit_tiny_patch16_224",
    "mobilenetv2_100",
    "mobilenetv3_small_050",
    "efficientnet_lite0",
    "resnet10t",
)


def image(height: int, width: int | None = None, channels: int = 1) -> Signature:
    return Signature(kind="image", classes=5, channels=channels, height=height, width=width or height)


def size(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def built(name: str, signature: Signature) -> nn.Module:
    with seeded(0):
        module: nn.Module = TIMM.named(name).build(signature, 0)
    return module


@pytest.mark.parametrize("target", [20_000, 80_000, 1_000_000])
def test_llama_comes_near_its_parameters_and_has_no_biases(target: int) -> None:
    module = LLAMA.build(BYTES, target)
    assert size(module) == pytest.approx(target, rel=0.15)
    assert not [name for name, _ in module.named_parameters() if name.endswith("bias")]


def test_llama_knows_where_a_byte_stands() -> None:
    with seeded(0):
        module = LLAMA.build(BYTES, 20_000).eval()
    with torch.no_grad():
        first = module(torch.tensor([[1, 2, 3, 4]]))[0, -1]
        other = module(torch.tensor([[2, 1, 3, 4]]))[0, -1]
    assert not torch.allclose(first, other, atol=1e-3)


def test_llama_learns_a_repeated_text() -> None:
    text = torch.tensor([list(b"abcdefgh" * 3)])
    with seeded(0):
        module = LLAMA.build(BYTES, 20_000)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-2)
    for _ in range(60):
        loss = cross_entropy(module(text[:, :-1]), text[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.2


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_timm_gives_logits_at_small_sizes(name: str, side: int) -> None:
    module = built(name, image(side))
    logits = module(torch.randn(2, 1, side, side))
    assert logits.shape == (2, 5)
    logits.sum().backward()
    assert all(weight.grad is not None for weight in module.parameters())


@pytest.mark.parametrize(("name", "other"), [("mobilenetv2_100", "mobilenet_v2"), ("resnet18", "resnet18")])
def test_a_network_of_timm_has_the_parameters_of_its_namesake(name: str, other: str) -> None:
    import torchvision

    thousand = Signature(kind="image", classes=1000, channels=3, height=28, width=28)
    namesake = torchvision.models.get_model(other, weights=None)
    assert size(built(name, thousand)) == size(namesake)


def test_a_vision_transformer_is_made_as_ever_at_its_native_size() -> None:
    thousand = Signature(kind="image", classes=1000, channels=3, height=224, width=224)
    module = built("deit_tiny_patch16_224", thousand)
    assert size(module) == 5_717_416


def test_images_of_no_whole_number_of_patches_are_padded() -> None:
    module = built("vit_tiny_patch16_224", image(30, 35, channels=3))
    assert module(torch.randn(2, 3, 30, 35)).shape == (2, 5)


@pytest.mark.parametrize(("side", "patch"), [(224, 16), (112, 16), (64, 8), (32, 4), (28, 4), (8, 1)])
def test_patches_shrink_with_the_image(side: int, patch: int) -> None:
    from harness.catalog.baselines.timm import patch_side

    assert patch_side(side, 16) == patch


@pytest.mark.parametrize("name", ["mixer_s16_224", "levit_128s", "swin_tiny_patch4_window7_224"])
def test_other_kinds_of_fixed_networks_run_as_well(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's own
        module = built(name, image(28, channels=3)).eval()
    with torch.no_grad():
        assert module(torch.randn(1, 3, 28, 28)).shape == (1, 5)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LLAMA.build(image(28), 80_000), "'llama' reads bytes"),
        (lambda: TIMM.named("mobilenetv2_10"), r"mobilenetv2_10'.*did you mean .*mobilenetv2_100"),
        (lambda: TIMM.named("%%%"), "timm has no network named '%%%'"),
        (lambda: TIMM.build(image(28), 80_000), "needs the name of a network"),
        (lambda: TIMM.named("resnet10t").build(BYTES, 80_000), "cannot read bytes"),
    ],
)
def test_what_cannot_be_built_says_why(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        build()


def test_a_network_of_timm_is_the_same_from_the_same_seed() -> None:
    first, second = built("vit_tiny_patch16_224", image(28)), built("vit_tiny_patch16_224", image(28))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
