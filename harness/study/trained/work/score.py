"""The unit that scores a trained network on one domain."""

import io
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load
from torch import nn

from harness import catalog
from harness.catalog import metric_of
from harness.data.load import Cap
from harness.data.view import DataPlace, SourceView, held_out_part, oracle_split, test_split
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.learn.baseline import Baseline, FixedBaseline, FloorBaseline, Opening, Predictor, ReadyBaseline
from harness.learn.fit import seeded
from harness.learn.predictors import predictor, score
from harness.run.place import Done, Needs
from harness.run.samples import write_samples
from harness.study.trained.results import Score
from harness.study.trained.units import FINAL, FinalSpec, RowScoreSpec, ScoreSpec, TuneSpec
from harness.study.work.alone import WEIGHTS, weights_at
from harness.study.work.matched import matched_size, matched_space
from harness.task.selection import ORACLE
from harness.task.signature import Signature
from harness.task.split import Extent, Split
from harness.task.task import Task

FLOOR = "floor.npz"
"""Where a final keeps the state of a floor."""


def score_unit(unit: Unit[ScoreSpec, Score], needs: Needs, folder: Path) -> Done:
    """Scores a trained network on one domain."""
    spec = unit.spec
    task: Task = catalog.load("task", spec.task)
    model, rate = restored(spec, needs)
    split, there = scored_part(spec, task, needs.place.data)
    samples = score(model, split, document_bytes=spec.document_bytes or sys.maxsize)
    samples = samples._replace(
        group=split.clusters[samples.group], position=split.positions, digest=split.digests
    )
    write_samples(folder, samples, task.metric)
    result = Score(
        metric=task.metric,
        value=metric_of(task.metric).value(samples),
        samples=len(split),
        groups=len(np.unique(split.groups)),
        limited=needs.place.data.limit is not None,
        learning_rate=rate,
        bytes=split.extent.bytes if there else None,
        of=there,
    )
    return Done(result=result)


def scored_part(spec: ScoreSpec, task: Task, place: DataPlace) -> tuple[Split, Extent | None]:
    """Returns what is scored of a domain, and of how much where it is held out."""
    if spec.role == "source":
        assert spec.samples is not None
        return test_split(spec.task, task, spec.domain, place, samples=spec.samples), None
    cap = Cap(
        samples=spec.samples,
        groups=spec.groups,
        bytes=spec.bytes,
        document_bytes=spec.document_bytes,
    )
    return held_out_part(spec.task, task, spec.domain, place, splits=spec.splits, cap=cap)


def restored(spec: RowScoreSpec, needs: Needs) -> tuple[Predictor, float | None]:
    """Returns the model that a score reads, and the rate it was trained at; an oracle chooses it here."""
    final = needs.of(FINAL).spec
    task: Task = catalog.load("task", final.task)
    trained = needs.result(FINAL)
    baseline = baseline_of(spec)
    if isinstance(baseline, FloorBaseline):
        with np.load(io.BytesIO(needs.read(FINAL, FLOOR)), allow_pickle=False) as arrays:
            return baseline.restore(task.signature, dict(arrays)), None
    if isinstance(baseline, ReadyBaseline):
        return opened(spec.method, task.signature, opening_of(needs)), None
    view = needs.view(final)
    with seeded(0):
        module = module_of(final, view, trained.architecture).to(needs.place.device)
    model = predictor(module, view.signature)
    if spec.selection != ORACLE or (isinstance(baseline, FixedBaseline) and baseline.is_frozen):
        module.load_state_dict(load(needs.read(FINAL, WEIGHTS)))
        return model, trained.learning_rate
    split = oracle_split(final.task, task, spec.domain, needs.place.data, samples=final.validation_samples)
    values, metric = {}, metric_of(task.metric)
    for rate in final.learning_rates or (trained.learning_rate,):
        module.load_state_dict(load(needs.read(FINAL, weights_at(rate))))
        values[rate] = metric.value(score(model, split, document_bytes=final.document_bytes))
    sign = metric.sign
    best = max(values, key=lambda rate: sign * values[rate])
    module.load_state_dict(load(needs.read(FINAL, weights_at(best))))
    return model, best


def opening_of(needs: Needs) -> Opening:
    """Returns how a model that comes trained is opened where a unit runs."""
    place = needs.place
    return Opening(data=place.data.folder, device=place.device, keys=place.keys, offline=place.data.offline)


@lru_cache(maxsize=1)
def opened(method: str, signature: Signature, opening: Opening) -> Predictor:
    """Returns the model, kept for the next unit, as one that comes trained can take long to open."""
    baseline: ReadyBaseline = catalog.load("baseline", method)
    return baseline.open(signature, opening)


def baseline_of(spec: FinalSpec | TuneSpec | RowScoreSpec) -> Baseline | None:
    """Returns the baseline of a row; None where a search in a space chose its network."""
    baseline: Baseline | None = None if spec.space else catalog.load("baseline", spec.method)
    return baseline


def module_of(
    spec: FinalSpec | TuneSpec, view: SourceView, architecture: Mapping[str, Any] | None
) -> nn.Module:
    """Returns the network of a row, with random weights."""
    if spec.space:
        assert architecture is not None
        space = matched_space(spec, view.signature)
        return space.networks.build(space.from_json(architecture))
    baseline = catalog.load("baseline", spec.method)
    if not isinstance(baseline, FixedBaseline):
        raise HarnessError(f"Baseline {spec.method!r} needs a search and has none.")
    target = matched_size(baseline, spec.tuned_space, view.signature)
    return baseline.build(view.signature, target, **(architecture or {}))
