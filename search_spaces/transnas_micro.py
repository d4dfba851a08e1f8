"""The micro space of TransNAS-Bench-101: six edges, four operations, 4,096 cells.

Source: Duan et al. 2021 (arXiv 2105.11871). The cell graph is that of NAS-Bench-201 without pooling, and
edges stand in the order of the published `a_bc_def`. The published networks stack the cell as `64-41414` for
images of 256 pixels; ours stack it as NAS-Bench-201 does, so costs here are of those networks and not the
published ones. See harness/space/cells.py.
"""

import re

from harness import HarnessError, Signature, SpaceFamily
from harness.space.cells import MEANINGS, CellSpace

OPERATIONS = list(MEANINGS)[:4]
CELLS = {"cifar10": 5, "micro": 1}


def _bind(preset: str, signature: Signature, window: tuple[int, int] | None) -> CellSpace:
    return CellSpace(
        f"transnas_micro:{preset}", signature, window, operations=OPERATIONS, cells=CELLS[preset], read=_names
    )


def _names(text: str) -> list[str]:
    """Returns the six operation names of `64-41414-a_bc_def`."""
    found = re.fullmatch(r"[^-]+-[^-]+-([0-3])_([0-3]{2})_([0-3]{3})", text.strip())
    if found is None:
        raise HarnessError(f"{text!r} is not of the form 64-41414-a_bc_def with digits from 0 to 3.")
    return [OPERATIONS[int(digit)] for digit in "".join(found.groups())]


SPACE = SpaceFamily(
    summary="TransNAS-Bench-101, micro: one of four operations on each of the six edges of a stacked cell.",
    presets={
        "cifar10": Signature(kind="image", classes=10, channels=3, height=32, width=32),
        "micro": Signature(kind="image", classes=10),
    },
    bind=_bind,
    default_preset="cifar10",
    kinds=("image",),
)
