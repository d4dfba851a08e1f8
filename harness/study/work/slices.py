"""Scores of slices of a supernet on source validation, each of which a run pays for once."""

from collections.abc import Callable
from typing import Any

from safetensors.torch import load
from torch import nn

from harness import seeds
from harness.data.view import SourceView
from harness.learn.batches import batches
from harness.learn.supernet import calibrated, has_batch_norm
from harness.run.place import Needs
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.study.work.alone import WEIGHTS
from harness.study.work.spent import CALIBRATION_BATCHES, CALIBRATION_IMAGES
from harness.study.work.units import SUPERNET
from harness.task.signature import Signature


def load_supernet(needs: Needs, space: SearchSpace) -> nn.Module:
    """Returns the needed supernet on its device."""
    supernet = space.networks.supernet()
    supernet.load_state_dict(load(needs.read(SUPERNET, WEIGHTS)))
    return supernet.to(needs.place.device)


def slices(
    seed: int,
    view: SourceView,
    space: SearchSpace,
    supernet: nn.Module,
    *,
    calibration_batches: int = CALIBRATION_BATCHES,
) -> Callable[[Architecture], tuple[nn.Module, Signature, Any]]:
    """Returns what makes an architecture's slice ready to be scored, at the cost of the slice.

    Where there are BatchNorms, the slice's statistics are re-estimated on the same batches of source training
    data for every candidate.
    """
    if not has_batch_norm(supernet):
        return lambda architecture: (supernet, view.signature, space.networks.route(architecture))
    device = next(supernet.parameters()).device
    order = seeds.generator(seed, "search", "calibration")
    drawn = batches(view.signature, view.splits("train"), CALIBRATION_IMAGES, order)
    inputs = [next(drawn)[0].to(device) for _ in range(calibration_batches)]
    return lambda architecture: (
        calibrated(space.networks.slice(supernet, architecture), inputs),
        view.signature,
        None,
    )
