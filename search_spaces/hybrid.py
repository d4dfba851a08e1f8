"""Hybrid sequence mixers: the diversity ladder, from an elastic transformer to all mixer families.

One block form for bytes and for image patches; a layer has a mixer family and an MLP ratio, the network a
width and a depth. Mixers are matched in parameters (see harness/nn/counts.py), so that a more diverse rung is
not a larger one. The default of every rung is the same plain transformer.
"""

from dataclasses import dataclass
from typing import Any

from harness import Architecture, Choice, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily
from harness.nn.counts import FAMILIES, mixer_macs, mixer_parameters, shell_parameters

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
        self.dimensions = size
        self.is_grid = signature.kind == "image"
        self.reads: dict[str, Any] = {"is_grid": self.is_grid, "is_pooled": signature.kind == "text"}
        self.families = tuple(family for family in families if self.is_grid or family != "pooling")
        self.tokens = signature.context
        self.patched: dict[str, int] = {}
        if self.is_grid:
            self.tokens = (signature.height // PATCH) * (signature.width // PATCH)
            self.patched = {"pixels": signature.channels * PATCH**2, "patches": self.tokens}
        width, depth, ratio = size.default
        mixer = "mixer of layer {}"
        super().__init__(
            name,
            signature,
            window,
            parts=(
                Choice(name="width", options=size.widths, meaning="channels of every token"),
                Choice(name="depth", options=size.depths, meaning="number of layers"),
                ChoiceList(
                    name="mlp_ratio", options=size.ratios, meaning="MLP ratio of layer {}", length="depth"
                ),
                ChoiceList(name="mixers", options=self.families, meaning=mixer, length="depth"),
            ),
            default={"width": width, "depth": depth, "mlp_ratio": ratio, "mixers": "attention"},
            about=f"A network of {size.depths[0]} to {size.depths[-1]} layers over {self.tokens} tokens. All "
            "mixers have about the same parameters.",
        )

    def parameters(self, architecture: Architecture) -> int:
        value = self.to_json(architecture)
        width = value["width"]
        hidden = sum([int(width * ratio) for ratio in value["mlp_ratio"]])
        layers = 2 * width * (value["depth"] + hidden)
        layers += sum([mixer_parameters(family, width) for family in value["mixers"]])
        return int(layers + shell_parameters(width, self.signature.classes, **self.patched))

    def macs(self, architecture: Architecture) -> int:
        value = self.to_json(architecture)
        width, tokens = value["width"], self.tokens
        hidden = sum([int(width * ratio) for ratio in value["mlp_ratio"]])
        total = tokens * width * (self.signature.classes + 2 * hidden)
        total += sum([mixer_macs(family, width, tokens) for family in value["mixers"]])
        if not self.is_grid:
            return int(total)
        return int(total + tokens * self.signature.channels * PATCH**2 * width)

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.hybrid import HybridNet, HybridShape

        width, deepest = max(self.dimensions.widths), self.dimensions.depths[-1]
        hidden = (int(width * max(self.dimensions.ratios)),) * deepest
        largest = HybridShape(width=width, mixers=(self.families[0],) * deepest, hidden=hidden)

        def route(architecture: Architecture) -> HybridShape:
            value = self.to_json(architecture)
            hidden = tuple(int(value["width"] * ratio) for ratio in value["mlp_ratio"])
            return HybridShape(width=value["width"], mixers=tuple(value["mixers"]), hidden=hidden)

        return Networks(
            name=self.name,
            route=route,
            alone=lambda shape: HybridNet(
                self.signature, [[family] for family in shape.mixers], shape, **self.reads
            ),
            supernet=lambda: HybridNet(self.signature, [self.families] * deepest, largest, **self.reads),
        )


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
