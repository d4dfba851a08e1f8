"""What each kind of unit does: reads its needs' results, leaves files in its folder, returns its result."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from harness.peers import peers
from harness.plan import Unit, unit_folder
from harness.units.lookup import lookup, table
from harness.units.place import Done, Needs, Place
from harness.units.quality import inherited, scratch
from harness.units.search import proxies, search
from harness.units.supernet import supernet
from harness.units.trained import final, prepare, score_unit
from harness.units.tuning import tune
from harness.units.zero_shot import zero_shot_score

__all__ = ["Done", "Place", "perform", "versions"]


def perform(unit: Unit, needs: Mapping[str, Unit], place: Place) -> Done:
    """Does the work of `unit` and returns what it left.

    Args:
        unit: what to do.
        needs: hash -> unit, for every unit it needs.
        place: where.
    """
    folder = unit_folder(place.run, unit)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "traceback.txt").unlink(missing_ok=True)  # of a try before this one
    place = replace(place, data=replace(place.data, limit=unit.spec.get("limit")))
    return _WORK[unit.kind](unit, Needs(needs, place), folder)


def _score(unit: Unit, needs: Needs, folder: Path) -> Done:
    return (zero_shot_score if "trained_on" in unit.spec else score_unit)(unit, needs, folder)


_WORK: dict[str, Callable[[Unit, Needs, Path], Done]] = {
    "prepare": prepare,
    "supernet": supernet,
    "proxies": proxies,
    "search": search,
    "tune": tune,
    "final": final,
    "score": _score,
    "inherited": inherited,
    "scratch": scratch,
    "table": table,
    "lookup": lookup,
}


def versions() -> dict[str, str]:
    """Returns what a result's bytes may depend on besides its unit."""
    size = peers().size
    return {
        **({"processes": str(size)} if size > 1 else {}),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "onednn": str(torch.backends.mkldnn.is_available()),
    }
