"""The line of the reference: what it scores held out at an in-domain score, by trainings of other lengths."""

from collections.abc import Sequence

import numpy as np

from harness import catalog
from harness.board.values import row_name
from harness.board.wording import listed
from harness.learn.baseline import FixedBaseline
from harness.stats.equal import line
from harness.study.trained.boards.scored import TaskScores
from harness.study.trained.boards.values import InDomainLine, Key
from harness.study.trained.units import SHORTER


def is_of_curve(key: Key, reference: Key | None) -> bool:
    """Whether a row is the reference, trained for fewer steps, or for as many more as searches cost."""
    if reference is None:
        return False
    method, space = reference
    if key[0] in {f"{method} {name}" for name in SHORTER}:
        return key[1] == space
    budget, base = _spent_on(key)
    return budget == "steps" and base == _spent_on(reference)[1]


def in_domain_line(
    scores: TaskScores, reference: Key, curve: Sequence[Key], sources: Sequence[str], held_out: Sequence[str]
) -> InDomainLine | None:
    """Returns the line; None without shorter trainings of the reference, or where this lacks a score.

    One through fewer trainings than there are would be another line in another run, and nothing is compared
    with it.
    """
    sides = {
        key: one for key in (reference, *curve) if (one := scores.sides(key, sources, held_out)) is not None
    }
    if reference not in sides or not any(key[0].startswith(f"{reference[0]} ") for key in curve):
        return None
    inside, outside = np.concatenate([one.points for one in sides.values()], axis=1)
    fitted = line(np.array([inside, outside]), is_proportion=scores.metric.is_proportion)
    lost = listed([row_name(*key) for key in curve if key not in sides])
    return InDomainLine(
        rows=tuple(row_name(*key) for key, one in sides.items() for _ in one.seeds),
        inside=tuple(map(float, inside)),
        outside=tuple(map(float, outside)),
        slope=fitted.slope_at(float(sides[reference].points[0].mean())),
        fit=fitted.fit,
        lacks=f"trainings of {lost} lack a score" if lost else fitted.lacks,
    )


def _spent_on(key: Key) -> tuple[str, str]:
    """Returns how a row spends what searches cost, and on which baseline; nothing, and itself, for others."""
    method, space = key
    family, _, member = method.partition(":")
    entry = catalog.load("baseline", family) if family in catalog.files("baseline") else None
    if space is not None or not isinstance(entry, FixedBaseline) or not entry.budget:
        return "", method
    return entry.budget, member or entry.of[0]
