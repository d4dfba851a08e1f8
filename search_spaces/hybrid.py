"""Hybrid sequence mixers: the diversity ladder, from an elastic transformer to all mixer families.

One block form for bytes and for image patches; a layer has a mixer family and an MLP ratio, the network a
width and a depth. Mixers are matched in parameters (see harness/nn/counts.py), so that a more diverse rung is
not a larger one. The default of every rung is the same plain transformer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json
from harness.nn.counts import FAMILIES, mixer_macs, mixer_parameters

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.networks.hybrid import Shape

PATCH = 4
IMAGE = Signature(kind="image", classes=10, channels=1, height=28, width=28)
RUNGS: dict[str, tuple[str, ...]] = {
    "attention": ("attention",),
    "linear": ("attention", "local", "linear"),
    "convolution": ("attention", "local", "linear", "convolution"),
    "hybrid": FAMILIES,
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """The shape options of a preset.

    Attributes:
        widths: channels of a token, multiples of the head width.
        depths: layers, ascending.
        ratios: MLP width over token width.
        default: width, depth and ratio of the plain transformer.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    ratios: tuple[float, ...]
    default: tuple[int, int, float]


SIZES = {
    "micro": Size(
        widths=(32, 48, 64), depths=(2, 3, 4), ratios=(1.0, 1.5, 2.0, 2.5, 3.0), default=(48, 3, 2.0)
    ),
    "mini": Size(widths=(80, 96, 112, 128), depths=(2, 3, 4), ratios=(1.0, 2.0, 3.0), default=(112, 3, 2.0)),
    "small": Size(widths=(128, 192, 256), depths=(4, 6, 8), ratios=(2.0, 3.0, 4.0), default=(192, 6, 3.0)),
}


class HybridSpace(SearchSpace):
    """Genes in order: width, depth, a ratio per layer, then (where there are several) a mixer per layer."""

    def __init__(
        self,
        name: str,
        size: Size,
        families: tuple[str, ...],
        signature: Signature,
        window: tuple[int, int] | None,
    ) -> None:
        self.name = name
        self.signature = signature
        self.window = window
        self.dimensions = size
        self.is_grid = signature.kind == "image"
        self.reads = {"is_grid": self.is_grid, "is_pooled": signature.kind == "text"}
        self.families = tuple(family for family in families if self.is_grid or family != "pooling")
        self.deepest = size.depths[-1]
        choices = [
            Choice(name="width", options=size.widths, meaning="channels of every token"),
            Choice(name="depth", options=size.depths, meaning="number of layers"),
        ]
        choices += [
            Choice(name=f"mlp_ratio[{layer}]", options=size.ratios, meaning=f"MLP ratio of layer {layer}")
            for layer in range(self.deepest)
        ]
        if len(self.families) > 1:
            choices += [
                Choice(name=f"mixers[{layer}]", options=self.families, meaning=f"mixer of layer {layer}")
                for layer in range(self.deepest)
            ]
        self.choices = tuple(choices)
        if self.is_grid:
            self.tokens = (signature.height // PATCH) * (signature.width // PATCH)
        else:
            self.tokens = signature.context

    def default(self) -> Architecture:
        width, depth, ratio = self.dimensions.default
        return self._genes(width, ["attention"] * depth, [ratio] * depth)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        depth = self._depth(architecture)
        layers = tuple(layer < depth for layer in range(self.deepest))
        return (True, True, *layers, *(layers if len(self.families) > 1 else ()))

    def size(self) -> int:
        options = len(self.dimensions.ratios) * len(self.families)
        per_width = sum(int(options**depth) for depth in self.dimensions.depths)
        return len(self.dimensions.widths) * per_width

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        width, mixers, ratios = self._layers(architecture)
        return {"width": width, "depth": len(mixers), "mixers": mixers, "mlp_ratio": ratios}

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        if set(value) != {"width", "depth", "mixers", "mlp_ratio"}:
            self._reject(f"has the keys {sorted(value)}", "width, depth, mixers and mlp_ratio")
        mixers, ratios = value["mixers"], value["mlp_ratio"]
        if value["depth"] not in self.dimensions.depths:
            self._reject(f"has depth {value['depth']!r}", f"one of {list(self.dimensions.depths)}")
        if not (isinstance(mixers, list) and isinstance(ratios, list)):
            self._reject("has mixers or mlp_ratio that are not lists", "lists with one item per layer")
        if not len(mixers) == len(ratios) == value["depth"]:
            self._reject(
                f"lists {len(mixers)} mixers and {len(ratios)} ratios for depth {value['depth']}",
                "one of each per layer",
            )
        return self._genes(value["width"], mixers, ratios)

    def json_schema(self) -> dict[str, Any]:
        def listed(options: tuple[Any, ...]) -> dict[str, Any]:
            depths = self.dimensions.depths
            return {
                "type": "array",
                "items": {"enum": list(options)},
                "minItems": depths[0],
                "maxItems": depths[-1],
            }

        return {
            "type": "object",
            "properties": {
                "width": {"enum": list(self.dimensions.widths)},
                "depth": {"enum": list(self.dimensions.depths)},
                "mixers": listed(self.families),
                "mlp_ratio": listed(self.dimensions.ratios),
            },
            "required": ["width", "depth", "mixers", "mlp_ratio"],
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        width, mixers, ratios = self._layers(architecture)
        layers = sum(
            2 * width + mixer_parameters(family, width) + 2 * width * int(width * ratio)
            for family, ratio in zip(mixers, ratios, strict=True)
        )
        if not self.is_grid:
            classes = self.signature.classes
            return 256 * width + layers + width + classes * width + classes
        embed = self.signature.channels * PATCH**2 * width + width
        classes = self.signature.classes
        return embed + layers + width + self.tokens * width * classes + classes

    def macs(self, architecture: Architecture) -> int:
        width, mixers, ratios = self._layers(architecture)
        layers = sum(
            mixer_macs(family, width, self.tokens) + 2 * width * int(width * ratio) * self.tokens
            for family, ratio in zip(mixers, ratios, strict=True)
        )
        head = self.tokens * width * self.signature.classes
        if not self.is_grid:
            return layers + head
        return self.tokens * self.signature.channels * PATCH**2 * width + layers + head

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.hybrid import HybridNet

        shape = self.route(architecture)
        return HybridNet(self.signature, [[family] for family in shape.mixers], shape, **self.reads)

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.hybrid import HybridNet, Shape

        width = max(self.dimensions.widths)
        hidden = int(width * max(self.dimensions.ratios))
        shape = Shape(width=width, mixers=(self.families[0],) * self.deepest, hidden=(hidden,) * self.deepest)
        return HybridNet(self.signature, [self.families] * self.deepest, shape, **self.reads)

    def route(self, architecture: Architecture) -> "Shape":
        from harness.nn.networks.hybrid import Shape

        width, mixers, ratios = self._layers(architecture)
        return Shape(width=width, mixers=tuple(mixers), hidden=tuple(int(width * ratio) for ratio in ratios))

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.hybrid import HybridNet, slice_of

        if not isinstance(supernet, HybridNet):
            raise TypeError(f"{type(supernet).__name__} is not a supernet of {self.name}")
        return slice_of(supernet, self.route(architecture))

    def card(self) -> str:
        size = self.dimensions
        example = canonical_json(self.to_json(self.default()))
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        return (
            f"A network of {size.depths[0]} to {size.depths[-1]} layers over {self.tokens} tokens.\n"
            f"width (channels): {list(size.widths)}\ndepth (layers): {list(size.depths)}\n"
            f"mixers (one per layer): {list(self.families)}\n"
            f"mlp_ratio (one per layer): {list(size.ratios)}\n"
            f"Lists have exactly depth items; all mixers have about the same parameters.\n{window}"
            f"Example: {example}"
        )

    def _depth(self, architecture: Architecture) -> int:
        return self.dimensions.depths[architecture[1]]

    def _layers(self, architecture: Architecture) -> tuple[int, list[str], list[float]]:
        depth = self._depth(architecture)
        ratios = [self.dimensions.ratios[gene] for gene in architecture[2 : 2 + depth]]
        if len(self.families) == 1:
            mixers = [self.families[0]] * depth
        else:
            start = 2 + self.deepest
            mixers = [self.families[gene] for gene in architecture[start : start + depth]]
        return self.dimensions.widths[architecture[0]], mixers, ratios

    def _genes(self, width: int, mixers: list[str], ratios: list[float]) -> Architecture:
        def index(options: tuple[Any, ...], value: Any, what: str) -> int:
            if isinstance(value, bool) or value not in options:
                self._reject(f"has {what} {value!r}", f"one of {list(options)}")
            position: int = options.index(value)
            return position

        idle = [0] * (self.deepest - len(mixers))
        genes = [index(self.dimensions.widths, width, "width")]
        genes.append(index(self.dimensions.depths, len(mixers), "depth"))
        genes += [index(self.dimensions.ratios, ratio, "mlp_ratio") for ratio in ratios] + idle
        named = [index(self.families, family, "mixer") for family in mixers]
        return tuple(genes + (named + idle if len(self.families) > 1 else []))

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


def _bind(preset: str, signature: Signature, window: tuple[int, int] | None) -> SearchSpace:
    size, _, rung = preset.partition("-")
    return HybridSpace(f"hybrid:{preset}", SIZES[size], RUNGS[rung or "hybrid"], signature, window)


SPACE = SpaceFamily(
    summary="Matched sequence mixers in one block form: from an elastic transformer to all families.",
    presets={(size if rung == "hybrid" else f"{size}-{rung}"): IMAGE for size in SIZES for rung in RUNGS},
    bind=_bind,
    default_preset="micro",
    kinds=("image", "bytes", "text"),
)
