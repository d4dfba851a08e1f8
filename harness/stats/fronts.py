"""Two objectives at once: a score, higher being better, and a cost, lower being better."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def front(costs: ArrayLike, scores: ArrayLike) -> NDArray[np.int64]:
    """Returns which points no other beats in one objective without losing in the other, by rising cost.

    Args:
        costs: lower is better, shape (points,).
        scores: higher is better, shape (points,).

    Returns:
        Indices, shape (front,); of equal points the first one stands.
    """
    cost, score = (np.asarray(one, dtype=np.float64) for one in (costs, scores))
    order = np.lexsort((np.arange(cost.size), -score, cost))
    best = np.maximum.accumulate(score[order])
    rises = np.concatenate([[True], score[order][1:] > best[:-1]]) if order.size else np.zeros(0, bool)
    return np.asarray(order[rises], dtype=np.int64)


def hypervolume(costs: ArrayLike, scores: ArrayLike, *, cost: float, score: float) -> float:
    """Returns the area that the points dominate, down to a reference of the worst cost and the worst score.

    Points beyond the reference in either objective add nothing. Exact for two objectives.

    Source: Zitzler and Thiele 1999.
    """
    mine, other = (np.asarray(one, dtype=np.float64) for one in (costs, scores))
    inside = (mine < cost) & (other > score)
    mine, other = mine[inside], other[inside]
    chosen = front(mine, other)
    ends = np.append(mine[chosen][1:], cost)
    return float(((ends - mine[chosen]) * (other[chosen] - score)).sum())
