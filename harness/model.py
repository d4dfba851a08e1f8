"""What the engine asks of a model, so that torch modules and floors are scored by the same code."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Classifier(Protocol):
    """Scores images."""

    def predict(self, images: "NDArray[np.uint8]") -> "NDArray[np.int64]":
        """Returns the predicted class of images (samples, channels, height, width), shape (samples,)."""
        ...


class LanguageModel(Protocol):
    """Scores documents."""

    def bits(self, documents: Sequence[bytes]) -> "NDArray[np.float64]":
        """Returns the code length of each document in bits, shape (documents,).

        Every byte is predicted, the first one from nothing but the start of a document.
        """
        ...


Predictor = Classifier | LanguageModel
