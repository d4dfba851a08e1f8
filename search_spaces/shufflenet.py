"""The ShuffleNetV2 space of single-path one-shot search (SPOS): one of four blocks at each of 20 places.

Source: Guo et al. 2020 (arXiv 1904.00420). MACs are those of convolutions and of the classifier, which has no
bias. `paper` and `micro` keep every inner width at half the outputs; `paper-scales` and `micro-scales` choose
a scale of it per block too. The default is the plain ShuffleNetV2: every block 3x3, every scale 1. BatchNorms
of a supernet have no scale and shift, as in the paper; those of a stand-alone network do.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from harness import Architecture, ChoiceList, HarnessError, Networks, SearchSpace, Signature, SpaceFamily
from harness.nn.designs import ShuffleDesign, ShuffleInner

BLOCKS = (0, 1, 2, 3)
MEANINGS = (
    "shuffle block with a 3x3 depth-wise convolution",
    "shuffle block with a 5x5 one",
    "shuffle block with a 7x7 one",
    "Xception block with three 3x3 ones",
)
XCEPTION = 3
SCALES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)

DESIGNS = {
    "paper": ShuffleDesign(
        stem=16, stem_stride=2, repeats=(4, 4, 8, 4), widths=(64, 160, 320, 640), head=1024, dropout=0.1
    ),
    "micro": ShuffleDesign(
        stem=16, stem_stride=1, repeats=(2, 2, 2), widths=(32, 64, 128), head=256, dropout=0.0
    ),
}


class ShuffleSpace(SearchSpace):
    """Genes in order: the block of each place, then (where it is chosen) the scale of each place."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        size, _, scaled = preset.partition("-")
        design = self.design = DESIGNS[size]
        self.is_scaled = bool(scaled)
        self.places = sum(design.repeats)
        scale = "scale of inner width {}"
        scales = ChoiceList(name="scales", options=SCALES, meaning=scale, length=self.places)
        blocks = "; ".join(f"{choice} is a {meaning}" for choice, meaning in enumerate(MEANINGS))
        super().__init__(
            f"shufflenet:{preset}",
            signature,
            window,
            parts=(
                ChoiceList(name="blocks", options=BLOCKS, meaning="block at place {}", length=self.places),
                *([scales] if scaled else []),
            ),
            default={"blocks": 0, "scales": 1.0} if scaled else {"blocks": 0},
            about=f"A ShuffleNetV2: a stem, then stages of {list(design.repeats)} blocks of output widths "
            f"{list(design.widths)}, the first of a stage with stride 2. Block {blocks}. The inner width of "
            "a block is half its outputs, times its scale where there is one.",
        )

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of a JSON form, where absent scales are 1 and chosen by no other."""
        if isinstance(value, Mapping) and self.is_scaled:
            value = {"scales": [1.0] * self.places, **value}
        elif isinstance(value, Mapping) and "scales" in value:
            if value["scales"] != [1.0] * self.places:
                raise HarnessError(
                    f"An architecture of {self.name} has scales other than 1 at {self.places} places; give "
                    f"blocks alone, or use {self.name}-scales."
                )
            value = {key: item for key, item in value.items() if key != "scales"}
        return super().from_json(value)

    def parameters(self, architecture: Architecture) -> int:
        design = self.design
        total = 9 * self.signature.channels * design.stem + 2 * design.stem
        for inputs, outputs, stride, choice, middle in self._blocks(architecture):
            total += _block(inputs, outputs, stride, choice, middle)[0]
        return total + design.head * (design.widths[-1] + 2 + self.signature.classes)

    def macs(self, architecture: Architecture) -> int:
        design = self.design
        height, length = self.signature.height, self.signature.width
        height, length = -(-height // design.stem_stride), -(-length // design.stem_stride)
        total = 9 * self.signature.channels * design.stem * height * length
        for inputs, outputs, stride, choice, middle in self._blocks(architecture):
            before = height * length
            height, length = -(-height // stride), -(-length // stride)
            _, at_input, at_output = _block(inputs, outputs, stride, choice, middle)
            total += at_input * before + at_output * height * length
        total += design.widths[-1] * design.head * height * length
        return total + design.head * self.signature.classes

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.shufflenet import ShuffleNet, plain_norms

        design = self.design
        largest = SCALES[-1] if self.is_scaled else 1.0
        choices = [
            [ShuffleInner(choice, int(outputs // 2 * largest)) for choice in BLOCKS]
            for repeats, outputs in zip(design.repeats, design.widths, strict=True)
            for _ in range(repeats)
        ]

        def route(architecture: Architecture) -> list[ShuffleInner]:
            return [ShuffleInner(choice, middle) for *_, choice, middle in self._blocks(architecture)]

        return Networks(
            name=self.name,
            route=route,
            alone=lambda route: ShuffleNet(design, self.signature, [[inner] for inner in route], route),
            supernet=lambda: ShuffleNet(design, self.signature, choices, affine=False),
            given=plain_norms,
        )

    def _blocks(self, architecture: Architecture) -> Iterator[tuple[int, int, int, int, int]]:
        """Yields (input channels, output channels, stride, choice, inner channels) of every block."""
        inputs, place = self.design.stem, 0
        for repeats, outputs in zip(self.design.repeats, self.design.widths, strict=True):
            for position in range(repeats):
                scale = SCALES[architecture[self.places + place]] if self.is_scaled else 1.0
                middle = int(outputs // 2 * scale)
                yield inputs, outputs, 1 if position else 2, BLOCKS[architecture[place]], middle
                inputs, place = outputs, place + 1


def _block(inputs: int, outputs: int, stride: int, choice: int, middle: int) -> tuple[int, int, int]:
    """Returns parameters, and MACs per pixel of the block's input and per pixel of its output."""
    read = inputs if stride == 2 else inputs // 2
    added = outputs - read
    if choice == XCEPTION:
        area, at_input = 9, 0
        at_output = area * (read + 2 * middle) + middle * (read + middle + added)
        norms = read + 4 * middle + added
    else:
        area, at_input = (3 + 2 * choice) ** 2, read * middle
        at_output = area * middle + middle * added
        norms = 2 * middle + added
    if stride == 2:
        at_output += area * read + read * read
        norms += 2 * read
    return at_input + at_output + 2 * norms, at_input, at_output


_IMAGENET = Signature(kind="image", classes=1000, channels=3, height=224, width=224)
_MICRO = Signature(kind="image", classes=10)

SPACE = SpaceFamily(
    summary="Single-path one-shot ShuffleNetV2: one of four blocks at each place, and perhaps its width.",
    presets={"paper": _IMAGENET, "paper-scales": _IMAGENET, "micro": _MICRO, "micro-scales": _MICRO},
    bind=ShuffleSpace,
    default_preset="paper",
    kinds=("image",),
)
