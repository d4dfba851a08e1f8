"""Training of one network alone, with a checkpoint per learning rate."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.torch import save
from torch import nn

from harness import seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.files import write_atomically
from harness.learn.baseline import Predictor
from harness.learn.batches import batches
from harness.learn.checkpoint import Checkpoint
from harness.learn.fit import Recipe, cross_entropy, fit, seeded
from harness.learn.predictors import score
from harness.study.work.units import TrainingSpec, ValidatedSpec
from harness.task.split import Split

WEIGHTS: Final = "weights.safetensors"
"""Where a unit keeps the weights of what it trained."""


def weights_at(rate: float | None) -> str:
    """Returns where a final that keeps every rate keeps the weights of one."""
    return f"weights-{rate!r}.safetensors"


def recipe_of(spec: TrainingSpec, rate: float) -> Recipe:
    """Returns the recipe that a unit's specification gives, at one learning rate."""
    assert spec.steps is not None
    assert spec.batch_size is not None
    return Recipe(
        steps=spec.steps,
        batch_size=spec.batch_size,
        learning_rate=rate,
        accumulate=spec.accumulate or 1,
        compiled=bool(spec.compile),
        **asdict(spec.recipe),
    )


def train_alone(
    build: Callable[[], nn.Module],
    view: SourceView,
    recipe: Recipe,
    seed: int,
    purpose: str,
    folder: Path,
    *,
    until: int | None = None,
) -> nn.Module:
    """Returns a network that was trained on the source domains; `seed` and `purpose` give weights and order.

    Where it pauses before the step `until`, the same call with a later one goes on from there.
    A checkpoint per learning rate stays in `folder`; whoever calls it deletes them when every rate is done.
    """
    with seeded(seeds.stream(seed, purpose, "weights")):
        module = build()
        order = seeds.generator(seed, purpose, "batches")
        data = batches(view.signature, view.splits("train"), recipe.batch_size, order, recipe.augmentation)
        fit(
            module,
            recipe,
            data,
            lambda batch, step: cross_entropy(module(batch[0]), batch[1], recipe.label_smoothing),
            checkpoint=checkpoint_of(folder, order, rate=recipe.learning_rate),
            until=until,
        )
    return module


def save_weights(module: nn.Module, path: Path) -> None:
    """Writes the weights of a network in safetensors."""
    weights = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    write_atomically(path, save(weights))


def delete_checkpoints(folder: Path, rates: Sequence[float]) -> None:
    """Deletes what `train_alone` kept."""
    for rate in rates:
        checkpoint_of(folder, rate=rate).delete()


def checkpoint_of(
    folder: Path, order: np.random.Generator | None = None, *, rate: float | None = None
) -> Checkpoint:
    """Returns the checkpoint of a training, at one learning rate where it has several."""
    path = folder / ("checkpoint.safetensors" if rate is None else f"checkpoint-{rate!r}.safetensors")
    streams = {} if order is None else {"batches": order}
    return Checkpoint(path=path, owner="/".join(path.parts[-3:]), streams=streams)


def validation_score(model: Predictor, view: SourceView, spec: ValidatedSpec) -> float:
    """Returns the metric on source validation, each domain with the same weight."""
    splits = view.splits("validation", samples=spec.validation_samples)
    return mean_score(model, splits, view, spec.document_bytes)


def mean_score(model: Predictor, splits: Sequence[Split], view: SourceView, document_bytes: int) -> float:
    """Returns the metric averaged over splits, each domain with the same weight."""
    scores = [score(model, split, document_bytes=document_bytes) for split in splits]
    return float(np.mean([metric_of(view.metric).value(one) for one in scores]))
