"""A linear classifier of texts: the floor of their boards, and the probe of a task's quality."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.task.split import Split

ORDER = 4
BUCKETS = 2**16
READ_BYTES = 2_000
"""Leading bytes of a document that are read."""


class LinearText:
    """Multinomial logistic regression on hashed byte n-grams of order 1 to 4, weighted by TF-IDF.

    Runs of white space count as one blank. Weights are penalised by half their squared sum, divided by the
    inverse strength of 10.
    """

    def __init__(
        self,
        frequencies: NDArray[np.float32],
        weights: NDArray[np.float32],
        biases: NDArray[np.float32],
        labels: NDArray[np.int64],
    ) -> None:
        """Takes inverse document frequencies (buckets,), weights (labels, buckets), biases and labels."""
        self._frequencies = frequencies
        self._weights = weights
        self._biases = biases
        self._labels = labels

    @classmethod
    def fit(cls, splits: Sequence[Split]) -> "LinearText":
        """Returns the classifier of the pooled documents of `splits`.

        Raises:
            ValueError: the documents have one class only.
        """
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.linear_model import LogisticRegression

        labels = np.concatenate([split.labels for split in splits])
        counts = _counts([document for split in splits for document in split.documents()])
        weighting = TfidfTransformer(sublinear_tf=True)
        model = LogisticRegression(C=10.0, tol=1e-3, max_iter=1000)
        model.fit(weighting.fit_transform(counts), labels)
        weights, biases = model.coef_, model.intercept_
        if len(weights) == 1:  # two classes share one row
            weights, biases = np.concatenate([-weights, weights]), np.concatenate([-biases, biases])
        return cls(
            weighting.idf_.astype(np.float32),
            weights.astype(np.float32),
            biases.astype(np.float32),
            model.classes_.astype(np.int64),
        )

    @classmethod
    def from_state(cls, state: Mapping[str, NDArray[Any]]) -> "LinearText":
        """Returns the classifier that `state` came from."""
        return cls(state["frequencies"], state["weights"], state["biases"], state["labels"])

    def state(self) -> dict[str, NDArray[Any]]:
        """Returns the arrays that restore it."""
        return {
            "frequencies": self._frequencies,
            "weights": self._weights,
            "biases": self._biases,
            "labels": self._labels,
        }

    def classify(self, documents: Sequence[bytes]) -> NDArray[np.int64]:
        """Returns the class of each document, shape (documents,)."""
        from sklearn.preprocessing import normalize

        counts = _counts(documents)
        counts.data = 1 + np.log(counts.data)
        weighted = normalize(counts.multiply(self._frequencies).tocsr())
        scores = weighted @ self._weights.T.astype(np.float64) + self._biases
        return np.asarray(self._labels[scores.argmax(axis=1)], np.int64)


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
