"""Scores of a search's candidates, slices of a supernet or trained alone; a run pays for each once."""

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from harness import seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.files import content_hash
from harness.identity.unit import Unit
from harness.learn.baseline import Predictor
from harness.learn.predictors import predictor, score
from harness.learn.supernet import has_batch_norm
from harness.run.place import Needs
from harness.run.score_cache import ScoreCache
from harness.search.halving import Halving, Job, rungs_of
from harness.search.race import Floats, Race, SampleBlock, blocks_of
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.study.trained.results import Search
from harness.study.trained.units import SearchSpec
from harness.study.work.alone import WEIGHTS, mean_score, recipe_of, train_alone
from harness.study.work.slices import load_supernet, slices
from harness.study.work.spent import CALIBRATION_IMAGES, validation_passes
from harness.study.work.units import SUPERNET
from harness.task.signature import Signature

SCORED_BY = ("engine", "space", "metric", "modality")
"""What, of all that a search runs, decides the score of an architecture."""


class CandidateScores:
    """What a search calls with an architecture: returns its score, higher being better.

    Attributes:
        cache: what scores are paid for in.
        dropped: samples that each candidate was scored on that lost its race; empty without racing.
        stopped: steps that each candidate was trained for that was stopped early; empty without halving.
        spent: forward passes that each candidate took or was worth, by halving; empty without it.
        passes: forward passes of a candidate, those that re-estimate BatchNorm statistics included.
        trained: forward passes that the training of a candidate is worth; 0 for slices.
    """

    def __init__(
        self, unit: Unit[SearchSpec, Search], needs: Needs, view: SourceView, space: SearchSpace, folder: Path
    ) -> None:
        self.dropped: dict[Architecture, int] = {}
        self.stopped: dict[Architecture, int] = {}
        self.spent: dict[Architecture, int] = {}
        self.unit = unit
        self.view = view
        self.space = space
        self.trained = 0
        self.halving: Halving | None = None
        self.slice_of: Callable[..., tuple[nn.Module, Signature, Any]]
        calibration = 0
        if unit.spec.steps is None:
            shared = load_supernet(needs, space)
            batches_each = unit.spec.calibration_batches
            self.slice_of = slices(unit.spec.seed, view, space, shared, calibration_batches=batches_each)
            calibration = batches_each * CALIBRATION_IMAGES if has_batch_norm(shared) else 0
        else:
            self.slice_of = _trained(unit.spec, needs, view, space, folder)
            self.folder, self.rungs = folder, rungs_of(unit.spec.steps)
            self.halving = Halving(len(self.rungs)) if unit.spec.halving else None
            assert unit.spec.batch_size is not None
            self.trained = 3 * unit.spec.steps * unit.spec.batch_size
        self.passes = validation_passes(unit.spec) + calibration
        self.splits = view.splits("validation", samples=unit.spec.validation_samples)
        self.race: Race | None = None
        if unit.spec.racing:
            draw = seeds.generator(unit.spec.seed, "search", "blocks")
            self.race = Race(blocks_of(self.splits, view.metric, unit.spec.document_bytes, draw))
        self.cache = ScoreCache(needs.place.run, self._identity(needs))

    def __call__(self, architecture: Architecture) -> float:
        """Returns the score on all validation samples, or what a lost race leaves of it."""
        if self.halving is not None:
            return self._halved(architecture)
        if self.race is None:
            value: float = self.cache.value([architecture], lambda: self._whole(architecture))
            return value
        blocks = self.race.blocks
        made: list[Predictor] = []  # once, and only where a block is not known yet

        def compute(index: int) -> list[float]:
            made[:] = made or [self.model(architecture)]
            return self.numerators(made[0], blocks[index])

        def numerators(index: int) -> Floats:
            known = self.cache.value([architecture, index], lambda: compute(index))
            return np.array(known, dtype=np.float64)

        limit = self.unit.spec.mac_limit
        may_win = not limit or self.space.macs(architecture) <= limit
        lap = self.race.enter(numerators, may_win=may_win)
        if lap.is_dropped:
            self.dropped[architecture] = lap.samples
        return lap.score

    def _halved(self, architecture: Architecture) -> float:
        """Returns the score after as many steps as a candidate is let train for."""
        assert self.halving is not None
        trial, value = len(self.halving.scores[0]), -math.inf
        for rung, steps in enumerate(self.rungs):
            key = [architecture, "steps", steps]
            value = self.cache.value(key, partial(self._whole, architecture, until=steps))
            self.halving.tell(Job(trial, rung), value if math.isfinite(value) else -math.inf)
            worth = 3 * steps * (self.unit.spec.batch_size or 0)
            self.spent[architecture] = worth + (rung + 1) * self.passes
            if rung + 1 < len(self.rungs) and not self.halving.goes_on(Job(trial, rung)):
                self.stopped[architecture] = steps
                break
        shutil.rmtree(_place(self.folder, self.space, architecture), ignore_errors=True)
        return float(value)

    def model(self, architecture: Architecture) -> Predictor:
        """Returns the slice, ready to be scored."""
        return predictor(*self.slice_of(architecture))

    def numerators(self, model: Predictor, block: SampleBlock) -> list[float]:
        """Returns what each sample of a block gives: 1 for a correct image, or bits."""
        length = self.unit.spec.document_bytes
        parts = [score(model, split, document_bytes=length) for split in block.splits if len(split)]
        return [value for part in parts for value in part.numerator.tolist()]

    def _whole(self, architecture: Architecture, *, until: int | None = None) -> float:
        model = self.model(architecture) if until is None else predictor(*self.slice_of(architecture, until))
        mean = mean_score(model, self.splits, self.view, self.unit.spec.document_bytes)
        return metric_of(self.view.metric).sign * mean

    def _identity(self, needs: Needs) -> Sequence[Any]:
        spec = self.unit.spec
        alone = [spec.steps, spec.batch_size, spec.learning_rate, asdict(spec.recipe)]
        return [
            needs.record(SUPERNET).files[WEIGHTS] if spec.steps is None else alone,
            {label: one for label, one in self.unit.code.items() if label.split()[0] in SCORED_BY},
            self.view.hashes(),
            [spec.space, spec.seed, spec.validation_samples, spec.document_bytes, spec.context],
            [spec.limit, spec.racing, spec.calibration_batches],
            [needs.place.device, torch.__version__],
        ]


def _trained(
    spec: SearchSpec, needs: Needs, view: SourceView, space: SearchSpace, folder: Path
) -> Callable[..., tuple[nn.Module, Signature, Any]]:
    """Returns what trains an architecture alone, with the same weights and batches for all of one seed.

    Where it is told a step it pauses there, and its checkpoint stays.
    """
    rate = spec.learning_rate
    assert rate is not None

    def train(architecture: Architecture, until: int | None = None) -> tuple[nn.Module, Signature, Any]:
        place = _place(folder, space, architecture)

        def build() -> nn.Module:
            return space.networks.build(architecture).to(needs.place.device)

        recipe = recipe_of(spec, rate)
        module = train_alone(build, view, recipe, spec.seed, "candidate", place, until=until)
        if until is None:
            shutil.rmtree(place, ignore_errors=True)  # its checkpoint
        return module, view.signature, None

    return train


def _place(folder: Path, space: SearchSpace, architecture: Architecture) -> Path:
    """Returns where a candidate that is trained alone keeps its checkpoint."""
    return folder / content_hash(space.to_json(architecture))
