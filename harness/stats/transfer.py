"""How well a choice by one domain's scores serves another domain, from whole columns of a table."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Transfer(NamedTuple):
    """What choosing on a source costs on a target.

    `spearman` and `kendall` (tau-b) are rank correlations of the two columns; `overlap` is the share of the
    source's best that are among the target's best; `value` is the target's score of the source's first
    choice, `regret` what it lacks to the target's optimum, `normalised` that over (optimum - mean of the
    target), and `rank` its place on the target, 1 for the best. All of them are means over the `ties` rows
    that share the first place on the source.
    """

    spearman: float
    kendall: float
    overlap: float
    value: float
    regret: float
    normalised: float
    rank: float
    ties: int


class Chosen(NamedTuple):
    """Score, regret, normalised regret and rank on a target, means over the rows that tie as the best."""

    value: float
    regret: float
    normalised: float
    rank: float
    ties: int


def standardised(values: ArrayLike) -> Array:
    """Returns the z-scores of a whole table's column: mean 0, standard deviation (of the population) 1.

    Raises:
        ValueError: the column does not vary.
    """
    column = np.asarray(values, dtype=np.float64)
    spread = float(column.std())
    if not spread > 0:
        raise ValueError("A column that does not vary has no z-scores.")
    return np.asarray((column - column.mean()) / spread)


def standardised_mean(columns: Sequence[ArrayLike]) -> Array:
    """Returns the mean over columns of their z-scores, shape (rows,)."""
    return np.asarray(np.mean([standardised(column) for column in columns], axis=0))


def choose(source: ArrayLike, target: ArrayLike) -> Chosen:
    """Returns what the target makes of the row that is best on the source, on average over those that tie.

    Args:
        source: scores that choose, higher is better, shape (rows,).
        target: scores that count, higher is better, shape (rows,).

    Raises:
        ValueError: the columns have different lengths, or the target does not vary.
    """
    selecting, counting = _columns(source, target)
    tied = counting[selecting == selecting.max()]
    value, best = float(tied.mean()), float(counting.max())
    spread = best - float(counting.mean())
    if not spread > 0:
        raise ValueError("A target that does not vary has no normalised regret.")
    above = counting.size - np.searchsorted(np.sort(counting), tied, side="right")
    return Chosen(value, best - value, (best - value) / spread, 1 + float(above.mean()), tied.size)


def top_overlap(source: ArrayLike, target: ArrayLike, top: int) -> float:
    """Returns the share of the source's `top` best rows among the target's, expected over orders of ties.

    Raises:
        ValueError: `top` is not between 1 and the number of rows.
    """
    selecting, counting = _columns(source, target)
    if not 1 <= top <= selecting.size:
        raise ValueError(f"The best {top} cannot be taken of {selecting.size} rows.")
    return float(np.sum(_chances(selecting, top) * _chances(counting, top)) / top)


def transfer(source: ArrayLike, target: ArrayLike, *, top: int) -> Transfer:
    """Returns all measures of one source and one target.

    Args:
        source: validation scores of the domain that chooses, higher is better, shape (rows,).
        target: test scores of the domain that counts, higher is better, shape (rows,).
        top: how many of the best are compared.

    Raises:
        ValueError: a column does not vary, or `top` does not fit.
    """
    from scipy.stats import kendalltau, spearmanr

    selecting, counting = _columns(source, target)
    if not np.ptp(selecting) > 0:
        raise ValueError("A source that does not vary ranks nothing.")
    chosen = choose(selecting, counting)
    return Transfer(
        spearman=float(spearmanr(selecting, counting).statistic),
        kendall=float(kendalltau(selecting, counting).statistic),
        overlap=top_overlap(selecting, counting, top),
        value=chosen.value,
        regret=chosen.regret,
        normalised=chosen.normalised,
        rank=chosen.rank,
        ties=chosen.ties,
    )


def transfer_matrix(
    sources: Mapping[str, ArrayLike], targets: Mapping[str, ArrayLike], *, top: int
) -> dict[str, dict[str, Transfer]]:
    """Returns source -> target -> measures, of every source with every target."""
    return {
        source: {target: transfer(selecting, counting, top=top) for target, counting in targets.items()}
        for source, selecting in sources.items()
    }


def _chances(column: Array, top: int) -> Array:
    """Returns each row's chance to be among the `top` best where ties are drawn, shape (rows,)."""
    last = np.sort(column)[-top]
    above, tied = column > last, column == last
    return np.asarray(above + tied * (top - above.sum()) / tied.sum())


def _columns(source: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    first, second = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"Columns of the shapes {first.shape} and {second.shape} cannot be compared.")
    return first, second
