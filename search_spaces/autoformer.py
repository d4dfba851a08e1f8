"""AutoFormer: vision transformers with elastic width, depth, heads and MLP ratios, sharing all weights.

Source: Chen et al. 2021 (arXiv 2107.00651). The query, key and value width of a layer is its heads times the
head width, independent of the embedding. The released code and the paper print different options: `tiny` is
the released space, `tiny-paper` the paper's; the two of `small` are the same. The original's own counter
takes 198 tokens and multiplies the classifier by 197; ours counts what the network computes.

MACs are those of the patch embedding, the linear layers and the attention products, with the two products of
relative positions; norms, biases, softmax and pooling are not counted.
"""

from dataclasses import dataclass, replace

from harness import Architecture, Choice, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily


@dataclass(frozen=True, kw_only=True)
class Size:
    """The options of a preset.

    Attributes:
        widths: channels of a token.
        depths: layers, ascending.
        ratios: MLP width over token width.
        heads: attention heads of a layer.
        default: width, depth, ratio and heads of the plain transformer.
        largest: width of the supernet, at least the largest option.
        head_width: channels of one head.
        patches: sides of a patch in pixels; the first that divides the image is used, or the first.
        reach: relative distances beyond this many patches share one vector.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    ratios: tuple[float, ...]
    heads: tuple[int, ...]
    default: tuple[int, int, float, int]
    largest: int
    head_width: int = 64
    patches: tuple[int, ...] = (16,)
    reach: int = 14


_TINY = Size(
    widths=(192, 216, 240),
    depths=(12, 13, 14),
    ratios=(3.5, 4.0),
    heads=(3, 4),
    default=(192, 12, 4.0, 3),
    largest=256,
)
_SMALL = Size(
    widths=(320, 384, 448),
    depths=(12, 13, 14),
    ratios=(3.0, 3.5, 4.0),
    heads=(5, 6, 7),
    default=(384, 12, 4.0, 6),
    largest=448,
)
_BASE = Size(
    widths=(528, 576, 624),
    depths=(14, 15, 16),
    ratios=(3.0, 3.5, 4.0),
    heads=(9, 10),
    default=(576, 14, 4.0, 9),
    largest=640,
)
SIZES = {
    "tiny": _TINY,
    "tiny-paper": replace(_TINY, ratios=(3.0, 3.5, 4.0)),
    "small": _SMALL,
    "small-paper": _SMALL,
    "base": _BASE,
    "base-paper": replace(_BASE, heads=(8, 9, 10)),
    "micro": Size(
        widths=(32, 48, 64),
        depths=(2, 3, 4),
        ratios=(2.0, 3.0, 4.0),
        heads=(2, 3, 4),
        default=(48, 3, 3.0, 3),
        largest=64,
        head_width=16,
        patches=(4, 7),
        reach=7,
    ),
}


class AutoFormerSpace(SearchSpace):
    """Genes in order: embedding, depth, an MLP ratio per layer, the heads of each layer.

    The default is the plain transformer of the preset: that of DeiT-tiny and DeiT-small for `tiny` and
    `small`, and heads that together are as wide as the embedding elsewhere.
    """

    def __init__(
        self,
        preset: str,
        signature: Signature,
        window: tuple[int, int] | None,
        *,
        relative: bool = True,
    ) -> None:
        """Binds a preset; `relative` adds relative positions in two dimensions, as published (default)."""
        size = self.dimensions = SIZES[preset]
        sides = (signature.height, signature.width)
        fitting = [patch for patch in size.patches if not any(side % patch for side in sides)]
        self.relative = relative
        self.patch = fitting[0] if fitting else size.patches[0]
        self.grid = (-(-sides[0] // self.patch), -(-sides[1] // self.patch))
        self.tokens = self.grid[0] * self.grid[1] + 1
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
            about=f"A vision transformer over {self.grid[0]} x {self.grid[1]} patches of {self.patch} pixels "
            f"and a class token, with learned positions{', relative positions' * relative}, mean pooling and "
            f"a linear head. An MLP has mlp_ratio times embed_dim channels; each head has {size.head_width} "
            "channels for queries, keys and values, whatever embed_dim is.",
        )

    def parameters(self, architecture: Architecture) -> int:
        width, depth, inner, hidden = self._sums(architecture)
        size = self.dimensions
        tables = 4 * (2 * size.reach + 2) * size.head_width if self.relative else 0
        total = (self.signature.channels * self.patch**2 + 1) * width + width * (self.tokens + 1)
        total += depth * (6 * width + tables) + (4 * width + 3) * inner + (2 * width + 1) * hidden
        return total + 2 * width + (width + 1) * self.signature.classes

    def macs(self, architecture: Architecture) -> int:
        width, _, inner, hidden = self._sums(architecture)
        tokens, products = self.tokens, 4 if self.relative else 2
        total = (tokens - 1) * self.signature.channels * self.patch**2 * width
        total += tokens * ((4 * width + products * tokens) * inner + 2 * width * hidden)
        return total + width * self.signature.classes

    def _sums(self, architecture: Architecture) -> tuple[int, int, int, int]:
        """Returns width, depth, and the sums of the widths of attentions and of MLPs."""
        value = self.to_json(architecture)
        width, inner = value["embed_dim"], sum(value["num_heads"]) * self.dimensions.head_width
        hidden = sum([int(width * ratio) for ratio in value["mlp_ratio"]])
        return width, value["depth"], inner, hidden

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.autoformer import VisionFrame, VisionTransformer
        from harness.nn.released import load_autoformer
        from harness.nn.slices import TransformerShape

        size = self.dimensions
        deepest = size.depths[-1]
        frame = VisionFrame(
            channels=self.signature.channels,
            classes=self.signature.classes,
            patch=self.patch,
            grid=self.grid,
            head_width=size.head_width,
            reach=size.reach if self.relative else None,
        )
        largest = TransformerShape(
            width=size.largest,
            heads=(size.heads[-1],) * deepest,
            hidden=(int(size.largest * size.ratios[-1]),) * deepest,
        )

        def route(architecture: Architecture) -> TransformerShape:
            value = self.to_json(architecture)
            width = value["embed_dim"]
            hidden = tuple(int(width * ratio) for ratio in value["mlp_ratio"])
            return TransformerShape(width=width, heads=tuple(value["num_heads"]), hidden=hidden)

        return Networks(
            name=self.name,
            route=route,
            alone=lambda shape: VisionTransformer(frame, shape),
            supernet=lambda: VisionTransformer(frame, largest),
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
