"""Questions that are asked of a pool, and the rule that answers them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from harness.stats.contrast import Contrast, called, contrast, contrast_of_best, sign_flips
from harness.stats.effect import LEVEL, Effect
from harness.stats.sums import Array
from harness.study.diversity.results import (
    DIVERSITY,
    MOST_OUTSIDE,
    Answer,
    Asked,
    Outcome,
    PoolQuestion,
    Share,
)

LEAST_ARCHITECTURES = 5
LEAST_DOMAINS = 4
"""Families of domains below which there is no verdict, as an interval over three is as wide as it likes."""
PERMUTATIONS = 400
MANY = 1000
"""Architectures above which nobody counts what is held fixed."""


@dataclass(frozen=True, kw_only=True)
class ArchitecturePool:
    """Scores of architectures on domains, the better the higher; seeds are averaged.

    Attributes:
        arm: index of each architecture's arm, shape (architectures,); 0 is the reference.
        arms: names.
        layers: family of each layer, index into `families`, shape (architectures, layers); -1 where a network
            has no such layer.
        families: names.
        held: further columns that are held fixed, such as log parameters, shape (architectures, columns).
        select: what a search chooses by, in domain, shape (architectures,).
        raw: shape (architectures, domains).
        matched: the same at equal in-domain score; NaN where it is not known.
        domains: name -> family, in the order of the columns.
        strata: name -> kind of shift.
        outside: arm -> share of its trainings that the level is outside of.
        refused: why nothing is answered at all; empty where something is.
        margin: largest gain that does not matter; 0 for none.
        by_place: whether main effects of families are told apart by layer.
    """

    arm: NDArray[np.int64]
    arms: tuple[str, ...]
    layers: NDArray[np.int64]
    families: tuple[str, ...]
    held: Array
    select: Array
    raw: Array
    matched: Array
    domains: Mapping[str, str]
    strata: Mapping[str, str]
    outside: Mapping[str, float]
    refused: str = ""
    margin: float = 0.0
    by_place: bool = False

    def of(self, rows: NDArray[np.bool_]) -> "ArchitecturePool":
        """Returns some of the architectures."""
        parts = {name: getattr(self, name)[rows] for name in ("arm", "layers", "held", "select")}
        return replace(self, **parts, raw=self.raw[rows], matched=self.matched[rows])

    def on(self, domains: Sequence[str]) -> "ArchitecturePool":
        """Returns the pool on some of the domains."""
        columns = [place for place, name in enumerate(self.domains) if name in domains]
        return replace(
            self,
            raw=self.raw[:, columns],
            matched=self.matched[:, columns],
            domains={name: one for name, one in self.domains.items() if name in domains},
        )

    @cached_property
    def known(self) -> "ArchitecturePool":
        """The architectures that have an outcome at equal in-domain score."""
        return self.of(np.asarray(np.isfinite(self.matched).all(axis=1)))

    @property
    def kinds(self) -> Array:
        """Different families in each network, shape (architectures,)."""
        return np.asarray(self.marks.any(axis=1).sum(axis=1), dtype=np.float64)

    @property
    def marks(self) -> Array:
        """Whether a layer is of a family, shape (architectures, layers, families)."""
        return np.asarray(np.eye(len(self.families) + 1)[self.layers][:, :, :-1])

    @property
    def effects(self) -> Array:
        """Columns for which families a network has, or which stand where, shape (architectures, columns)."""
        marks = self.marks
        columns = marks[:, :, 1:].reshape(len(marks), -1) if self.by_place else marks.sum(axis=1)[:, 1:]
        return np.asarray(columns[:, columns.any(axis=0)])

    def families_of(self, outcome: Array) -> Array:
        """Returns outcomes averaged inside of families of domains, shape (architectures, families)."""
        names = list(self.domains.values())
        every = list(dict.fromkeys(names))
        return np.stack([outcome[:, [one == name for one in names]].mean(axis=1) for name in every], axis=1)


def asked_of(
    pool: ArchitecturePool, outcome: Outcome, arms: Sequence[str], *, permutations: int = PERMUTATIONS
) -> Iterator[PoolQuestion]:
    """Yields the questions of trained pools by one outcome, `matched` or `raw`.

    Args:
        pool: all arms.
        outcome: that is asked about.
        arms: names of those that are compared with the reference, or looked at alone.
        permutations: of what is asked of, that say how often nothing is called; 0 for none.
    """
    here = pool.known if outcome == "matched" else pool
    values = here.matched if outcome == "matched" else here.raw
    for place, name in enumerate(pool.arms):
        own = here.arm == place
        if place and name in arms:
            both = own | (here.arm == 0)
            yield from _arm_question(here.of(both), values[both], name, outcome, permutations)
        if name in arms and len(np.unique(here.kinds[own])) > 1:
            yield from network_question(here.of(own), values[own], name, outcome, permutations)


def _arm_question(
    pool: ArchitecturePool, values: Array, name: str, outcome: Outcome, permutations: int
) -> Iterator[PoolQuestion]:
    second = (pool.arm > 0) * 1.0
    least = int(min(second.sum(), (1 - second).sum()))

    def test(one: Array, order: NDArray[np.int64] | None = None) -> Contrast:
        column = second if order is None else second[order]
        return contrast(one, np.column_stack([np.ones(len(second)), pool.held, column]), among=least)

    if least >= 2:
        yield from _questions(pool, "arms", name, outcome, values, test, permutations=permutations)


def network_question(
    pool: ArchitecturePool, values: Array, name: str, outcome: Outcome, permutations: int = PERMUTATIONS
) -> Iterator[PoolQuestion]:
    """Yields the gain of one family more in a network, beyond main effects; nothing where it follows."""
    kinds = pool.kinds
    fixed = np.column_stack([np.ones(len(kinds)), pool.held, pool.effects])
    spare = len(kinds) - int(np.linalg.matrix_rank(fixed)) if len(kinds) < MANY else len(kinds)

    def test(one: Array, order: NDArray[np.int64] | None = None) -> Contrast:
        column = kinds if order is None else kinds[order]
        return contrast(one, np.column_stack([fixed, column]))

    try:
        test(values)
    except ValueError:
        return
    yield from _questions(
        pool, "network", name, outcome, values, test, spare=spare, permutations=permutations
    )


def search_question(
    pool: ArchitecturePool, outcome: Outcome, name: str, budget: int
) -> Iterator[PoolQuestion]:
    """Yields the gain of the best of a budget of another arm against that of the reference."""
    here = pool.known if outcome == "matched" else pool
    both = (here.arm == 0) | (here.arm == pool.arms.index(name))
    here = here.of(both)
    values = here.matched if outcome == "matched" else here.raw
    second = here.arm > 0
    seen = min(budget, int(second.sum()) - 1, int((~second).sum()) - 1)
    if seen >= 1:
        yield from _questions(
            here,
            "search",
            name,
            outcome,
            values,
            lambda one: contrast_of_best(here.select, one, second, seen),
        )


def _questions(
    pool: ArchitecturePool,
    asked: Asked,
    about: str,
    outcome: Outcome,
    values: Array,
    test: Callable[..., Contrast],
    spare: int | None = None,
    permutations: int = 0,
) -> Iterator[PoolQuestion]:
    """Yields the question on all domains, then on those of each stratum; see `question`."""
    every = list(pool.domains)
    strata = list(dict.fromkeys(pool.strata[name] for name in every))
    asked_each = []
    for stratum in ["", *(strata if len(strata) > 1 else [])]:
        chosen = [name for name in every if stratum in ("", pool.strata[name])]
        columns = [every.index(name) for name in chosen]
        part = pool.on(chosen)
        grouped = part.families_of(values[:, columns])
        if grouped.shape[1] < 2:
            continue
        found = test(grouped)
        alone = found if grouped.shape[1] == len(chosen) else test(values[:, columns])
        rate = None
        if not stratum and permutations:
            rate = called(partial(_effect, test, grouped), len(values), permutations, 0)
        shares = shares_of(chosen, alone)
        one = partial(question, part, asked, about, outcome, found, shares=shares)
        asked_each.append(one(stratum=stratum, permuted=rate, spare=spare))
    yield from _one_sign(asked_each)


def _one_sign(questions: Sequence[PoolQuestion]) -> Iterator[PoolQuestion]:
    """Yields the questions; that of all domains has no verdict where kinds of shift have opposite answers."""
    up = [one.stratum for one in questions if one.stratum and one.low > 0]
    down = [one.stratum for one in questions if one.stratum and one.high < 0]
    for one in questions:
        if not one.stratum and up and down:
            why = f"signs disagree: up on {', '.join(up)}, and down on {', '.join(down)}"
            one = replace(one, answer="no verdict", reason=why)
        yield one


def _effect(test: Callable[..., Contrast], outcomes: Array, order: NDArray[np.int64]) -> Effect:
    return test(outcomes, order).effect


def question(
    pool: ArchitecturePool,
    asked: Asked,
    about: str,
    outcome: Outcome,
    found: Contrast,
    *,
    shares: Mapping[str, Share],
    stratum: str = "",
    permuted: float | None = None,
    p: float | None = None,
    spare: int | None = None,
) -> PoolQuestion:
    """Returns what is said of a contrast.

    Args:
        pool: that it is of.
        shares: gain of each domain.
        stratum: kind of shift of the domains; empty for all.
        permuted: how often a gain is called where what is asked of is permuted.
        p: of a test that stands above the contrast's own, where there is one.
        spare: architectures beside those that what is held fixed takes up; those of the contrast without it.
    """
    effect = found.effect
    low, high = effect.interval
    families = len(found.by_domain)
    margin = effect.equivalence(pool.margin) if pool.margin else None
    mine = effect.p if p is None else p
    least = spare or effect.seeds or 0
    answer, reason = answered(pool, asked, about, outcome, low, high, mine, margin, least, families)
    return PoolQuestion(
        asked=asked,
        about=about,
        outcome=outcome,
        stratum=stratum,
        gain=effect.value,
        low=low,
        high=high,
        p=mine,
        detectable=effect.detectable,
        equivalence=margin,
        freedom=min(effect.freedom, 1e6),
        architectures=effect.seeds or 0,
        domains=families,
        flips=sign_flips(found.by_domain) if families <= 20 else None,
        permuted=permuted,
        answer=answer,
        reason=reason,
        shares=shares,
    )


def answered(
    pool: ArchitecturePool,
    asked: Asked,
    about: str,
    outcome: Outcome,
    low: float,
    high: float,
    p: float | None,
    margin: float | None,
    architectures: int,
    domains: int,
) -> tuple[Answer, str]:
    """Returns the answer of a question by one rule, and why there is none.

    There is none below 5 architectures, beside those that what is held fixed takes up, or 4 families of
    domains, where the pool is `refused`, or where over a tenth of an arm's trainings are outside of the level
    that arms are compared at. A gain that is shown to be inside of the margin is equivalent, whatever else;
    one whose interval is beyond 0 helps or hurts, or does better or worse where which families there are may
    be why.
    """
    outside = max((pool.outside.get(name, 0.0) for name in (pool.arms[0], about)), default=0.0)
    if architectures < LEAST_ARCHITECTURES:
        what = {"space": "families", "behaviour": "spaces"}.get(asked, "architectures")
        return "no verdict", f"it takes {LEAST_ARCHITECTURES} {what}, and there are {architectures}"
    if domains < LEAST_DOMAINS:
        return "no verdict", f"it takes {LEAST_DOMAINS} families of domains, and there are {domains}"
    if pool.refused:
        return "no verdict", pool.refused
    if outcome == "matched" and outside > MOST_OUTSIDE:
        return "no verdict", f"{outside:.0%} of the trainings of an arm are outside of the level"
    if margin is not None and margin < LEVEL:
        return "equivalent", ""
    if p is not None and p < LEVEL and low > 0:
        return ("helps" if asked in DIVERSITY else "better"), ""
    if p is not None and p < LEVEL and high < 0:
        return ("hurts" if asked in DIVERSITY else "worse"), ""
    return "cannot tell", ""


def shares_of(domains: Sequence[str], found: Contrast) -> dict[str, Share]:
    """Returns domain -> its gain, with an interval over architectures alone."""
    from scipy.special import stdtrit

    reach = float(stdtrit(max(1.0, min(found.effect.freedom, 1e6)), 1 - LEVEL / 2))
    return {
        name: Share(value=value, low=value - reach * error, high=value + reach * error)
        for name, value, error in zip(domains, found.by_domain, found.error_by_domain, strict=True)
    }


def family_effects(pool: ArchitecturePool) -> dict[str, Share]:
    """Returns family -> gain of one more such layer in place of one of the others, as they stand there."""
    here = pool.known
    marks = here.marks.sum(axis=1)
    there = [place for place in range(len(here.families)) if marks[:, place].any()]
    grouped = here.families_of(here.matched)
    found: dict[str, Share] = {}
    for place in there:
        design = np.column_stack([np.ones(len(marks)), here.held, marks[:, place]])
        try:
            one = contrast(grouped, design).effect
        except ValueError:
            continue
        low, high = one.interval
        found[here.families[place]] = Share(value=one.value, low=low, high=high)
    return found
