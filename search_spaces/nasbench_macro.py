"""The NAS-Bench-Macro space: eight layers, each an identity or one of two inverted bottlenecks; 6,561.

Source: Su et al. 2021 (arXiv 2103.11922). Layers 0, 2 and 5 halve the resolution and widen, where the
identity is a 1x1 convolution. MACs are those of convolutions and of the classifier, without its bias: so do
the parameters and MACs of the preset `cifar10` equal those of the published table. The default is the widest
and deepest network.
"""

from typing import Any

from harness import Architecture, ChoiceList, HarnessError, Networks, SearchSpace, Signature, SpaceFamily

OPTIONS = ("identity", "mb3_k3", "mb6_k5")
MEANINGS = (
    "identity, or a 1x1 convolution where the layer changes the shape",
    "inverted bottleneck: 1x1 to 3 times the channels, depth-wise 3x3, 1x1",
    "inverted bottleneck: 1x1 to 6 times the channels, depth-wise 5x5, 1x1",
)
SHAPES = (None, (3, 3), (6, 5))
"""Expansion and kernel of each option; None for the identity."""
LAYERS = 8
REDUCING = (0, 2, 5)
"""Layers with stride 2, each to its next width."""
WIDTHS = {"cifar10": (32, 64, 128, 256, 1280), "micro": (8, 16, 24, 32, 64)}
"""Channels of the stem, of the three stages, and after the last layer."""


class MacroSpace(SearchSpace):
    """One of three options in each of eight layers."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.stem, *stages, self.last = WIDTHS[preset]
        outputs = [stages[sum(layer >= at for at in REDUCING) - 1] for layer in range(LAYERS)]
        strides = [2 if layer in REDUCING else 1 for layer in range(LAYERS)]
        self.layers = tuple(zip([self.stem, *outputs], outputs, strides, strict=False))
        told = "; ".join(f"{name} is {meaning}" for name, meaning in zip(OPTIONS, MEANINGS, strict=True))
        layers = ChoiceList(
            name="layer", key="layers", options=OPTIONS, meaning="what layer {} is", length=LAYERS
        )
        super().__init__(
            f"nasbench_macro:{preset}",
            signature,
            window,
            parts=(layers,),
            default={"layers": OPTIONS[-1]},
            example={"layers": [OPTIONS[gene] for gene in (0, 1, 2, 1, 0, 2, 2, 1)]},
            about=f"A chain of {LAYERS} layers between a stem and a classifier of images; layers "
            f"{', '.join(map(str, REDUCING))} halve the resolution and widen. {told}.",
        )

    def from_text(self, text: str) -> dict[str, Any]:
        """Returns the form of eight published digits, `01222000`."""
        if len(text) != LAYERS or not set(text) <= set("012"):
            raise HarnessError(f"{text!r} is not {LAYERS} digits from 0 to 2.")
        return {"layers": [OPTIONS[int(digit)] for digit in text]}

    def parameters(self, architecture: Architecture) -> int:
        total = 9 * self.signature.channels * self.stem + 2 * self.stem
        for gene, (inputs, outputs, stride) in zip(architecture, self.layers, strict=True):
            shape = SHAPES[gene]
            if shape is not None:
                expansion, kernel = shape
                middle = inputs * expansion
                total += middle * (inputs + kernel * kernel + outputs) + 4 * middle + 2 * outputs
            elif (inputs, stride) != (outputs, 1):
                total += inputs * outputs + 2 * outputs
        widest = self.layers[-1][1]
        return total + widest * self.last + 2 * self.last + (self.last + 1) * self.signature.classes

    def macs(self, architecture: Architecture) -> int:
        pixels = self.signature.height * self.signature.width
        height, length = self.signature.height, self.signature.width
        total = 9 * self.signature.channels * self.stem * pixels
        for gene, (inputs, outputs, stride) in zip(architecture, self.layers, strict=True):
            before, shape = height * length, SHAPES[gene]
            height, length = (height + stride - 1) // stride, (length + stride - 1) // stride
            pixels = height * length
            if shape is not None:
                expansion, kernel = shape
                middle = inputs * expansion
                total += middle * (inputs * before + (kernel * kernel + outputs) * pixels)
            elif (inputs, stride) != (outputs, 1):
                total += inputs * outputs * pixels
        widest = self.layers[-1][1]
        return total + widest * self.last * pixels + self.last * self.signature.classes

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.macro import ChainNetwork

        around = (self.layers, self.last, self.signature)
        options = dict(zip(OPTIONS, SHAPES, strict=True))
        return Networks(
            name=self.name,
            route=lambda architecture: self.to_json(architecture)["layers"],
            alone=lambda route: ChainNetwork(*around, [[(name, options[name])] for name in route], route),
            supernet=lambda: ChainNetwork(*around, [list(options.items())] * LAYERS),
        )


SPACE = SpaceFamily(
    summary="NAS-Bench-Macro: an identity or one of two inverted bottlenecks in each of eight layers.",
    presets={
        "cifar10": Signature(kind="image", classes=10, channels=3, height=32, width=32),
        "micro": Signature(kind="image", classes=10),
    },
    bind=MacroSpace,
    default_preset="cifar10",
    kinds=("image",),
)
