"""The floor: a linear model of pixels for images, of n-grams for texts, a Witten-Bell n-gram for bytes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import Floor, FloorBaseline, Predictor, Signature
from harness.data.text.linear import LinearText
from harness.nn.floors import LinearImage, NGram

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.task.split import Split


def _fit(signature: Signature, splits: "Sequence[Split]") -> Floor:
    if signature.kind == "text":
        return LinearText.fit(splits)
    return LinearImage.fit(splits) if signature.kind == "image" else NGram.fit(splits)


def _restore(signature: Signature, state: "Mapping[str, NDArray[Any]]") -> Predictor:
    if signature.kind == "text":
        return LinearText.from_state(state)
    return LinearImage.from_state(state) if signature.kind == "image" else NGram.from_state(state)


BASELINE = FloorBaseline(
    summary="Logistic regression on pixels for images and on TF-IDF of byte n-grams for texts, order-6 "
    "Witten-Bell n-gram for bytes; no network, no search.",
    fit=_fit,
    restore=_restore,
)
