"""The network of a row: the baseline's, or the one that a search chose."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from torch import nn

from harness import catalog
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.learn.baseline import Baseline, FixedBaseline, Opening, Predictor, ReadyBaseline
from harness.run.place import Needs
from harness.study.trained.units import FinalSpec, RowScoreSpec, TuneSpec
from harness.study.work.matched import matched_space, parameter_target
from harness.task.signature import Signature


def opening_of(needs: Needs) -> Opening:
    """Returns how a model that comes trained is opened where a unit runs."""
    place = needs.place
    return Opening(data=place.data.folder, device=place.device, keys=place.keys, offline=place.data.offline)


@lru_cache(maxsize=1)
def opened(method: str, signature: Signature, opening: Opening) -> Predictor:
    """Returns the model, kept for the next unit, as one that comes trained can take long to open."""
    baseline: ReadyBaseline = catalog.load("baseline", method)
    return baseline.open(signature, opening)


def baseline_of(spec: FinalSpec | TuneSpec | RowScoreSpec) -> Baseline | None:
    """Returns the baseline of a row; None where a search in a space chose its network."""
    baseline: Baseline | None = None if spec.space else catalog.load("baseline", spec.method)
    return baseline


def module_of(
    spec: FinalSpec | TuneSpec, view: SourceView, architecture: Mapping[str, Any] | None
) -> nn.Module:
    """Returns the network of a row, with random weights."""
    if spec.space:
        assert architecture is not None
        space = matched_space(spec, view.signature)
        return space.networks.build(space.from_json(architecture))
    baseline = catalog.load("baseline", spec.method)
    if not isinstance(baseline, FixedBaseline):
        raise HarnessError(f"Baseline {spec.method!r} needs a search and has none.")
    build = baseline.build if architecture is None else baseline.depths[architecture["depth"]]
    target = parameter_target(spec.tuned_space, view.signature) if baseline.is_matched else 0
    return build(view.signature, target)
