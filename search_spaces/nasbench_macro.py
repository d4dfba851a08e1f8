"""The NAS-Bench-Macro space: eight layers, each an identity or one of two inverted bottlenecks; 6,561.

Source: Su et al. 2021 (arXiv 2103.11922). Layers 0, 2 and 5 halve the resolution and widen, where the
identity is a 1x1 convolution. MACs are those of convolutions and of the classifier, without its bias: so do
the parameters and MACs of the preset `cifar10` equal those of the published table. The default is the widest
and deepest network.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.networks.macro import Bottleneck, Chain

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
        self.name = f"nasbench_macro:{preset}"
        self.signature = signature
        self.window = window
        self.stem, *stages, self.last = WIDTHS[preset]
        outputs = [stages[sum(layer >= at for at in REDUCING) - 1] for layer in range(LAYERS)]
        strides = [2 if layer in REDUCING else 1 for layer in range(LAYERS)]
        self.layers = tuple(zip([self.stem, *outputs], outputs, strides, strict=False))
        self.choices = tuple(
            Choice(name=f"layer[{layer}]", options=OPTIONS, meaning=f"what layer {layer} is")
            for layer in range(LAYERS)
        )

    def default(self) -> Architecture:
        return (len(OPTIONS) - 1,) * LAYERS

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * LAYERS

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return tuple(architecture)

    def size(self) -> int:
        return int(len(OPTIONS) ** LAYERS)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"layers": self.route(architecture)}

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of `{"layers": [...]}`, or of eight published digits, `01222000`."""
        if isinstance(value, str):
            if len(value) != LAYERS or not set(value) <= set("012"):
                raise HarnessError(f"{value!r} is not {LAYERS} digits from 0 to 2.")
            return tuple(map(int, value))
        names = value.get("layers") if set(value) == {"layers"} else None
        if not isinstance(names, list) or len(names) != LAYERS:
            raise HarnessError(
                f'Space {self.name} wants {{"layers": [{LAYERS} option names]}}, not {dict(value)!r}.'
            )
        for name in names:
            if name not in OPTIONS:
                near = get_close_matches(str(name), OPTIONS, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(OPTIONS)}."
                raise HarnessError(f"Space {self.name} has no layer {name!r}; {hint}")
        return tuple(OPTIONS.index(name) for name in names)

    def json_schema(self) -> dict[str, Any]:
        names = {"type": "array", "items": {"enum": list(OPTIONS)}, "minItems": LAYERS, "maxItems": LAYERS}
        return {
            "type": "object",
            "properties": {"layers": names},
            "required": ["layers"],
            "additionalProperties": False,
        }

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

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.macro import ChainNetwork

        options = self._options()
        return ChainNetwork(
            self._chain(), [[options[gene]] for gene in architecture], self.route(architecture)
        )

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.macro import ChainNetwork

        return ChainNetwork(self._chain(), [self._options()] * LAYERS)

    def route(self, architecture: Architecture) -> list[str]:
        return [OPTIONS[gene] for gene in architecture]

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.slices import copy_leading

        return copy_leading(self.build(architecture), supernet)

    def card(self) -> str:
        options = "\n".join(f"- {name}: {meaning}" for name, meaning in zip(OPTIONS, MEANINGS, strict=True))
        reducing = ", ".join(map(str, REDUCING))
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        return (
            f"A chain of {LAYERS} layers between a stem and a classifier of images; layers {reducing} halve "
            f"the resolution and widen.\nOne choice per layer, in order, each one of:\n{options}\n{window}"
            f"JSON form, one name per layer: {canonical_json(self.to_json((0, 1, 2, 1, 0, 2, 2, 1)))}\n"
            "Every choice is always active."
        )

    def _chain(self) -> "Chain":
        from harness.nn.networks.macro import Chain, Layer

        layers = tuple(Layer(*layer) for layer in self.layers)
        return Chain(self.signature.channels, layers, self.last, self.signature.classes)

    def _options(self) -> "list[tuple[str, Bottleneck | None]]":
        from harness.nn.networks.macro import Bottleneck

        shapes = [None if shape is None else Bottleneck(*shape) for shape in SHAPES]
        return list(zip(OPTIONS, shapes, strict=True))


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
