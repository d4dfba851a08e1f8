"""How well what searches read ranks architectures: slices of supernets against training alone."""

from collections.abc import Iterator

import numpy as np

from harness.run.loaded import Run
from harness.stats.ranks import kendall, kendall_interval
from harness.study.trained.boards.values import RankQuality
from harness.study.work.units import INHERITED, SCRATCH, Scratch


def rank_qualities(run: Run, task: str) -> Iterator[RankQuality]:
    """Yields the rank quality of each space of a task whose drawn architectures all have their scores.

    Where domains are held out in turn, slices and trainings of one fold are held against each other.
    """
    slices = [unit for unit in run.planned(INHERITED) if unit.spec.task == task]
    trained = [unit for unit in run.planned(SCRATCH) if unit.spec.task == task]
    for space in dict.fromkeys(unit.spec.space for unit in slices):
        alone: dict[tuple[str, ...], list[Scratch]] = {}
        for unit in sorted(trained, key=lambda unit: unit.spec.index):
            if unit.spec.space == space and (result := run.result(unit)) is not None:
                alone.setdefault(unit.spec.sources, []).append(result)
        of_space = [unit for unit in slices if unit.spec.space == space]
        pairs = [
            (found, truth)
            for unit in of_space
            if (found := run.result(unit)) is not None
            and len(truth := alone.get(unit.spec.sources, [])) == len(found.scores)
        ]
        if len(pairs) < len(of_space):
            continue
        taus = [
            [
                float(kendall(one, [other.score for other in truth])[0])
                for one in (found.scores, found.parameters)
            ]
            for found, truth in pairs
        ]
        tau, by_parameters = map(float, np.mean(taus, axis=0))
        if np.isfinite(tau):
            count = len(pairs[0][1])
            low, high = kendall_interval(tau, count)
            yield RankQuality(
                space=str(space),
                tau=tau,
                low=low,
                high=high,
                architectures=count,
                supernets=len(pairs),
                by_parameters=by_parameters if np.isfinite(by_parameters) else None,
            )
