"""Asynchronous successive halving of trainings by one worker, so that the order of its jobs is fixed.

Source: Li et al. 2020, A system for massively parallel hyperparameter tuning, algorithm 2 (arXiv 1810.05934).
"""

from typing import Final, NamedTuple

REDUCTION: Final = 3
"""Of the trials of a rung, one in so many goes on, for so many times as long."""
RUNGS: Final = 3


class Job(NamedTuple):
    """A trial, by its number, that is to be trained to the end of a rung."""

    trial: int
    rung: int


def rungs_of(steps: int) -> tuple[int, ...]:
    """Returns the steps at the end of each rung, increasing; the last are those of a whole training."""
    return tuple(sorted({max(1, round(steps / REDUCTION**power)) for power in range(RUNGS)}))


class Halving:
    """Says which trial is trained on: one that is promoted, of the highest rung, or else a new one."""

    def __init__(self, rungs: int) -> None:
        """Takes the number of rungs."""
        self.scores: list[dict[int, float]] = [{} for _ in range(rungs)]

    def next(self) -> Job:
        """Returns the next job; it is the same until a score is told."""
        for rung in reversed(range(len(self.scores) - 1)):
            above, here = self.scores[rung + 1], self.scores[rung]
            best = sorted(here, key=lambda trial: (-here[trial], trial))[: len(here) // REDUCTION]
            for trial in best:
                if trial not in above and here[trial] > float("-inf"):
                    return Job(trial, rung + 1)
        return Job(len(self.scores[0]), 0)

    def goes_on(self, job: Job) -> bool:
        """Returns whether a job that was told is among the best third of its rung so far; the first one is.

        A trial that does not is stopped for good, where trials are made one after the other and none is
        paused.
        """
        here = self.scores[job.rung]
        best = sorted(here, key=lambda trial: (-here[trial], trial))[: max(1, len(here) // REDUCTION)]
        return job.trial in best and here[job.trial] > float("-inf")

    def tell(self, job: Job, score: float) -> None:
        """Takes the score of a job, higher being better; minus infinity where it has none."""
        self.scores[job.rung][job.trial] = score
