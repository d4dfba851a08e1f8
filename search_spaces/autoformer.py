"""AutoFormer: vision transformers with elastic width, depth, heads and MLP ratios, sharing all weights.

Source: Chen et al. 2021 (arXiv 2107.00651). The query, key and value width of a layer is its heads times the
head width, independent of the embedding. The released code and the paper print different options: `tiny` is
the released space, `tiny-paper` the paper's; the two of `small` are the same. The original's own counter
takes 198 tokens and multiplies the classifier by 197; ours counts what the network computes.

MACs are those of the patch embedding, the linear layers and the attention products, with the two products of
relative positions; norms, biases, softmax and pooling are not counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.nn.networks.autoformer import Frame, Shape

KEYS = ("depth", "embed_dim", "mlp_ratio", "num_heads")


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


def _tiny(ratios: tuple[float, ...]) -> Size:
    return Size(
        widths=(192, 216, 240),
        depths=(12, 13, 14),
        ratios=ratios,
        heads=(3, 4),
        default=(192, 12, 4.0, 3),
        largest=256,
    )


def _base(heads: tuple[int, ...]) -> Size:
    return Size(
        widths=(528, 576, 624),
        depths=(14, 15, 16),
        ratios=(3.0, 3.5, 4.0),
        heads=heads,
        default=(576, 14, 4.0, 9),
        largest=640,
    )


_SMALL = Size(
    widths=(320, 384, 448),
    depths=(12, 13, 14),
    ratios=(3.0, 3.5, 4.0),
    heads=(5, 6, 7),
    default=(384, 12, 4.0, 6),
    largest=448,
)
SIZES = {
    "tiny": _tiny((3.5, 4.0)),
    "tiny-paper": _tiny((3.0, 3.5, 4.0)),
    "small": _SMALL,
    "small-paper": _SMALL,
    "base": _base((9, 10)),
    "base-paper": _base((8, 9, 10)),
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
        self.name = f"autoformer:{preset}"
        self.signature = signature
        self.window = window
        self.relative = relative
        size = self.dimensions = SIZES[preset]
        self.deepest = size.depths[-1]
        self.choices = (
            Choice(name="embed_dim", options=size.widths, meaning="channels of every token"),
            Choice(name="depth", options=size.depths, meaning="number of layers"),
            *(
                Choice(name=f"mlp_ratio[{layer}]", options=size.ratios, meaning=f"MLP ratio of layer {layer}")
                for layer in range(self.deepest)
            ),
            *(
                Choice(name=f"num_heads[{layer}]", options=size.heads, meaning=f"heads of layer {layer}")
                for layer in range(self.deepest)
            ),
        )
        sides = (signature.height, signature.width)
        fitting = [patch for patch in size.patches if not any(side % patch for side in sides)]
        self.patch = fitting[0] if fitting else size.patches[0]
        self.grid = (-(-sides[0] // self.patch), -(-sides[1] // self.patch))

    def default(self) -> Architecture:
        width, depth, ratio, heads = self.dimensions.default
        return self._genes(width, [ratio] * depth, [heads] * depth)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        depth = self.dimensions.depths[architecture[1]]
        layers = tuple(layer < depth for layer in range(self.deepest))
        return (True, True, *layers, *layers)

    def size(self) -> int:
        options = len(self.dimensions.ratios) * len(self.dimensions.heads)
        return len(self.dimensions.widths) * sum(int(options**depth) for depth in self.dimensions.depths)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        width, ratios, heads = self._layers(architecture)
        return {"depth": len(heads), "embed_dim": width, "mlp_ratio": ratios, "num_heads": heads}

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        self._check_keys(value)
        depth, ratios, heads = value["depth"], value["mlp_ratio"], value["num_heads"]
        if isinstance(depth, bool) or depth not in self.dimensions.depths:
            self._reject(f"has depth {depth!r}", f"one of {list(self.dimensions.depths)}")
        if not (isinstance(ratios, list) and isinstance(heads, list)):
            self._reject("has an mlp_ratio or num_heads that is no list", "lists with one item per layer")
        if not len(ratios) == len(heads) == depth:
            self._reject(
                f"lists {len(ratios)} MLP ratios and {len(heads)} numbers of heads for depth {depth}",
                "one of each per layer",
            )
        return self._genes(value["embed_dim"], ratios, heads)

    def json_schema(self) -> dict[str, Any]:
        size = self.dimensions

        def listed(options: tuple[Any, ...]) -> dict[str, Any]:
            items = {"enum": list(options)}
            return {"type": "array", "items": items, "minItems": size.depths[0], "maxItems": self.deepest}

        return {
            "type": "object",
            "properties": {
                "depth": {"enum": list(size.depths)},
                "embed_dim": {"enum": list(size.widths)},
                "mlp_ratio": listed(size.ratios),
                "num_heads": listed(size.heads),
            },
            "required": list(KEYS),
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        width, ratios, heads = self._layers(architecture)
        size = self.dimensions
        tables = 4 * (2 * size.reach + 2) * size.head_width if self.relative else 0
        total = (self.signature.channels * self.patch**2 + 1) * width + width * (self._tokens() + 1)
        for ratio, count in zip(ratios, heads, strict=True):
            inner, hidden = count * size.head_width, int(width * ratio)
            total += 4 * width + 4 * width * inner + 3 * inner + width
            total += 2 * width * hidden + hidden + width + tables
        return total + 2 * width + (width + 1) * self.signature.classes

    def macs(self, architecture: Architecture) -> int:
        width, ratios, heads = self._layers(architecture)
        tokens = self._tokens()
        total = (tokens - 1) * self.signature.channels * self.patch**2 * width
        products = 4 if self.relative else 2
        for ratio, count in zip(ratios, heads, strict=True):
            inner, hidden = count * self.dimensions.head_width, int(width * ratio)
            total += 4 * tokens * width * inner + products * tokens**2 * inner + 2 * tokens * width * hidden
        return total + width * self.signature.classes

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.autoformer import VisionTransformer

        return VisionTransformer(self._frame(), self.route(architecture))

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.autoformer import Shape, VisionTransformer

        size = self.dimensions
        hidden = int(size.largest * size.ratios[-1])
        shape = Shape(
            width=size.largest, heads=(size.heads[-1],) * self.deepest, hidden=(hidden,) * self.deepest
        )
        return VisionTransformer(self._frame(), shape)

    def route(self, architecture: Architecture) -> "Shape":
        from harness.nn.networks.autoformer import Shape

        width, ratios, heads = self._layers(architecture)
        return Shape(width=width, heads=tuple(heads), hidden=tuple(int(width * ratio) for ratio in ratios))

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.autoformer import VisionTransformer, slice_of

        if not isinstance(supernet, VisionTransformer):
            raise TypeError(f"{type(supernet).__name__} is not a supernet of {self.name}")
        return slice_of(supernet, self.route(architecture))

    def load_released(self, supernet: "nn.Module", weights: "Mapping[str, Tensor]") -> str:
        from harness.nn.networks.autoformer import VisionTransformer
        from harness.nn.released import load_autoformer

        assert isinstance(supernet, VisionTransformer)
        load_autoformer(supernet, weights)
        return "AutoFormer"

    def card(self) -> str:
        size = self.dimensions
        positions = ", relative positions" if self.relative else ""
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        example = canonical_json(self.to_json(self.default()))
        return (
            f"A vision transformer over {self.grid[0]} x {self.grid[1]} patches of {self.patch} pixels and a "
            f"class token, with learned positions{positions}, mean pooling and a linear head.\n"
            f"embed_dim (channels of every token): {list(size.widths)}\n"
            f"depth (layers): {list(size.depths)}\n"
            f"mlp_ratio (one per layer; MLP channels over embed_dim): {list(size.ratios)}\n"
            f"num_heads (one per layer; each head has {size.head_width} channels for queries, keys and "
            f"values, whatever embed_dim is): {list(size.heads)}\n"
            "mlp_ratio and num_heads have exactly depth items; no other layer exists.\n"
            f"{window}JSON form, by the example of the default: {example}"
        )

    def _tokens(self) -> int:
        return self.grid[0] * self.grid[1] + 1

    def _frame(self) -> "Frame":
        from harness.nn.networks.autoformer import Frame

        return Frame(
            channels=self.signature.channels,
            classes=self.signature.classes,
            patch=self.patch,
            grid=self.grid,
            head_width=self.dimensions.head_width,
            reach=self.dimensions.reach if self.relative else None,
        )

    def _layers(self, architecture: Architecture) -> tuple[int, list[float], list[int]]:
        size = self.dimensions
        depth = size.depths[architecture[1]]
        ratios = [size.ratios[gene] for gene in architecture[2 : 2 + depth]]
        start = 2 + self.deepest
        heads = [size.heads[gene] for gene in architecture[start : start + depth]]
        return size.widths[architecture[0]], ratios, heads

    def _genes(self, width: int, ratios: list[float], heads: list[int]) -> Architecture:
        def index(options: tuple[Any, ...], value: Any, what: str) -> int:
            if isinstance(value, bool) or value not in options:
                self._reject(f"has {what} {value!r}", f"one of {list(options)}")
            position: int = options.index(value)
            return position

        size = self.dimensions
        idle = [0] * (self.deepest - len(heads))
        genes = [index(size.widths, width, "embed_dim"), index(size.depths, len(heads), "depth")]
        genes += [index(size.ratios, ratio, "mlp_ratio") for ratio in ratios] + idle
        genes += [index(size.heads, count, "num_heads") for count in heads] + idle
        return tuple(genes)

    def _check_keys(self, value: Mapping[str, Any]) -> None:
        for key in value:
            if key not in KEYS:
                near = get_close_matches(str(key), KEYS, n=1)
                self._reject(f"has the key {key!r}", near[0] if near else ", ".join(KEYS))
        missing = [key for key in KEYS if key not in value]
        if missing:
            self._reject(f"lacks {' and '.join(missing)}", ", ".join(KEYS))

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


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
