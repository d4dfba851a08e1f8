"""The NATS-Bench size space: five widths of one fixed cell, 32,768 architectures.

Source: Dong et al. 2021 (arXiv 2009.00437). The cell is |c3~0|+|c3~0|c3~1|+|skip~0|c3~1|c3~2| with c3 the
3x3 convolution of NAS-Bench-201, once in each of three stages. The skip between unequal widths is a 1x1
convolution with BatchNorm. MACs are those of convolutions and of the classifier with its bias. The default
has the widths of NAS-Bench-201, 16:32:32:64:64, and half of each in `micro`.
"""

from typing import Any

from harness import Architecture, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily

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
        step = STEPS[preset]
        self.widths = tuple(range(step, (OPTIONS + 1) * step, step))
        channels = ChoiceList(
            name="channels",
            options=self.widths,
            meaning=tuple(f"width of the {slot}" for slot in SLOTS),
            length=len(SLOTS),
        )
        super().__init__(
            f"nats_size:{preset}",
            signature,
            window,
            parts=(channels,),
            default={"channels": [width * step // 8 for width in PLAIN]},
            about="A small residual network for images: stem, cell, reduction, cell, reduction, cell and "
            "classifier. Each cell has five 3x3 convolutions and a skip; each reduction halves the image.",
        )

    def from_text(self, text: str) -> dict[str, Any]:
        """Returns the form of a published text, `8:8:8:16:32`."""
        return {"channels": [int(part) if part.isdecimal() else part for part in text.split(":")]}

    def parameters(self, architecture: Architecture) -> int:
        first, *_, last = widths = self._widths(architecture)
        total = CONV * self.signature.channels * first + 2 * first + _cell(first, first)
        total += _norms(first, first)
        for slot in (1, 3):
            before, reduced, after = widths[slot - 1 : slot + 2]
            total += _reduction(before, reduced) + 4 * reduced
            total += _cell(reduced, after) + _norms(reduced, after)
        return total + 2 * last + (last + 1) * self.signature.classes

    def macs(self, architecture: Architecture) -> int:
        first, *_, last = widths = self._widths(architecture)
        height, length = self.signature.height, self.signature.width
        total = (CONV * self.signature.channels * first + _cell(first, first)) * height * length
        for slot in (1, 3):
            before, reduced, after = widths[slot - 1 : slot + 2]
            height, length = (height + 1) // 2, (length + 1) // 2
            total += (_reduction(before, reduced) + _cell(reduced, after)) * height * length
        return total + (last + 1) * self.signature.classes

    @property
    def networks(self) -> Networks:
        from harness.nn.networks.cells import WidthNetwork

        channels, classes = self.signature.channels, self.signature.classes
        widest = (self.widths[-1],) * len(SLOTS)
        return Networks(
            name=self.name,
            route=self._widths,
            alone=lambda route: WidthNetwork(channels, route, classes),
            supernet=lambda: WidthNetwork(channels, widest, classes, elastic=True),
        )

    def _widths(self, architecture: Architecture) -> tuple[int, ...]:
        return tuple(self.widths[gene] for gene in architecture)


def _cell(inputs: int, outputs: int) -> int:
    """Returns the convolution weights of a cell, which are also its MACs for one pixel."""
    skip = 0 if inputs == outputs else inputs * outputs
    return CONV * (2 * inputs * outputs + 3 * outputs * outputs) + skip


def _norms(inputs: int, outputs: int) -> int:
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
