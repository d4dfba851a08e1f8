"""The floor of every kind of input: a model without gradients, which its modality names."""

from harness import FloorBaseline
from harness.learn.modality import floor_of

BASELINE = FloorBaseline(
    summary="Logistic regression on pixels for images and on TF-IDF of byte n-grams for texts, order-6 "
    "Witten-Bell n-gram for bytes, what its modality names for others; no network, no search.",
    fit=lambda signature, splits: floor_of(signature.kind).fit(splits),
    restore=lambda signature, state: floor_of(signature.kind).from_state(state),
)
