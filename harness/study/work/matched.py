"""Spaces by the name that suites give them, `SPACE[:PRESET]`, and how large their networks may be."""

from harness import catalog
from harness.learn.baseline import FixedBaseline
from harness.search.loop import Limit
from harness.space.choices import SearchSpace, SpaceFamily
from harness.study.work.units import SearchingSpec, SizedSpec
from harness.task.signature import Signature


def split_space(text: str) -> tuple[str, str | None]:
    """Returns name and preset of `SPACE[:PRESET]`."""
    name, _, preset = text.partition(":")
    return name, preset or None


def load_family(text: str) -> tuple[SpaceFamily, str]:
    """Returns the family and the preset that `SPACE[:PRESET]` means."""
    name, preset = split_space(text)
    family: SpaceFamily = catalog.load("space", name)
    chosen = preset or family.default_preset
    family.space(chosen)
    return family, chosen


def full_name(text: str) -> str:
    """Returns `SPACE:PRESET` of `SPACE[:PRESET]`."""
    return f"{split_space(text)[0]}:{load_family(text)[1]}"


def matched_space(spec: SizedSpec, signature: Signature) -> SearchSpace:
    """Returns the space of a unit's specification, with the parameters that its suite allows.

    They are within the tolerance of the default architecture of the suite's tuned space, or of the space's
    own where the suite has none; a tolerance of 0 allows any.
    """
    return space_of_size(spec.space or "", spec.tuned_space, spec.parameter_tolerance, signature)


def space_of_size(
    name: str, tuned_space: str | None, tolerance: float | None, signature: Signature
) -> SearchSpace:
    """Returns the space `SPACE:PRESET`, with parameters as `matched_space` says."""
    family, preset = load_family(name)
    centre = None if tuned_space is None else parameter_target(tuned_space, signature)
    return family.matched(preset, signature, tolerance or None, centre=centre)


def macs_limit(spec: SearchingSpec) -> Limit | None:
    """Returns the multiply-accumulates that an incumbent may have; None for any."""
    return Limit(cost="macs", value=spec.mac_limit) if spec.mac_limit else None


def matched_size(baseline: FixedBaseline, tuned_space: str | None, signature: Signature) -> int:
    """Returns the parameters that the network of a fixed baseline is near to; 0 where it has its own size."""
    if not baseline.is_matched:
        return 0
    assert tuned_space is not None
    return parameter_target(tuned_space, signature)


def parameter_target(name: str, signature: Signature) -> int:
    """Returns the parameters of the default architecture of `SPACE:PRESET` for a task."""
    family, preset = load_family(name)
    space = family.space(preset, signature)
    return space.parameters(space.default())
