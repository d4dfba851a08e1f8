"""The plain fixed transformer: a timm VisionTransformer for images, a GPT decoder for bytes and texts.

The vision transformer has a form that suits few steps: positions start as sines and cosines, and the head has
weights per position instead of pooling, as every searched network does.

`default:SPACE:PRESET` is the default architecture of a search space, trained alone. It has its own size, as a
window of parameters changes what may be searched and no default, and its row says how many it has.
"""

from functools import cache, partial
from typing import TYPE_CHECKING

from harness import FixedBaseline, Signature, SpaceFamily, catalog
from harness.nn.heads import HEADS, nearest_width

if TYPE_CHECKING:
    from torch import nn

PATCH = 4
DEPTH = 3
RATIO = 2.0
DEPTHS = (2, 3, 4, 6)
"""Depths among which a tuned transformer chooses."""
WIDEST = 1024
HEAD_WIDTH = 16


def _named(name: str) -> FixedBaseline:
    """Returns the baseline `default:SPACE:PRESET`; `default:SPACE` is that of the space's usual preset."""
    space, _, preset = name.partition(":")
    family: SpaceFamily = catalog.load("space", space)
    bound = family.space(preset or None)
    return FixedBaseline(
        summary=f"The default architecture of {bound.name}, trained alone, its own size.",
        build=partial(_default_of, family, preset or None),
        kinds=family.kinds,
        is_matched=False,
    )


def _default_of(
    family: SpaceFamily, preset: str | None, signature: Signature, parameters: int
) -> "nn.Module":
    space = family.space(preset, signature)
    return space.networks.build(space.default())


def _build(signature: Signature, parameters: int, *, depth: int | None = None) -> "nn.Module":
    """Returns the transformer whose width brings it nearest to `parameters`, plain without a depth."""
    make = _vision if signature.kind == "image" else _language
    return make(signature, *_shape(signature, parameters, depth))


@cache
def _shape(signature: Signature, parameters: int, depth: int | None) -> tuple[int, int, int]:
    """Returns width, depth and heads; a head is 16 wide in the plain transformer, else nearly so."""
    import torch

    heads = {width: width // HEAD_WIDTH for width in range(HEAD_WIDTH, WIDEST, HEAD_WIDTH)}
    if depth is not None:
        heads = {width: count for width, count in HEADS.items() if width < WIDEST}
    layers = DEPTH if depth is None else depth
    make = _vision if signature.kind == "image" else _language

    def size(width: int) -> int:
        with torch.device("meta"):
            module = make(signature, width, layers, heads[width])
        return sum(weight.numel() for weight in module.parameters())

    width = nearest_width(list(heads), size, parameters)
    return width, layers, heads[width]


def _vision(signature: Signature, width: int, depth: int, heads: int) -> "nn.Module":
    import torch
    from timm.models.vision_transformer import VisionTransformer
    from torch import nn

    from harness.nn.positions import sine_cosine

    module = VisionTransformer(
        img_size=(signature.height, signature.width),
        patch_size=PATCH,
        in_chans=signature.channels,
        num_classes=signature.classes,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        mlp_ratio=RATIO,
        qkv_bias=False,
        class_token=False,
        global_pool="",
        fc_norm=False,
    )
    tokens = (signature.height // PATCH) * (signature.width // PATCH)
    head = nn.Sequential(nn.Flatten(), nn.Linear(tokens * width, signature.classes))
    module.set_submodule("head", head)
    positions = module.get_parameter("pos_embed")
    with torch.no_grad():
        positions.copy_(sine_cosine(tokens, width, positions.device))
    return module


def _language(signature: Signature, width: int, depth: int, heads: int) -> "nn.Module":
    from harness.nn.networks.decoder import Decoder

    classes = signature.classes if signature.kind == "text" else None
    return Decoder(width=width, depth=depth, heads=heads, hidden=int(width * RATIO), classes=classes)


BASELINE = FixedBaseline(
    named=_named,
    summary="Plain transformer: timm VisionTransformer for images, GPT decoder for bytes and texts.",
    build=_build,
    kinds=("image", "bytes", "text"),
    depths={depth: partial(_build, depth=depth) for depth in DEPTHS},
)
