"""The floor of every kind of input: a model without gradients, which its modality names."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from harness import Floor, FloorBaseline, Predictor, Signature
from harness.learn.modality import floor_of
from harness.task.split import Split


def _fit(signature: Signature, splits: Sequence[Split]) -> Floor:
    return floor_of(signature.kind).fit(splits)


def _restore(signature: Signature, state: Mapping[str, NDArray[Any]]) -> Predictor:
    return floor_of(signature.kind).from_state(state)


BASELINE = FloorBaseline(
    summary="Logistic regression on pixels for images and on TF-IDF of byte n-grams for texts, order-6 "
    "Witten-Bell n-gram for bytes, what its modality names for others; no network, no search.",
    fit=_fit,
    restore=_restore,
)
