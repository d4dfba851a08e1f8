"""The floor: the majority class for images, an order-6 Witten-Bell n-gram for bytes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.model import Floor, FloorBaseline, Predictor
from harness.nn.floors import Majority, NGram
from harness.task import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.data.split import Split


def _fit(signature: Signature, splits: "Sequence[Split]") -> Floor:
    return Majority.fit(splits) if signature.kind == "image" else NGram.fit(splits)


def _restore(signature: Signature, state: "Mapping[str, NDArray[Any]]") -> Predictor:
    return Majority.from_state(state) if signature.kind == "image" else NGram.from_state(state)


BASELINE = FloorBaseline(
    summary="Majority class for images, order-6 Witten-Bell n-gram for bytes; no gradient, no search.",
    fit=_fit,
    restore=_restore,
)
