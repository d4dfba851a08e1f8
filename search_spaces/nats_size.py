"""The NATS-Bench size space: five widths of one fixed cell, 32,768 architectures.

Source: Dong et al. 2021 (arXiv 2009.00437). The cell is |c3~0|+|c3~0|c3~1|+|skip~0|c3~1|c3~2| with c3 the
3x3 convolution of NAS-Bench-201, once in each of three stages. The skip between unequal widths is a 1x1
convolution with BatchNorm. MACs are those of convolutions and of the classifier with its bias. The default
has the widths of NAS-Bench-201, 16:32:32:64:64, and half of each in `micro`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily, canonical_json

if TYPE_CHECKING:
    from torch import nn

SLOTS = ("stem and first cell", "first reduction", "second cell", "second reduction", "third cell")
PLAIN = (16, 32, 32, 64, 64)
"""Widths of NAS-Bench-201 in the five slots."""
STEPS = {"cifar10": 8, "cifar100": 8, "imagenet16-120": 8, "micro": 4}
OPTIONS = 8
CONV = 9
"""Kernel area of a 3x3 convolution."""


class SizeSpace(SearchSpace):
    """One width in each of five slots."""

    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.name = f"nats_size:{preset}"
        self.signature = signature
        self.window = window
        step = STEPS[preset]
        self.widths = tuple(range(step, (OPTIONS + 1) * step, step))
        self.choices = tuple(
            Choice(name=f"channels[{slot}]", options=self.widths, meaning=f"width of the {meaning}")
            for slot, meaning in enumerate(SLOTS)
        )
        self._plain = tuple(width * step // 8 for width in PLAIN)

    def default(self) -> Architecture:
        return tuple(self.widths.index(width) for width in self._plain)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True,) * len(SLOTS)

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return tuple(architecture)

    def size(self) -> int:
        return int(len(self.widths) ** len(SLOTS))

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"channels": list(self.route(architecture))}

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the architecture of `{"channels": [...]}`, or of a published `8:8:8:16:32`."""
        if isinstance(value, str):
            channels: Any = [int(part) if part.isdecimal() else part for part in value.split(":")]
        elif set(value) == {"channels"}:
            channels = value["channels"]
        else:
            self._reject(f"has the keys {sorted(map(str, value))}", "channels alone")
        if not isinstance(channels, list | tuple) or len(channels) != len(SLOTS):
            self._reject(f"has channels {channels!r}", f"a list of {len(SLOTS)} widths")
        for slot, width in enumerate(channels):
            if isinstance(width, bool) or width not in self.widths:
                self._reject(f"has channels[{slot}] {width!r}", f"one of {list(self.widths)}")
        return tuple(self.widths.index(width) for width in channels)

    def json_schema(self) -> dict[str, Any]:
        channels = {
            "type": "array",
            "items": {"enum": list(self.widths)},
            "minItems": len(SLOTS),
            "maxItems": len(SLOTS),
        }
        return {
            "type": "object",
            "properties": {"channels": channels},
            "required": ["channels"],
            "additionalProperties": False,
        }

    def parameters(self, architecture: Architecture) -> int:
        first, *_, last = widths = self.route(architecture)
        total = CONV * self.signature.channels * first + 2 * first + _cell(first, first)
        total += _norms(first, first)
        for slot in (1, 3):
            before, reduced, after = widths[slot - 1 : slot + 2]
            total += _reduction(before, reduced) + 4 * reduced
            total += _cell(reduced, after) + _norms(reduced, after)
        return total + 2 * last + (last + 1) * self.signature.classes

    def macs(self, architecture: Architecture) -> int:
        first, *_, last = widths = self.route(architecture)
        height, length = self.signature.height, self.signature.width
        total = (CONV * self.signature.channels * first + _cell(first, first)) * height * length
        for slot in (1, 3):
            before, reduced, after = widths[slot - 1 : slot + 2]
            height, length = (height + 1) // 2, (length + 1) // 2
            total += (_reduction(before, reduced) + _cell(reduced, after)) * height * length
        return total + (last + 1) * self.signature.classes

    def build(self, architecture: Architecture) -> "nn.Module":
        from harness.nn.networks.cells import WidthNetwork

        return WidthNetwork(self.signature.channels, self.route(architecture), self.signature.classes)

    def supernet(self) -> "nn.Module":
        from harness.nn.networks.cells import WidthNetwork

        widest = (self.widths[-1],) * len(SLOTS)
        return WidthNetwork(self.signature.channels, widest, self.signature.classes, elastic=True)

    def route(self, architecture: Architecture) -> tuple[int, ...]:
        return tuple(self.widths[gene] for gene in architecture)

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        from harness.nn.slices import copy_leading

        return copy_leading(self.build(architecture), supernet)

    def card(self) -> str:
        slots = "\n".join(f"- channels[{slot}]: width of the {name}" for slot, name in enumerate(SLOTS))
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        return (
            "A small residual network for images: stem, cell, reduction, cell, reduction, cell, classifier. "
            "Each cell has five 3x3 convolutions and a skip; each reduction halves the resolution.\n"
            f"channels (five widths, in order, each one of {list(self.widths)}):\n{slots}\n"
            f"Every choice is always active.\n{window}"
            f"Example: {canonical_json(self.to_json(self.default()))}"
        )

    def _reject(self, has: str, wanted: str) -> NoReturn:
        raise HarnessError(f"An architecture of {self.name} {has}; give {wanted}.")


def _cell(inputs: int, outputs: int) -> int:
    """Returns the convolution weights of a cell, which are also its MACs for one pixel."""
    skip = 0 if inputs == outputs else inputs * outputs
    return CONV * (2 * inputs * outputs + 3 * outputs * outputs) + skip


def _norms(inputs: int, outputs: int) -> int:
    """Returns the BatchNorm parameters of a cell."""
    return 2 * outputs * (5 if inputs == outputs else 6)


def _reduction(inputs: int, outputs: int) -> int:
    """Returns the convolution weights of a reduction, which are also its MACs for one pixel it gives."""
    return CONV * (inputs * outputs + outputs * outputs) + inputs * outputs


SPACE = SpaceFamily(
    summary="NATS-Bench size space: the widths of the five parts of a network with one fixed cell.",
    presets={
        "cifar10": Signature(kind="image", classes=10, channels=3, height=32, width=32),
        "cifar100": Signature(kind="image", classes=100, channels=3, height=32, width=32),
        "imagenet16-120": Signature(kind="image", classes=120, channels=3, height=16, width=16),
        "micro": Signature(kind="image", classes=10),
    },
    bind=SizeSpace,
    default_preset="cifar10",
    kinds=("image",),
)
