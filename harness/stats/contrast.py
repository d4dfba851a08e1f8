"""Contrasts over two random factors, architectures and domains, in closed form.

The sample is a matrix of outcomes, architectures in rows and domains in columns, seeds averaged inside of a
cell. What is asked of it is one coefficient of a linear model of the architectures, the mean of the
coefficients of all domains; its error counts that other architectures, and other domains, would have been as
good a sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from harness.stats.effect import Effect, Term, together
from harness.stats.order import expected_best

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """A coefficient, averaged over domains.

    Attributes:
        effect: with its error over architectures and domains; `seeds` are architectures.
        by_domain: the coefficient on each domain, shape (domains,).
        error_by_domain: its standard error over architectures alone, shape (domains,).
        architectures: variance that comes from which architectures there are.
        domains: variance that comes from which domains there are.
        shared: the part of both that is the same, of their interaction.
    """

    effect: Effect
    by_domain: tuple[float, ...]
    error_by_domain: tuple[float, ...]
    architectures: float
    domains: float
    shared: float


def contrast(outcomes: ArrayLike, design: ArrayLike, *, among: int | None = None) -> Contrast:
    """Returns the last coefficient of a linear model of the outcomes, its mean over domains.

    Args:
        outcomes: shape (architectures, domains), finite.
        design: shape (architectures, columns), the last column being what is asked of; others are held fixed.
        among: architectures of the smaller side, where the last column tells two apart; all otherwise.

    Raises:
        ValueError: the last column follows from the others, or nothing is left to tell an error from.

    The squared error is V_A + V_D - V_AD, at least V_AD, as both hold the interaction. V_D is the variance of
    the domains' coefficients over their number. V_A and V_AD take each architecture's own residuals, HC2
    (MacKinnon and White 1985): of two groups V_A is Welch's. Its freedom is Bell and McCaffrey's (2002), and
    that of the whole the least that both allow; see `harness.stats.effect.effect`.
    """
    values, matrix = np.asarray(outcomes, dtype=np.float64), np.asarray(design, dtype=np.float64)
    count, domains = values.shape
    basis, triangle = np.linalg.qr(matrix)
    diagonal = np.abs(np.diag(triangle))
    if diagonal[-1] <= 1e-9 * max(1.0, float(diagonal.max())):
        raise ValueError("What is asked of follows from what is held fixed.")
    keep = diagonal > 1e-9 * diagonal.max()
    basis = basis[:, keep]
    if count <= basis.shape[1] or domains < 2:
        raise ValueError("A contrast needs more architectures than columns, and two domains.")
    weights = basis[:, -1] / triangle[-1, -1]  # of each outcome in the coefficient
    own = weights @ values
    rest = values - basis @ (basis.T @ values)
    free = np.maximum(1 - (basis**2).sum(axis=1), 1e-9)
    spread = weights**2 / free
    mean = rest.mean(axis=1)
    apart = rest - mean[:, None]
    by_architecture = float(np.sum(spread * mean**2))
    shared = float(np.sum(spread * (apart**2).sum(axis=1))) / (domains - 1) / domains
    return _crossed(
        own,
        Term(by_architecture, _freedom(weights, spread, free, basis)),
        shared=shared,
        alone=(spread[:, None] * rest**2).sum(axis=0),
        count=count if among is None else among,
    )


def _crossed(own: Array, architectures: Term, *, shared: float, alone: Array, count: int) -> Contrast:
    """Returns the mean of coefficients of domains, with its error over architectures and domains.

    Args:
        own: coefficients, shape (domains,).
        architectures: variance over architectures of their mean.
        shared: what of it is of the interaction, which the variance over domains holds, too.
        alone: variance over architectures of each coefficient, shape (domains,).
        count: architectures.
    """
    of_domains = Term(float(own.var(ddof=1)) / own.size, own.size - 1.0)
    total = max(shared, architectures.variance + of_domains.variance - shared)
    lost = sum(one.variance / one.freedom for one in (architectures, of_domains))
    effect = Effect(
        value=float(own.mean()),
        error=float(np.sqrt(total)),
        freedom=total / lost if lost else np.inf,
        by_seed=(),
        seeds=count,
        groups=None,
        is_tie=not total and not own.any(),
    )
    return Contrast(
        effect=effect,
        by_domain=tuple(map(float, own)),
        error_by_domain=tuple(map(float, np.sqrt(alone))),
        architectures=architectures.variance,
        domains=of_domains.variance,
        shared=shared,
    )


def _freedom(weights: Array, spread: Array, free: Array, basis: Array) -> float:
    """Returns the degrees of freedom of HC2 where all errors are alike (Bell and McCaffrey 2002)."""
    trace = float(np.sum(spread * free))
    inner = basis.T @ (spread[:, None] * basis)
    squares = float(np.sum(spread**2 * (2 * free - 1))) + float(np.sum(inner**2))
    return max(1.0, trace**2 / squares) if squares > 0 else max(1.0, float(weights.size - basis.shape[1]))


def sign_flips(by_domain: ArrayLike) -> float:
    """Returns the exact two-sided p-value of no effect where each domain's sign is as likely the other one.

    Args:
        by_domain: effects of at most 20 domains, or families of them, shape (domains,).

    Source: Fisher 1935, section 21; of D domains the least value is 2 / 2^D.
    """
    values = np.asarray(by_domain, dtype=np.float64)
    if not 1 <= values.size <= 20:
        raise ValueError(f"Signs of {values.size} domains are not flipped exactly.")
    patterns = (np.arange(2**values.size)[:, None] >> np.arange(values.size)) & 1
    means = np.abs((1 - 2 * patterns) @ values)
    return float(np.mean(means >= abs(values.sum()) * (1 - 1e-12)))


def at_level(in_domain: ArrayLike, held_out: ArrayLike, level: float) -> Array:
    """Returns the held-out scores of one training where its in-domain score was at a level, shape (domains,).

    Args:
        in_domain: scores of its checkpoints, higher being better, shape (checkpoints,).
        held_out: shape (checkpoints, domains).
        level: in-domain score.

    The first two checkpoints in a row that the level lies between are read, linearly; all is NaN where there
    are none.
    """
    scores, values = np.asarray(in_domain, dtype=np.float64), np.asarray(held_out, dtype=np.float64)
    for place in range(len(scores) - 1):
        low, high = scores[place], scores[place + 1]
        if low <= level <= high and high > low:
            share = (level - low) / (high - low)
            return np.asarray((1 - share) * values[place] + share * values[place + 1])
    return np.full(values.shape[1], np.nan)


def contrast_of_best(select: ArrayLike, outcomes: ArrayLike, second: ArrayLike, budget: int) -> Contrast:
    """Returns what the best of a budget of a second pool is worth beyond that of a first, mean over domains.

    Args:
        select: what the choice is made by, higher being better, shape (architectures,).
        outcomes: shape (architectures, domains).
        second: whether an architecture is of the second pool, shape (architectures,).
        budget: architectures that are seen of each pool.

    Variances over architectures are delete-one jackknives of both pools; the rest is as in `contrast`.
    """
    keys, values = np.asarray(select, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    is_second = np.asarray(second, dtype=bool)
    domains = values.shape[1]
    own, terms, shared, alone = np.zeros(domains), [], 0.0, np.zeros(domains)
    for sign, pool in ((1.0, is_second), (-1.0, ~is_second)):
        rows = np.flatnonzero(pool)
        if rows.size <= budget:
            raise ValueError(f"The best of {budget} is not known of a pool of {rows.size}.")
        own += sign * _best(keys[rows], values[rows], budget)
        left = np.array(
            [_best(keys[others], values[others], budget) for others in (rows[rows != one] for one in rows)]
        )
        apart = left - left.mean(axis=0)
        factor = (rows.size - 1) / rows.size
        mean = apart.mean(axis=1)
        terms.append(Term(factor * float(np.sum(mean**2)), rows.size - 1.0))
        shared += factor * float(np.sum((apart - mean[:, None]) ** 2)) / (domains - 1) / domains
        alone += factor * (apart**2).sum(axis=0)
    smaller = int(min(is_second.sum(), (~is_second).sum()))
    return _crossed(own, together(terms), shared=shared, alone=alone, count=smaller)


def _best(select: Array, outcomes: Array, budget: int) -> Array:
    return np.array([expected_best(select, column, budget) for column in outcomes.T])


class Components(NamedTuple):
    """Where the variance of a pool's outcomes is, as standard deviations.

    Attributes:
        architecture: of what an architecture is worth on all domains.
        interaction: of what it is worth on one domain more than on others.
        seed: of one training on one domain; 0 where nothing was trained twice.
        transfer: share of the variance of a mean over these domains that is of the architecture
            (generalisability, Cronbach et al. 1972).
    """

    architecture: float
    interaction: float
    seed: float
    transfer: float

    def gain(self, budget: int) -> float:
        """Returns what the best of a budget, chosen on such domains, is worth on another one."""
        from scipy.integrate import quad
        from scipy.stats import norm

        def integrand(x: float) -> float:
            return float(x * budget * norm.pdf(x) * norm.cdf(x) ** (budget - 1))

        intensity = quad(integrand, -10, 10)[0] if budget > 1 else 0.0
        return float(intensity * self.architecture * np.sqrt(self.transfer))


def components(outcomes: ArrayLike) -> Components:
    """Returns the components of variance of outcomes, by their mean squares; none is below 0.

    Args:
        outcomes: shape (architectures, domains, seeds); NaN where a seed was not trained.
    """
    values = np.asarray(outcomes, dtype=np.float64)
    counts = np.isfinite(values[:, 0]).sum(axis=1)
    cell = np.nanmean(values, axis=2)
    inside = np.nansum((values - cell[:, :, None]) ** 2)
    repeats = int((counts - 1).sum()) * values.shape[1]
    noise = float(inside / repeats) if repeats else 0.0
    rows, columns = cell.shape
    mean = cell.mean(axis=1)
    rest = cell - mean[:, None] - cell.mean(axis=0) + cell.mean()
    seeds = float(len(counts) / np.sum(1 / counts))  # harmonic mean
    crossed = float((rest**2).sum()) / ((rows - 1) * (columns - 1))
    interaction = max(0.0, crossed - noise / seeds)
    architecture = max(0.0, float(mean.var(ddof=1)) - crossed / columns)
    total = architecture + interaction / columns + noise / (columns * seeds)
    share = architecture / total if total else 0.0
    return Components(float(np.sqrt(architecture)), float(np.sqrt(interaction)), float(np.sqrt(noise)), share)


def vendi(kernel: ArrayLike) -> float:
    """Returns the effective number of different items of a similarity matrix with a diagonal of ones.

    Args:
        kernel: positive semi-definite, shape (items, items).

    Source: Friedman and Dieng 2022 (arXiv 2210.02410), equation 1: exp of the entropy of its eigenvalues.
    """
    matrix = np.asarray(kernel, dtype=np.float64)
    shares = np.linalg.eigvalsh(matrix / len(matrix))
    shares = shares[shares > 1e-12]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def behaviours(scores: ArrayLike) -> float:
    """Returns the effective number of different behaviours: the Vendi score of scores on domains.

    Args:
        scores: in standard deviations of each domain, shape (architectures, domains). Two architectures are
            as alike as exp(-d^2 / 2) of their mean squared distance d^2.
    """
    values = np.asarray(scores, dtype=np.float64)
    apart = ((values[:, None] - values[None]) ** 2).mean(axis=2)
    return vendi(np.exp(-apart / 2))


def entropy(counts: ArrayLike) -> float:
    """Returns the entropy of shares in bits."""
    numbers = np.asarray(counts, dtype=np.float64)
    shares = numbers[numbers > 0] / numbers.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def called(test: Callable[[NDArray[np.int64]], Effect], items: int, draws: int, seed: int) -> float:
    """Returns how often a test calls an effect where what it is asked of is permuted at random.

    Args:
        test: of a permutation of the items.
        items: architectures.
        draws: permutations.
        seed: of these.
    """
    draw = np.random.default_rng(seed)
    found = [test(draw.permutation(items)) for _ in range(draws)]
    return float(np.mean([one.is_found for one in found]))
