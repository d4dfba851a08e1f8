"""A linear classifier of texts: the floor of their boards, and the probe of a task's quality."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.nn.floors import ArrayFloor, logistic_regression
from harness.task.split import Split

ORDER = 4
BUCKETS = 2**16
READ_BYTES = 2_000
"""Leading bytes of a document that are read."""


@dataclass(frozen=True)
class LinearText(ArrayFloor):
    """Multinomial logistic regression on hashed byte n-grams of order 1 to 4, weighted by TF-IDF.

    Runs of white space count as one blank. Weights are penalised by half their squared sum, divided by the
    inverse strength of 10.

    Attributes:
        frequencies: inverse document frequencies, shape (buckets,).
        weights: shape (labels, buckets).
        biases: shape (labels,).
        labels: that were seen, shape (labels,).
    """

    frequencies: NDArray[np.float32]
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def fit(cls, splits: Sequence[Split]) -> "LinearText":
        """Returns the classifier of the pooled documents of `splits`."""
        from sklearn.feature_extraction.text import TfidfTransformer

        labels = np.concatenate([split.labels for split in splits])
        weighting = TfidfTransformer(sublinear_tf=True)
        counts = _counts([document for split in splits for document in split.documents()])
        columns = weighting.fit_transform(counts)
        weights, biases, seen = logistic_regression(columns, labels, 10.0, iterations=1000)
        frequencies = weighting.idf_.astype(np.float32)
        return cls(frequencies, weights.astype(np.float32), biases.astype(np.float32), seen)

    def classify(self, documents: Sequence[bytes]) -> NDArray[np.int64]:
        """Returns the class of each document, shape (documents,)."""
        from sklearn.preprocessing import normalize

        counts = _counts(documents)
        counts.data = 1 + np.log(counts.data)
        weighted = normalize(counts.multiply(self.frequencies).tocsr())
        scores = weighted @ self.weights.T.astype(np.float64) + self.biases
        return np.asarray(self.labels[scores.argmax(axis=1)], np.int64)


def _counts(documents: Sequence[bytes]) -> Any:
    """Returns how often each bucket is met, a sparse matrix of shape (documents, buckets)."""
    from sklearn.feature_extraction.text import HashingVectorizer

    vectorizer = HashingVectorizer(
        analyzer="char",
        ngram_range=(1, ORDER),
        n_features=BUCKETS,
        lowercase=False,
        norm=None,
        alternate_sign=False,
    )
    return vectorizer.transform([document[:READ_BYTES].decode("latin-1") for document in documents])
