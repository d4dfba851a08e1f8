"""The ShuffleNetV2 space of single-path one-shot search (SPOS): one of four blocks at each of 20 places.

Source: Guo et al. 2020 (arXiv 1904.00420). MACs are those of convolutions and of the classifier, which has no
bias. `paper` and `micro` keep every inner width at half the outputs; `paper-scales` and `micro-scales` choose
a scale of it per block too. The default is the plain ShuffleNetV2: every block 3x3, every scale 1. BatchNorms
of a supernet have no scale and shift unless asked for, as in the paper; those of a stand-alone network do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.networks.shufflenet import Frame, Inner

BLOCKS = (0, 1, 2, 3)
MEANINGS = (
    "shuffle block with a 3x3 depth-wise convolution",
    "shuffle block with a 5x5 one",
    "shuffle block with a 7x7 one",
    "Xception block with three 3x3 ones",
)
XCEPTION = 3
SCALES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)


@dataclass(frozen=True, kw_only=True)
class Design:
    """The fixed part of a preset.

    Attributes:
        stem: channels of the first convolution.
        stem_stride: its stride.
        repeats: blocks of each stage, the first with stride 2.
        widths: output channels of each stage.
        head: channels before the classifier.
        dropout: share of them dropped in training.
    """

    stem: int
    stem_stride: int
    repeats: tuple[int, ...]
    widths: tuple[int, ...]
    head: int
    dropout: float


DESIGNS = {
    "paper": Design(
        stem=16, stem_stride=2, repeats=(4, 4, 8, 4), widths=(64, 160, 320, 640), head=1024, dropout=0.1
    ),
    "micro": Design(stem=16, stem_stride=1, repeats=(2, 2, 2), widths=(32, 64, 128), head=256, dropout=0.0),
}


class ShuffleSpace(SearchSpace):
    """Genes in order: the block of each place, then (where it is chosen) the scale of each place."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.name = f"shufflenet:{preset}"
        self.signature = signature
        self.window = window
        size, _, scaled = preset.partition("-")
        self.design = DESIGNS[size]
        self.is_scaled = bool(scaled)
        self.places = sum(self.design.repeats)
        choices = [
            Choice(name=f"blocks[{place}]", options=BLOCKS, meaning=f"block at place {place}")
            for place in range(self.places)
        ]
        if self.is_scaled:
            choices += [
                Choice(name=f"scales[{place}]", options=SCALES, meaning=f"scale of inner width {place}")
                for place in range(self.places)
            ]
        self.choices = tuple(choices)

    def default(self) -> Architecture:
        return (0,) * self.places + ((SCALES.index(1.0),) * self.places if self.is_scaled else ())

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * len(self.choices)

    def size(self) -> int:
        return int((len(BLOCKS) * (len(SCALES) if self.is_scaled else 1)) ** self.places)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        value: dict[str, Any] = {"blocks": [BLOCKS[gene] for gene in architecture[: self.places]]}
        if self.is_scaled:
            value["scales"] = [SCALES[gene] for gene in architecture[self.places :]]
        return value

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        """Returns the architecture of `{"blocks": [...], "scales": [...]}`; absent scales are 1."""
        known = ("blocks", "scales")
        wrong = [str(key) for key in value if key not in known]
        if wrong or "blocks" not in value:
            near = get_close_matches(wrong[0], known, n=1) if wrong else []
            hint = f" (did you mean {near[0]}?)" if near else ""
            self._reject(f"has the keys {sorted(map(str, value))}{hint}", "blocks and, if chosen, scales")
        genes = self._listed("blocks", value["blocks"], BLOCKS)
        scales = self._listed("scales", value.get("scales", [1.0] * self.places), SCALES)
        if self.is_scaled:
            return (*genes, *scales)
        if any(SCALES[gene] != 1.0 for gene in scales):
            self._reject("has scales other than 1", f"blocks alone, or use {self.name}-scales")
        return genes

    def json_schema(self) -> dict[str, Any]:
        def listed(options: tuple[Any, ...]) -> dict[str, Any]:
            return {
                "type": "array",
                "items": {"enum": list(options)},
                "minItems": self.places,
                "maxItems": self.places,
            }

        properties = {"blocks": listed(BLOCKS)} | ({"scales": listed(SCALES)} if self.is_scaled else {})
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

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

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.shufflenet import ShuffleNet

        route = self.route(architecture)
        return ShuffleNet(self._frame(), [[inner] for inner in route], route)

    def supernet(self, *, affine: bool = False) -> "nn.Module":
        """Returns the module of all choices; `affine` gives its BatchNorms a learned scale and shift."""
        from harness.nn.networks.shufflenet import Inner, ShuffleNet

        scale = SCALES[-1] if self.is_scaled else 1.0
        blocks = [
            [Inner(choice, int(outputs // 2 * scale)) for choice in BLOCKS]
            for repeats, outputs in zip(self.design.repeats, self.design.widths, strict=True)
            for _ in range(repeats)
        ]
        return ShuffleNet(self._frame(), blocks, affine=affine)

    def route(self, architecture: Architecture) -> list["Inner"]:
        from harness.nn.networks.shufflenet import Inner

        return [Inner(choice, middle) for *_, choice, middle in self._blocks(architecture)]

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.shufflenet import ShuffleNet, slice_of

        if not isinstance(supernet, ShuffleNet):
            raise TypeError(f"{type(supernet).__name__} is not a supernet of {self.name}")
        return slice_of(supernet, self.route(architecture))

    def card(self) -> str:
        design = self.design
        blocks = "\n".join(f"- {choice}: {meaning}" for choice, meaning in zip(BLOCKS, MEANINGS, strict=True))
        scales = f"scales (inner width over half the outputs, {self.places} numbers): {list(SCALES)}\n"
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        return (
            f"A ShuffleNetV2 for images: a stem, then stages of {list(design.repeats)} blocks of output "
            f"widths {list(design.widths)}; the first block of a stage halves the resolution.\n"
            f"blocks (the block at each place, first to last, {self.places} numbers), each one of:\n"
            f"{blocks}\n{scales if self.is_scaled else ''}Every choice is always active.\n{window}"
            f"Example: {canonical_json(self.to_json(self.default()))}"
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

    def _frame(self) -> "Frame":
        from harness.nn.networks.shufflenet import Frame

        design = self.design
        return Frame(
            channels=self.signature.channels,
            stem=design.stem,
            stem_stride=design.stem_stride,
            repeats=design.repeats,
            widths=design.widths,
            head=design.head,
            dropout=design.dropout,
            classes=self.signature.classes,
        )

    def _listed(self, name: str, items: Any, options: tuple[Any, ...]) -> Architecture:
        if not isinstance(items, list | tuple) or len(items) != self.places:
            self._reject(f"has {name} {items!r}", f"a list of {self.places} numbers")
        for place, item in enumerate(items):
            if isinstance(item, bool) or item not in options:
                self._reject(f"has {name}[{place}] {item!r}", f"one of {list(options)}")
        return tuple(options.index(item) for item in items)

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


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
