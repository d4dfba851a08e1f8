"""Initial values of forms. Truth: the standard deviations that the scheme states, of the drawn values."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from harness import Signature, catalog
from harness.learn.fit import seeded
from harness.nn.networks.autoformer import VisionTransformer
from harness.nn.networks.decoder import Decoder
from harness.nn.networks.hybrid import HybridForm, HybridNet, HybridShape
from harness.nn.positions import sine_cosine

IMAGE, BYTES = Signature(kind="image", classes=40), Signature(kind="bytes", classes=256)
TEXT = Signature(kind="text", classes=40)
READS = ("inward", "up", "gate", "qkv", "fc1")
ADDS = ("outward", "down", "proj", "fc2")
LAYERS = 3


def hybrid(signature: Signature, averages: bool = False) -> nn.Module:
    shape = HybridShape(width=128, mixers=("attention",) * LAYERS, hidden=(256,) * LAYERS)
    form = HybridForm(learns_positions=True, averages=averages)
    reads = {"is_grid": signature.kind == "image", "is_pooled": signature.kind == "text"}
    return HybridNet(signature, [["attention"]] * LAYERS, shape, form=form, **reads)


def of(space: str, signature: Signature) -> nn.Module:
    bound = catalog.load("space", space).space("micro", signature)
    return bound.networks.build(bound.default())  # type: ignore[no-any-return]


def timm() -> nn.Module:
    return catalog.load("baseline", "vit").build(IMAGE, 600_000)  # type: ignore[no-any-return]


def decoder(classes: int | None, is_llama: bool) -> nn.Module:
    return Decoder(width=128, depth=LAYERS, heads=8, hidden=256, classes=classes, is_llama=is_llama)


PER_PATCH = "hybrid of images"
FORMS: dict[str, Callable[[], nn.Module]] = {
    PER_PATCH: lambda: hybrid(IMAGE),
    "hybrid of images, averaged": lambda: hybrid(IMAGE, averages=True),
    "hybrid of bytes": lambda: hybrid(BYTES),
    "hybrid of texts": lambda: hybrid(TEXT),
    "timm": timm,
    "autoformer": lambda: of("autoformer", IMAGE),
    "decoder of bytes": lambda: of("decoder", BYTES),
    "decoder of texts": lambda: of("decoder", TEXT),
    "gpt of bytes": lambda: decoder(None, False),
    "llama of bytes": lambda: decoder(None, True),
    "llama of texts": lambda: decoder(40, True),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_starts_by_the_one_scheme(form: str) -> None:
    with seeded(0):
        module = FORMS[form]()
    met = set()
    for name, weight in module.named_parameters():
        parts = name.replace("patch_embed.proj", "patches").split(".")
        part = next((one for one in reversed(parts) if one in (*READS, *ADDS, "head", "patches")), "")
        if parts[-1] == "bias" or "bias" in parts[-1]:
            assert not weight.any(), name
        elif part:
            fan_in = weight[0].numel() if part == "patches" else weight.shape[-1]
            times = 2 * LAYERS if part in ADDS else 49 if name == "head" and form == PER_PATCH else 1
            expected = (fan_in * times) ** -0.5
            assert float(weight.detach().std()) == pytest.approx(expected, rel=0.1), name
            met.add("reads" if part in READS else "adds" if part in ADDS else part)
    assert {"reads", "adds", "head"} <= met


def test_learned_positions_start_where_fixed_ones_are() -> None:
    def expected(tokens: int, width: int) -> Tensor:
        return sine_cosine(tokens, width, torch.device("cpu"))

    learned = hybrid(IMAGE).get_parameter("positions")
    assert torch.equal(learned, expected(49, 128))
    theirs = timm().get_parameter("pos_embed")[0]
    assert torch.equal(theirs, expected(49, theirs.shape[1]))
    vision = of("autoformer", IMAGE)
    assert isinstance(vision, VisionTransformer)
    assert torch.equal(
        vision.positions[0, 1:], expected(len(vision.positions[0]) - 1, vision.positions.shape[2])
    )
    assert not vision.positions[0, 0].any()
    assert not vision.class_token.any()
