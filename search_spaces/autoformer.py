"""AutoFormer: vision transformers with elastic width, depth, heads and MLP ratios, sharing all weights.

Source: Chen et al. 2021 (arXiv 2107.00651). The query, key and value width of a layer is its heads times the
head width, independent of the embedding. The released code and the paper print different options: `tiny` is
the released space, `tiny-paper` the paper's; the two of `small` are the same. The original's own counter
takes 198 tokens and multiplies the classifier by 197; ours counts what the network computes.

MACs are those of the patch embedding, the linear layers and the attention products, with the two products of
relative positions; norms, biases, softmax and pooling are not counted.
"""

from dataclasses import replace

from harness import Architecture, Choice, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily
from harness.nn.designs import TransformerShape, TransformerSize, VisionFrame

_TINY = TransformerSize(
    widths=(192, 216, 240), depths=(12, 13, 14), ratios=(3.5, 4.0), heads=(3, 4), default=(192, 12, 4.0, 3)
)
_SMALL = TransformerSize(
    widths=(320, 384, 448),
    depths=(12, 13, 14),
    ratios=(3.0, 3.5, 4.0),
    heads=(5, 6, 7),
    default=(384, 12, 4.0, 6),
)
_BASE = TransformerSize(
    widths=(528, 576, 624),
    depths=(14, 15, 16),
    ratios=(3.0, 3.5, 4.0),
    heads=(9, 10),
    default=(576, 14, 4.0, 9),
)
SIZES = {
    "tiny": _TINY,
    "tiny-paper": replace(_TINY, ratios=(3.0, 3.5, 4.0)),
    "small": _SMALL,
    "small-paper": _SMALL,
    "base": _BASE,
    "base-paper": replace(_BASE, heads=(8, 9, 10)),
    "micro": TransformerSize(
        widths=(32, 48, 64),
        depths=(2, 3, 4),
        ratios=(2.0, 3.0, 4.0),
        heads=(2, 3, 4),
        default=(48, 3, 3.0, 3),
        head_width=16,
    ),
}
LARGEST = {"tiny": 256, "small": 448, "base": 640, "micro": 64}
"""Widths of supernets, at least that of the largest option."""
PATCHES = {"micro": (4, 7)}
"""Sides of a patch in pixels, 16 elsewhere; the first that divides the image is used, or the first."""
REACH = {"micro": 7}
"""Relative distances beyond so many patches, 14 elsewhere, share one vector."""


class AutoFormerSpace(SearchSpace):
    """Genes in order: embedding, depth, an MLP ratio per layer, the heads of each layer.

    The default is the plain transformer of the preset: that of DeiT-tiny and DeiT-small for `tiny` and
    `small`, and heads that together are as wide as the embedding elsewhere.
    """

    def __init__(
        self, preset: str, signature: Signature, window: tuple[int, int] | None, *, relative: bool = True
    ) -> None:
        """Binds a preset; `relative` adds relative positions in two dimensions, as published (default)."""
        size = self.dimensions = SIZES[preset]
        self.widest = LARGEST[preset.partition("-")[0]]
        sides, patches = (signature.height, signature.width), PATCHES.get(preset, (16,))
        fitting = [patch for patch in patches if not any(side % patch for side in sides)]
        patch = [*fitting, patches[0]][0]
        frame = self.frame = VisionFrame(
            channels=signature.channels,
            classes=signature.classes,
            patch=patch,
            grid=(-(-sides[0] // patch), -(-sides[1] // patch)),
            head_width=size.head_width,
            reach=REACH.get(preset, 14) if relative else None,
        )
        self.tokens = frame.grid[0] * frame.grid[1] + 1
        heads = "heads of layer {}"
        super().__init__(
            f"autoformer:{preset}",
            signature,
            window,
            parts=(
                Choice(name="embed_dim", options=size.widths, meaning="channels of every token"),
                Choice(name="depth", options=size.depths, meaning="number of layers"),
                ChoiceList(
                    name="mlp_ratio", options=size.ratios, meaning="MLP ratio of layer {}", length="depth"
                ),
                ChoiceList(name="num_heads", options=size.heads, meaning=heads, length="depth"),
            ),
            default=dict(zip(("embed_dim", "depth", "mlp_ratio", "num_heads"), size.default, strict=True)),
            about=f"A vision transformer over {frame.grid[0]} x {frame.grid[1]} patches of {patch} pixels "
            f"and a class token, with learned positions{', relative positions' * relative}, mean pooling and "
            f"a linear head. An MLP has mlp_ratio times embed_dim channels; each head has {size.head_width} "
            "channels for queries, keys and values, whatever embed_dim is.",
        )

    def parameters(self, architecture: Architecture) -> int:
        (width, heads, hidden, _), frame = self._shape(architecture), self.frame
        tables = 0 if frame.reach is None else 4 * (2 * frame.reach + 2) * frame.head_width
        total = (frame.channels * frame.patch**2 + 1) * width + width * (self.tokens + 1)
        total += len(heads) * (6 * width + tables) + (4 * width + 3) * sum(heads) * frame.head_width
        return total + (2 * width + 1) * sum(hidden) + 2 * width + (width + 1) * frame.classes

    def macs(self, architecture: Architecture) -> int:
        (width, heads, hidden, _), frame = self._shape(architecture), self.frame
        tokens, products = self.tokens, 2 if frame.reach is None else 4
        inner = sum(heads) * frame.head_width
        total = (tokens - 1) * frame.channels * frame.patch**2 * width
        total += tokens * ((4 * width + products * tokens) * inner + 2 * width * sum(hidden))
        return total + width * frame.classes

    def _shape(self, architecture: Architecture) -> TransformerShape:
        return self.dimensions.shape(self.to_json(architecture))

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.autoformer import VisionTransformer
        from harness.nn.released import load_autoformer

        return Networks(
            name=self.name,
            route=self._shape,
            alone=lambda shape: VisionTransformer(self.frame, shape),
            supernet=lambda: VisionTransformer(self.frame, self.dimensions.largest(self.widest)),
            load=("AutoFormer", load_autoformer),
        )


_IMAGENET = Signature(kind="image", classes=1000, channels=3, height=224, width=224)
SPACE = SpaceFamily(
    summary="AutoFormer: vision transformers of elastic width, depth, heads and MLP ratios.",
    presets={
        preset: Signature(kind="image", classes=10) if preset == "micro" else _IMAGENET for preset in SIZES
    },
    bind=AutoFormerSpace,
    default_preset="micro",
    kinds=("image",),
)
