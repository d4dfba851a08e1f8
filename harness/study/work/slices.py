"""Scores of slices of a supernet on source validation, each of which a run pays for once."""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
import torch
from safetensors.torch import load
from torch import nn

from harness import seeds
from harness.data.view import SourceView
from harness.identity.unit import Unit
from harness.learn.baseline import Predictor
from harness.learn.fit import batches
from harness.learn.predictors import predictor, score
from harness.learn.supernet import CALIBRATION_BATCHES, calibrated, has_batch_norm
from harness.run.place import Needs
from harness.run.score_cache import ScoreCache
from harness.search.race import Block, Floats, Race, blocks_of
from harness.space.choices import Architecture, SearchSpace
from harness.study.work.alone import mean_score
from harness.task.signature import Signature
from harness.task.task import higher_is_better

CALIBRATION_BATCH = 64


def load_supernet(needs: Needs, space: SearchSpace) -> nn.Module:
    """Returns the needed supernet on its device."""
    supernet = space.networks.supernet()
    supernet.load_state_dict(load(needs.read("supernet", "weights.safetensors")))
    return supernet.to(needs.place.device)


def slices(
    spec: Mapping[str, Any], view: SourceView, space: SearchSpace, supernet: nn.Module
) -> Callable[[Architecture], tuple[nn.Module, Signature, Any]]:
    """Returns what makes an architecture's slice ready to be scored, at the cost of the slice.

    Where there are BatchNorms, the slice's statistics are re-estimated on the same batches of source training
    data for every candidate.
    """
    if not has_batch_norm(supernet):
        return lambda architecture: (supernet, view.signature, space.networks.route(architecture))
    device = next(supernet.parameters()).device
    order = seeds.generator(spec["seed"], "search", "calibration")
    drawn = batches(view.signature, view.splits("train"), CALIBRATION_BATCH, order)
    count = spec.get("calibration_batches", CALIBRATION_BATCHES)
    inputs = [next(drawn)[0].to(device) for _ in range(count)]
    return lambda architecture: (
        calibrated(space.networks.slice(supernet, architecture), inputs),
        view.signature,
        None,
    )


class SliceScores:
    """What a search calls with an architecture: returns its score, higher being better.

    Attributes:
        waited: seconds that scoring took.
        dropped: samples that each candidate was scored on that lost its race; empty without racing.
    """

    def __init__(self, unit: Unit, needs: Needs, view: SourceView, space: SearchSpace) -> None:
        self.waited = 0.0
        self.dropped: dict[Architecture, int] = {}
        self.unit = unit
        self.view = view
        self.space = space
        self.slice_of = slices(unit.spec, view, space, load_supernet(needs, space))
        self.splits = view.splits("validation", samples=unit.spec["validation_samples"])
        self.race = self._race() if unit.spec.get("racing") else None
        self.cache = ScoreCache(needs.place.run, self._identity(needs))

    def __call__(self, architecture: Architecture) -> float:
        """Returns the score on all validation samples, or what a lost race leaves of it."""
        if self.race is None:
            value: float = self.cache.value([architecture], lambda: self._timed(self._whole, architecture))
            return value
        blocks = self.race.blocks
        made: list[Predictor] = []  # once, and only where a block is not known yet

        def compute(index: int) -> list[float]:
            made[:] = made or [self.model(architecture)]
            return self.numerators(made[0], blocks[index])

        def numerators(index: int) -> Floats:
            known = self.cache.value([architecture, index], lambda: self._timed(compute, index))
            return np.array(known, dtype=np.float64)

        limit = self.unit.spec["mac_limit"]
        may_win = not limit or self.space.macs(architecture) <= limit
        lap = self.race.enter(numerators, may_win=may_win)
        if lap.is_dropped:
            self.dropped[architecture] = lap.samples
        return lap.score

    def model(self, architecture: Architecture) -> Predictor:
        """Returns the slice, ready to be scored."""
        return predictor(*self.slice_of(architecture))

    def numerators(self, model: Predictor, block: Block) -> list[float]:
        """Returns what each sample of a block gives: 1 for a correct image, or bits."""
        length = self.unit.spec["document_bytes"]
        parts = [score(model, split, document_bytes=length) for split in block.splits if len(split)]
        return [value for part in parts for value in part.numerator.tolist()]

    def _timed(self, compute: Callable[[Any], Any], what: Any) -> Any:
        started = perf_counter()
        value = compute(what)
        self.waited += perf_counter() - started
        return value

    def _whole(self, architecture: Architecture) -> float:
        mean = mean_score(self.model(architecture), self.splits, self.view, self.unit.spec)
        return mean if higher_is_better(self.view.metric) else -mean

    def _race(self) -> Race:
        draw = seeds.generator(self.unit.spec["seed"], "search", "blocks")
        return Race(blocks_of(self.splits, self.view.metric, self.unit.spec["document_bytes"], draw))

    def _identity(self, needs: Needs) -> Sequence[Any]:
        spec = self.unit.spec
        return [
            needs.record("supernet").files["weights.safetensors"],
            {label: one for label, one in self.unit.code.items() if label.split()[0] in ("engine", "space")},
            self.view.hashes(),
            [spec[key] for key in ("space", "seed", "validation_samples", "document_bytes")],
            [spec.get(key) for key in ("limit", "racing", "calibration_batches")],
            [needs.place.device, torch.__version__],
        ]
