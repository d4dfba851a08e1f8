"""The plain vision transformer in timm's code, near the suite's parameters.

It has a form that suits few steps: positions start as sines and cosines, and the head has weights per
position instead of pooling, as every searched network does. `default` is the same transformer in the code of
the searched networks, with other initial values and without biases: the two differ by more than most claims.
"""

from typing import TYPE_CHECKING

from harness import FixedBaseline, Signature
from harness.nn.heads import PLAIN_DEPTH, PLAIN_RATIO, draw_depth, plain_shape

if TYPE_CHECKING:
    from torch import nn

PATCH = 4


def _build(signature: Signature, parameters: int, *, depth: int | None = None) -> "nn.Module":
    """Returns the transformer whose width brings it nearest to `parameters`."""
    shape = plain_shape(lambda *shape: _made(signature, *shape), parameters, depth)
    return _made(signature, *shape)


def _made(signature: Signature, width: int, depth: int, heads: int) -> "nn.Module":
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
        mlp_ratio=PLAIN_RATIO,
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


BASELINE = FixedBaseline(
    summary=f"timm's VisionTransformer of {PLAIN_DEPTH} layers, near the suite's parameters.",
    build=_build,
    kinds=("image",),
    vary=draw_depth,
)
