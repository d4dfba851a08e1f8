"""The one training loop: supernets, finals and fixed baselines all go through `fit`."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.batches import byte_batches, image_batches
from harness.data.split import Split
from harness.task import Signature

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        steps: optimizer steps.
        batch_size: images or byte windows per step.
        learning_rate: peak of AdamW's rate; linear warm-up over 5 % of the steps, then cosine to zero.
        weight_decay: of matrices; vectors have none.
        clip: largest gradient norm.
    """

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.05
    clip: float = 1.0


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes torch's generator start from `seed` inside, and restores the caller's state after."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        yield


def batches(
    signature: Signature, splits: Sequence[Split], batch_size: int, draw: np.random.Generator
) -> Iterator[Batch]:
    """Yields (inputs, targets) for ever, each source domain with equal probability.

    Images are float32 (batch, channels, height, width) with classes (batch,); bytes are int64
    (batch, context) with the next bytes (batch, context).
    """
    if signature.kind == "image":
        for images, labels in image_batches(splits, batch_size, draw):
            yield torch.from_numpy(images), torch.from_numpy(labels)
    else:
        for windows in byte_batches(splits, batch_size, signature.context, draw):
            tokens = torch.from_numpy(windows.astype(np.int64))
            yield tokens[:, :-1], tokens[:, 1:]


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Returns the mean cross-entropy in nats over all predictions."""
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def fit(
    module: nn.Module, recipe: Recipe, data: Iterator[Batch], loss: Callable[[Batch, int], Tensor]
) -> None:
    """Trains `module` in place.

    Args:
        module: on its device; the batches are brought there.
        recipe: steps and rates.
        data: endless batches.
        loss: the loss of a batch at a step; what a step runs is its caller's business.

    Raises:
        FloatingPointError: the loss stopped being finite.
    """
    device = next(module.parameters()).device
    matrices = [weight for weight in module.parameters() if weight.dim() > 1]
    vectors = [weight for weight in module.parameters() if weight.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
    )
    warm = max(1, round(recipe.steps * 0.05))
    module.train()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(step, warm, recipe.steps)
        inputs, targets = next(data)
        batch = (inputs.to(device), targets.to(device))
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            value = loss(batch, step)
        optimizer.zero_grad(set_to_none=True)
        value.backward()
        norm = nn.utils.clip_grad_norm_(module.parameters(), recipe.clip)
        if not math.isfinite(float(norm)):
            raise FloatingPointError(f"The gradient is not finite at step {step}.")
        optimizer.step()
    module.eval()


def _schedule(step: int, warm: int, steps: int) -> float:
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))
