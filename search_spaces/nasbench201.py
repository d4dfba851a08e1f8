"""The NAS-Bench-201 cell: six edges, five operations, 15,625 architectures.

Source: Dong and Yang 2020 (arXiv 2001.00326). See harness/space/cells.py for the network and its costs.
"""

import re

from harness import HarnessError, Signature, SpaceFamily
from harness.space.cells import MEANINGS, CellSpace

CELLS = {"cifar10": 5, "cifar100": 5, "imagenet16-120": 5, "micro": 1}


def _bind(preset: str, signature: Signature, window: tuple[int, int] | None) -> CellSpace:
    return CellSpace(
        f"nasbench201:{preset}",
        signature,
        window,
        operations=list(MEANINGS),
        cells=CELLS[preset],
        read=_names,
    )


def _names(text: str) -> list[str]:
    """Returns the six operation names of `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`."""
    nodes = [re.findall(r"\|?([^|~+]+)~(\d+)\|", node) for node in text.strip().split("+")]
    sources = [[int(source) for _, source in node] for node in nodes]
    if sources != [[0], [0, 1], [0, 1, 2]]:
        raise HarnessError(f"{text!r} is not of the form |op~0|+|op~0|op~1|+|op~0|op~1|op~2|.")
    return [name for node in nodes for name, _ in node]


SPACE = SpaceFamily(
    summary="NAS-Bench-201: one of five operations on each of the six edges of a stacked cell.",
    presets={
        "cifar10": Signature(kind="image", classes=10, channels=3, height=32, width=32),
        "cifar100": Signature(kind="image", classes=100, channels=3, height=32, width=32),
        "imagenet16-120": Signature(kind="image", classes=120, channels=3, height=16, width=16),
        "micro": Signature(kind="image", classes=10),
    },
    bind=_bind,
    default_preset="cifar10",
    kinds=("image",),
)
