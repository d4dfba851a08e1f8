"""The once-for-all MobileNetV3 space: depth, kernel and expansion of inverted bottlenecks, and resolution.

Source: Cai et al. 2020 (arXiv 1908.09791). MACs are those of convolutions, gates and linear layers; for
BatchNorm, biases, pooling and the resizing of images nothing is counted. `w1.0` and `w1.2` choose the
resolution too: images of any size are resized to it. `micro` takes the images as they come. The default of
every preset is the plain middle: kernel 5, expansion 4, the middle depth, and resolution 224.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.nn.networks.mobilenet import Frame, Route
    from harness.nn.slices import Reordering

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
REDUCTION = 4
"""Expanded channels over squeezed channels of a gate."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """The fixed part of a preset.

    Attributes:
        stem: channels of the first convolution.
        stem_stride: its stride.
        first: channels of the fixed first block.
        widths: output channels of each stage.
        strides: stride of each stage's first block.
        activations: activation of each stage.
        gated: whether the blocks of each stage squeeze and excite.
        depths: how many blocks a stage may have.
        final: channels of the last 1x1 convolution before pooling.
        last: channels after pooling.
        resolutions: sides in pixels; empty where images are taken as they come.
    """

    stem: int
    stem_stride: int
    first: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    activations: tuple[str, ...]
    gated: tuple[bool, ...]
    depths: tuple[int, ...]
    final: int
    last: int
    resolutions: tuple[int, ...] = ()


def rounded(channels: float) -> int:
    """Returns the multiple of 8 that is nearest, or the next where the nearest is over 10 % smaller."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _published(multiplier: float) -> Design:
    stem, first, *widths, final, last = (
        rounded(multiplier * width) for width in (16, 16, 24, 40, 80, 112, 160, 960, 1280)
    )
    return Design(
        stem=stem,
        stem_stride=2,
        first=first,
        widths=tuple(widths),
        strides=(2, 2, 2, 1, 2),
        activations=("relu", "relu", "hswish", "hswish", "hswish"),
        gated=(False, True, False, True, True),
        depths=(2, 3, 4),
        final=final,
        last=last,
        resolutions=tuple(range(128, 225, 4)),
    )


DESIGNS = {
    "w1.0": _published(1.0),
    "w1.2": _published(1.2),
    "micro": Design(
        stem=16,
        stem_stride=2,
        first=16,
        widths=(16, 24, 32),
        strides=(1, 2, 2),
        activations=("relu", "relu", "hswish"),
        gated=(False, True, True),
        depths=(1, 2, 3),
        final=96,
        last=128,
    ),
}


class MobileSpace(SearchSpace):
    """Genes in order: resolution (where it is chosen), depths, kernels, expansions."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.name = f"mobilenet:{preset}"
        self.signature = signature
        self.window = window
        self.design = DESIGNS[preset]
        self.deepest = self.design.depths[-1]
        stages = range(len(self.design.widths))
        blocks = range(len(stages) * self.deepest)
        choices = [Choice(name="r", options=self.design.resolutions, meaning="side of the image in pixels")]
        choices = choices if self.design.resolutions else []
        self.offset = len(choices)
        choices += [
            Choice(name=f"d[{stage}]", options=self.design.depths, meaning=f"blocks of stage {stage}")
            for stage in stages
        ]
        for name, options, what in (("ks", KERNELS, "kernel"), ("e", EXPANSIONS, "expansion")):
            choices += [
                Choice(name=f"{name}[{index}]", options=options, meaning=f"{what} of block {index}")
                for index in blocks
            ]
        self.choices = tuple(choices)
        self.lengths = {"d": len(stages), "ks": len(blocks), "e": len(blocks)}

    def default(self) -> Architecture:
        blocks = self.lengths["ks"]
        middle = [1] * self.lengths["d"] + [KERNELS.index(5)] * blocks + [EXPANSIONS.index(4)] * blocks
        return self.canonical(([len(self.design.resolutions) - 1] if self.offset else []) + middle)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        stages = self.lengths["d"]
        depths = architecture[self.offset : self.offset + stages]
        blocks = tuple(
            position < self.design.depths[gene] for gene in depths for position in range(self.deepest)
        )
        return (True,) * (self.offset + stages) + blocks + blocks

    def size(self) -> int:
        options = len(KERNELS) * len(EXPANSIONS)
        stage = sum(int(options**depth) for depth in self.design.depths)
        return max(1, len(self.design.resolutions)) * int(stage ** self.lengths["d"])

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        chosen = [choice.options[gene] for choice, gene in zip(self.choices, architecture, strict=True)]
        value: dict[str, Any] = {"r": chosen[0]} if self.offset else {}
        start = self.offset
        for name, length in self.lengths.items():
            value[name] = chosen[start : start + length]
            start += length
        return value

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        """Returns the architecture of `{"r": side, "d": [...], "ks": [...], "e": [...]}`.

        `r` may also be a list of one, as published, and is absent where the space does not choose it. What
        the lists say about blocks beyond a stage's depth is not read.
        """
        known = (["r"] if self.offset else []) + list(self.lengths)
        if set(value) != set(known):
            near = {key: get_close_matches(str(key), known, n=1) for key in set(value) - set(known)}
            hint = "".join(f" (did you mean {one[0]}?)" for one in near.values() if one)
            self._reject(f"has the keys {sorted(map(str, value))}{hint}", f"exactly {', '.join(known)}")
        for name, length in self.lengths.items():
            listed = value[name]
            if not isinstance(listed, list | tuple) or len(listed) != length:
                self._reject(f"has {name} {listed!r}", f"a list of {length} numbers")
        genes: list[int] = []
        if self.offset:
            side = value["r"]
            side = side[0] if isinstance(side, list | tuple) and len(side) == 1 else side
            genes.append(self._gene(0, side))
        genes += [self._gene(self.offset + stage, depth) for stage, depth in enumerate(value["d"])]
        used = self.active(tuple(genes))
        for item in (*value["ks"], *value["e"]):
            index = len(genes)
            genes.append(self._gene(index, item) if used[index] else 0)
        return tuple(genes)

    def json_schema(self) -> dict[str, Any]:
        options = {"d": self.design.depths, "ks": KERNELS, "e": EXPANSIONS}
        properties: dict[str, Any] = {
            name: {
                "type": "array",
                "items": {"enum": list(options[name])},
                "minItems": length,
                "maxItems": length,
            }
            for name, length in self.lengths.items()
        }
        if self.offset:
            properties["r"] = {"enum": list(self.design.resolutions)}
        return {
            "type": "object",
            "properties": properties,
            "required": sorted(properties),
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        design = self.design
        classes, channels = self.signature.classes, self.signature.channels
        total = 9 * channels * design.stem + 2 * design.stem
        total += 9 * design.stem + 2 * design.stem + design.stem * design.first + 2 * design.first
        width = design.first
        for outputs, blocks in zip(design.widths, self._stages(architecture), strict=True):
            for kernel, middle, squeeze in blocks:
                total += middle * (width + kernel * kernel + outputs + 4) + 2 * outputs
                if squeeze:
                    total += 2 * middle * squeeze + middle + squeeze
                width = outputs
        head = design.last * classes + classes
        return total + width * design.final + 2 * design.final + design.final * design.last + head

    def macs(self, architecture: Architecture) -> int:
        design = self.design
        height, length = self._size(architecture)
        height, length = -(-height // design.stem_stride), -(-length // design.stem_stride)
        fixed = design.stem * (9 * self.signature.channels + 9 + design.first)
        total = fixed * height * length
        width = design.first
        for index, blocks in enumerate(self._stages(architecture)):
            outputs, stride = design.widths[index], design.strides[index]
            for kernel, middle, squeeze in blocks:
                total += width * middle * height * length
                height, length = -(-height // stride), -(-length // stride)
                total += middle * (kernel * kernel + outputs) * height * length + 2 * middle * squeeze
                width, stride = outputs, 1
        total += width * design.final * height * length
        return total + design.last * (design.final + self.signature.classes)

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.mobilenet import MobileNet

        return MobileNet(self._frame(), self.route(architecture))

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.mobilenet import MobileNet

        largest = [len(choice.options) - 1 for choice in self.choices]
        return MobileNet(self._frame(), self.route(tuple(largest)), KERNELS)

    def route(self, architecture: Architecture) -> "Route":
        from harness.nn.networks.mobilenet import Inner, Route

        side = self.design.resolutions[architecture[0]] if self.offset else None
        stages = self._stages(architecture)
        return Route(side, tuple(tuple(Inner(*block) for block in blocks) for blocks in stages))

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.mobilenet import MobileNet, slice_of

        if not isinstance(supernet, MobileNet):
            raise TypeError(f"{type(supernet).__name__} is not a supernet of {self.name}")
        return slice_of(supernet, self.route(architecture))

    def stages(self) -> list[tuple[int, ...]]:
        """Returns resolution, kernels, depths and expansions, in the order of once-for-all."""
        order = ("r", "ks", "d", "e")
        stems = [choice.name.partition("[")[0] for choice in self.choices]
        groups = [tuple(index for index, stem in enumerate(stems) if stem == name) for name in order]
        return [group for group in groups if group]

    def rearrange(self, supernet: "nn.Module") -> "list[Reordering]":
        from harness.nn.networks.mobilenet import MobileNet, sort_channels

        assert isinstance(supernet, MobileNet)
        return sort_channels(supernet)

    def load_released(self, supernet: "nn.Module", weights: "Mapping[str, Tensor]") -> str:
        from harness.nn.networks.mobilenet import MobileNet
        from harness.nn.released import load_once_for_all

        assert isinstance(supernet, MobileNet)
        load_once_for_all(supernet, weights)
        return "once-for-all"

    def card(self) -> str:
        design, stages = self.design, self.lengths["d"]
        resolution = ""
        if self.offset:
            sides = design.resolutions
            resolution = f"r (side of the image in pixels): {sides[0]} to {sides[-1]} in steps of 4\n"
        gated = ", ".join(str(stage) for stage, gate in enumerate(design.gated) if gate)
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        return (
            f"A MobileNetV3: a stem, then {stages} stages of {design.depths[0]} to {self.deepest} inverted "
            f"bottleneck blocks, of output widths {list(design.widths)} and strides {list(design.strides)}; "
            f"stages {gated} squeeze and excite.\n{resolution}"
            f"d (blocks of each stage, {stages} numbers): {list(design.depths)}\n"
            f"ks (depth-wise kernel of each block, {self.lengths['ks']} numbers): {list(KERNELS)}\n"
            f"e (expansion of each block, {self.lengths['e']} numbers): {list(EXPANSIONS)}\n"
            f"Block {self.deepest} * stage + position, all counted from 0, is the one at a position of a "
            "stage; its ks and e are inactive (write 3) where the position is not below d of the stage.\n"
            f"{window}Example: {canonical_json(self.to_json(self.default()))}"
        )

    def _size(self, architecture: Architecture) -> tuple[int, int]:
        """Returns height and width of the images that the network sees."""
        if not self.offset:
            return self.signature.height, self.signature.width
        side = self.design.resolutions[architecture[0]]
        return side, side

    def _stages(self, architecture: Architecture) -> list[list[tuple[int, int, int]]]:
        """Returns (kernel, expanded channels, squeezed channels) of every block that runs, by stage."""
        stages: list[list[tuple[int, int, int]]] = []
        kernels = self.offset + self.lengths["d"]
        expansions = kernels + self.lengths["ks"]
        width = self.design.first
        for stage, outputs in enumerate(self.design.widths):
            blocks: list[tuple[int, int, int]] = []
            start = stage * self.deepest
            for index in range(start, start + self.design.depths[architecture[self.offset + stage]]):
                middle = rounded(width * EXPANSIONS[architecture[expansions + index]])
                squeeze = rounded(middle // REDUCTION) if self.design.gated[stage] else 0
                blocks.append((KERNELS[architecture[kernels + index]], middle, squeeze))
                width = outputs
            stages.append(blocks)
        return stages

    def _frame(self) -> "Frame":
        from harness.nn.networks.mobilenet import Frame, Stage

        design = self.design
        return Frame(
            channels=self.signature.channels,
            stem=design.stem,
            stem_stride=design.stem_stride,
            first=design.first,
            stages=tuple(map(Stage, design.widths, design.strides, design.activations)),
            final=design.final,
            last=design.last,
            classes=self.signature.classes,
        )

    def _gene(self, index: int, value: Any) -> int:
        choice = self.choices[index]
        if isinstance(value, bool) or value not in choice.options:
            options = list(choice.options)
            wanted = (
                f"one of {options}" if len(options) < 10 else f"{options[0]} to {options[-1]} in steps of 4"
            )
            self._reject(f"has {choice.name} {value!r}", wanted)
        return choice.options.index(value)

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


_IMAGENET = Signature(kind="image", classes=1000, channels=3, height=224, width=224)

SPACE = SpaceFamily(
    summary="Once-for-all MobileNetV3: depth, kernel, expansion and resolution of inverted bottlenecks.",
    presets={"w1.0": _IMAGENET, "w1.2": _IMAGENET, "micro": Signature(kind="image", classes=10)},
    bind=MobileSpace,
    default_preset="w1.0",
    kinds=("image",),
)
