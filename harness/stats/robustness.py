"""Effective robustness: how far a model lies above the line that others' two accuracies follow.

Source: Taori et al. 2020 and Miller et al. 2021 (probit axes).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Axes = Literal["probit", "logit"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """A least-squares line of held-out on in-domain accuracy.

    Attributes:
        axes: transformation of both axes.
        slope: on the transformed axes.
        intercept: on the transformed axes.
        r_squared: share of the variance that the line explains.
    """

    axes: Axes
    slope: float
    intercept: float
    r_squared: float

    def effective_robustness(self, in_domain: float, held_out: float) -> float:
        """Returns held-out accuracy minus what the line expects of this in-domain accuracy."""
        x = float(_transform(np.asarray([in_domain]), self.axes)[0])
        return held_out - _back(self.slope * x + self.intercept, self.axes)


def accuracy_line(in_domain: ArrayLike, held_out: ArrayLike, *, axes: Axes = "probit") -> Line:
    """Returns the line through accuracies in (0, 1), both of shape (models,)."""
    x = _transform(np.asarray(in_domain, dtype=np.float64), axes)
    y = _transform(np.asarray(held_out, dtype=np.float64), axes)
    slope, intercept = np.polyfit(x, y, 1)
    residual = np.sum((y - slope * x - intercept) ** 2)
    r_squared = float(1 - residual / np.sum((y - y.mean()) ** 2))
    return Line(axes=axes, slope=float(slope), intercept=float(intercept), r_squared=r_squared)


def _transform(shares: NDArray[np.float64], axes: Axes) -> NDArray[np.float64]:
    from scipy.special import logit
    from scipy.stats import norm

    return np.asarray(norm.ppf(shares) if axes == "probit" else logit(shares), dtype=np.float64)


def _back(value: float, axes: Axes) -> float:
    from scipy.special import expit
    from scipy.stats import norm

    return float(norm.cdf(value) if axes == "probit" else expit(value))
