"""How well what searches read ranks architectures: slices of supernets against training alone."""

from collections.abc import Iterator

import numpy as np

from harness.run.loaded import Run
from harness.stats.ranks import kendall, kendall_interval
from harness.study.trained.boards.values import RankQuality
from harness.study.work.units import INHERITED, SCRATCH


def rank_qualities(run: Run, task: str) -> Iterator[RankQuality]:
    """Yields the rank quality of each space of a task whose drawn architectures all have their scores."""
    slices = [unit for unit in run.planned(INHERITED) if unit.spec.task == task]
    for space in dict.fromkeys(unit.spec.space for unit in slices):
        trained = [
            unit for unit in run.planned(SCRATCH) if (unit.spec.task, unit.spec.space) == (task, space)
        ]
        alone = [run.result(unit) for unit in sorted(trained, key=lambda unit: unit.spec.index)]
        supernets = [run.result(unit) for unit in slices if unit.spec.space == space]
        truth = [one.score for one in alone if one is not None]
        found = [one for one in supernets if one is not None]
        if len(truth) < len(alone) or len(found) < len(supernets) or not truth:
            continue
        tau = np.mean([kendall(one.scores, truth)[0] for one in found])
        if np.isfinite(tau):
            low, high = kendall_interval(float(tau), len(truth))
            by_parameters = float(kendall(found[0].parameters, truth)[0])
            yield RankQuality(
                space=str(space),
                tau=float(tau),
                low=low,
                high=high,
                architectures=len(truth),
                supernets=len(found),
                by_parameters=by_parameters if np.isfinite(by_parameters) else None,
            )
