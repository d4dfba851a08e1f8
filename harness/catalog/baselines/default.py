"""The plain fixed transformer: a timm VisionTransformer for images, a GPT decoder for bytes and texts.

The vision transformer has a form that suits few steps: positions start as sines and cosines, and the head has
weights per position instead of pooling, as every searched network does.
"""

from typing import TYPE_CHECKING

from harness.model import FixedBaseline
from harness.task import Signature

if TYPE_CHECKING:
    from torch import nn

PATCH = 4
DEPTH = 3
RATIO = 2.0
HEAD_WIDTH = 16


def _build(signature: Signature, parameters: int) -> "nn.Module":
    """Returns the transformer whose width, a multiple of 16, brings it nearest to `parameters`."""
    import torch

    def size(width: int) -> int:
        with torch.device("meta"):
            module = make(signature, width)
        return abs(sum(weight.numel() for weight in module.parameters()) - parameters)

    make = _vision if signature.kind == "image" else _language
    return make(signature, min(range(HEAD_WIDTH, 1024, HEAD_WIDTH), key=size))


def _vision(signature: Signature, width: int) -> "nn.Module":
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
        depth=DEPTH,
        num_heads=width // HEAD_WIDTH,
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


def _language(signature: Signature, width: int) -> "nn.Module":
    from harness.nn.decoder import Decoder

    classes = signature.classes if signature.kind == "text" else None
    return Decoder(width=width, depth=DEPTH, heads=width // HEAD_WIDTH, ratio=RATIO, classes=classes)


BASELINE = FixedBaseline(
    summary="Plain transformer: timm VisionTransformer for images, GPT decoder for bytes and texts.",
    build=_build,
    kinds=("image", "bytes", "text"),
)
