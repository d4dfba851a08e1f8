"""The once-for-all MobileNetV3 space: depth, kernel and expansion of inverted bottlenecks, and resolution.

Source: Cai et al. 2020 (arXiv 1908.09791). MACs are those of convolutions, gates and linear layers; for
BatchNorm, biases, pooling and the resizing of images nothing is counted. `w1.0` and `w1.2` choose the
resolution too: images of any size are resized to it. `micro` takes the images as they come. The default of
every preset is the plain middle: kernel 5, expansion 4, the middle depth, and resolution 224.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from harness import Architecture, Choice, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily
from harness.nn.designs import MobileDesign, MobileInner, Route

KERNELS = (3, 5, 7)
EXPANSIONS = (3, 4, 6)
REDUCTION = 4
"""Expanded channels over squeezed channels of a gate."""


@cache
def rounded(channels: float) -> int:
    """Returns the multiple of 8 that is nearest, or the next where the nearest is over 10 % smaller."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def _published(multiplier: float) -> MobileDesign:
    stem, first, *widths, final, last = (
        rounded(multiplier * width) for width in (16, 16, 24, 40, 80, 112, 160, 960, 1280)
    )
    return MobileDesign(
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
    "micro": MobileDesign(
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
        design = self.design = DESIGNS[preset]
        side = Choice(name="r", options=design.resolutions, meaning="side of the image in pixels")
        count, deepest = len(design.widths), design.depths[-1]
        gated = ", ".join(str(stage) for stage, gate in enumerate(design.gated) if gate)
        default = {"d": design.depths[1], "ks": 5, "e": 4}
        super().__init__(
            f"mobilenet:{preset}",
            signature,
            window,
            parts=(
                *([side] if design.resolutions else []),
                ChoiceList(name="d", options=design.depths, meaning="blocks of stage {}", length=count),
                ChoiceList(name="ks", options=KERNELS, meaning="kernel of block {}", length="d"),
                ChoiceList(name="e", options=EXPANSIONS, meaning="expansion of block {}", length="d"),
            ),
            default=({"r": design.resolutions[-1]} if design.resolutions else {}) | default,
            about=f"A MobileNetV3: a stem, then {count} stages of {design.depths[0]} to {deepest} inverted "
            f"bottleneck blocks, of output widths {list(design.widths)} and strides {list(design.strides)}; "
            f"stages {gated} squeeze and excite. Block {deepest} * stage + position, all counted from 0, is "
            "the one at a position of a stage.",
        )

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of a JSON form, where `r` may also be a list of one, as published."""
        if isinstance(value, Mapping) and isinstance(value.get("r"), list | tuple) and len(value["r"]) == 1:
            value = {**value, "r": value["r"][0]}
        return super().from_json(value)

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
        height, length = self.signature.height, self.signature.width
        if design.resolutions:
            height = length = design.resolutions[architecture[0]]
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

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.mobilenet import MobileNet, sort_channels, transformed_kernels
        from harness.nn.released import load_once_for_all

        design, signature = self.design, self.signature

        def route(architecture: Architecture) -> Route:
            side = design.resolutions[architecture[0]] if design.resolutions else None
            return Route(side, tuple(map(tuple, self._stages(architecture))))

        return Networks(
            name=self.name,
            route=route,
            alone=lambda route: MobileNet(design, signature, route),
            supernet=lambda: MobileNet(design, signature, route(self.last_options()), KERNELS),
            given=transformed_kernels,
            rearrange=sort_channels,
            load=("once-for-all", load_once_for_all),
        )

    def stages(self) -> list[tuple[int, ...]]:
        """Returns resolution, kernels, depths and expansions, in the order of once-for-all."""
        *side, depths, kernels, expansions = self.form.groups()
        return [*side, kernels, depths, expansions]

    def _stages(self, architecture: Architecture) -> list[list[MobileInner]]:
        """Returns the blocks that run, by stage."""
        value = self.to_json(architecture)
        kernels, expansions = value["ks"], value["e"]
        stages: list[list[MobileInner]] = []
        width, start = self.design.first, 0
        for stage, outputs in enumerate(self.design.widths):
            blocks: list[MobileInner] = []
            for index in range(start, start + value["d"][stage]):
                middle = rounded(width * expansions[index])
                squeeze = rounded(middle // REDUCTION) if self.design.gated[stage] else 0
                blocks.append(MobileInner(kernels[index], middle, squeeze))
                width = outputs
            stages.append(blocks)
            start += self.design.depths[-1]
        return stages


_IMAGENET = Signature(kind="image", classes=1000, channels=3, height=224, width=224)

SPACE = SpaceFamily(
    summary="Once-for-all MobileNetV3: depth, kernel, expansion and resolution of inverted bottlenecks.",
    presets={"w1.0": _IMAGENET, "w1.2": _IMAGENET, "micro": Signature(kind="image", classes=10)},
    bind=MobileSpace,
    default_preset="w1.0",
    kinds=("image",),
)
