"""The floor: the majority class for images, a Witten-Bell n-gram for bytes, a linear model for texts."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.data.linear_text import LinearText
from harness.model import Floor, FloorBaseline, Predictor
from harness.nn.floors import Majority, NGram
from harness.task import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.data.split import Split


def _fit(signature: Signature, splits: "Sequence[Split]") -> Floor:
    if signature.kind == "text":
        return LinearText.fit(splits)
    return Majority.fit(splits) if signature.kind == "image" else NGram.fit(splits)


def _restore(signature: Signature, state: "Mapping[str, NDArray[Any]]") -> Predictor:
    if signature.kind == "text":
        return LinearText.from_state(state)
    return Majority.from_state(state) if signature.kind == "image" else NGram.from_state(state)


BASELINE = FloorBaseline(
    summary="Majority class for images, order-6 Witten-Bell n-gram for bytes, TF-IDF and logistic regression "
    "for texts; no network, no search.",
    fit=_fit,
    restore=_restore,
)
