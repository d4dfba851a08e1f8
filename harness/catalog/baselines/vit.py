"""The plain vision transformer in timm's code, near the suite's parameters.

It has a form that suits few steps: the head has weights per position instead of pooling, as every searched
network does, and all starts as `harness.nn.initial` says. `default` is the same transformer in the code of
the searched networks, without biases and with positions that stay as they are.
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
    from timm.models.vision_transformer import VisionTransformer
    from torch import nn

    from harness.nn.initial import positions, start

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
    module.pos_embed = nn.Parameter(positions(tokens, width).detach()[None])
    reads = [f"blocks.{layer}.{name}" for layer in range(depth) for name in ("attn.qkv", "mlp.fc1")]
    adds = [f"blocks.{layer}.{name}" for layer in range(depth) for name in ("attn.proj", "mlp.fc2")]
    start(
        reads=[module.get_submodule(name) for name in ("patch_embed.proj", *reads, "head.1")],
        adds=[module.get_submodule(name) for name in adds],
        layers=depth,
    )
    return module


BASELINE = FixedBaseline(
    summary=f"timm's VisionTransformer of {PLAIN_DEPTH} layers, near the suite's parameters.",
    build=_build,
    kinds=("image",),
    vary=draw_depth,
)
