"""The one training loop: supernets, finals and fixed baselines all go through `fit`."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.errors import DivergedError, HarnessError
from harness.learn.checkpoint import Checkpoint, Training
from harness.learn.peers import Peers, agree_on, average_statistics, peers, sum_gradients

Batch = tuple[Tensor, Tensor]
Loss = Callable[[Batch, int], Tensor]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a network is trained.

    Attributes:
        steps: optimizer steps.
        batch_size: images or byte windows per step, over all parts and processes.
        learning_rate: peak of the rate, which first rises and then falls to zero.
        optimizer: adamw (betas 0.9 and 0.98); sgd (momentum 0.9), or nesterov.
        schedule: of the fall: cosine or linear.
        warmup: share of the steps over which the rate rises linearly.
        weight_decay: of matrices and kernels; vectors have none.
        no_decay: parts of names of further weights that have none.
        clip: largest gradient norm; 0 for any.
        label_smoothing: share of the target that is spread over all classes.
        augmentation: what is done to images, of `harness.learn.augment.STEPS`.
        accumulate: parts that a batch is run in, one after another, their gradients being summed: less memory
            and the same step, but for BatchNorm, which sees a part.
        compiled: run the network through `torch.compile`, or as it is where that fails.
    """

    steps: int
    batch_size: int
    learning_rate: float
    optimizer: Literal["adamw", "sgd", "nesterov"] = "adamw"
    schedule: Literal["cosine", "linear"] = "cosine"
    warmup: float = 0.05
    weight_decay: float = 0.05
    no_decay: tuple[str, ...] = ()
    clip: float = 1.0
    label_smoothing: float = 0.0
    augmentation: tuple[str, ...] = ()
    accumulate: int = 1
    compiled: bool = False


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes torch's generator start from `seed` inside, and restores the caller's state after."""
    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        yield


def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Returns the mean cross-entropy in nats over all predictions.

    Args:
        logits: (..., classes).
        targets: classes, int64 (...), or shares of classes, float (..., classes).
        smoothing: share of the targets that is spread over all classes.
    """
    wanted = targets.flatten(0, -2) if targets.is_floating_point() else targets.flatten()
    return F.cross_entropy(logits.flatten(0, -2), wanted, label_smoothing=smoothing)


def half_precision(device: torch.device) -> torch.dtype | None:
    """Returns the type that products are taken in on `device`; None means that of the weights."""
    return torch.bfloat16 if device.type == "cuda" else None


def fit(
    module: nn.Module,
    recipe: Recipe,
    data: Iterator[Batch],
    loss: Loss,
    *,
    before: Callable[[int, torch.optim.Optimizer], None] | None = None,
    checkpoint: Checkpoint | None = None,
    until: int | None = None,
) -> None:
    """Trains `module` in place, on from its checkpoint where there is one.

    Args:
        module: on its device; the batches are brought there.
        loss: the mean loss of a batch, or of a part of it, at a step; what runs is its caller's business.
        before: called with every step and the optimizer before the loss is.
        checkpoint: where the training is kept, with every generator that the others draw from.
        until: step before which it pauses, if not at its end; the checkpoint then goes on from there.

    Raises:
        HarnessError: a batch has fewer samples than parts and processes.
        DivergedError: the gradient, and so the loss, stopped being finite.
    """
    joined = peers()
    if recipe.batch_size < recipe.accumulate * joined.size:
        raise HarnessError(
            f"A batch of {recipe.batch_size} cannot be cut into {recipe.accumulate} parts on each of "
            f"{joined.size} processes; raise batch_size or lower accumulate."
        )
    optimizer = _optimizer(module, recipe)
    training = Training(
        module=module, optimizer=optimizer, recipe=asdict(recipe) | {"processes": joined.size}
    )
    first = 0 if checkpoint is None else checkpoint.resume(training)
    if joined.size > 1:
        agree_on(first)
    gradients = _Gradients(module, recipe, loss, joined)
    module.train()
    last = recipe.steps if until is None else until
    for step in range(first, last):
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _schedule(step, recipe)
        if before is not None:
            before(step, optimizer)
        value = gradients.take(next(data), step)
        norm = nn.utils.clip_grad_norm_(module.parameters(), recipe.clip or math.inf)
        if not math.isfinite(float(norm)):
            if checkpoint is not None:
                checkpoint.delete()
            rate = optimizer.param_groups[0]["lr"]
            raise DivergedError(
                f"The gradient is not finite at step {step} of {recipe.steps}, where the loss is {value:.4g} "
                f"and the learning rate {rate:.4g} (at most {recipe.learning_rate:.4g}); lower the rate."
            )
        optimizer.step()
        if checkpoint is not None and joined.rank == 0:
            checkpoint.offer(training, step + 1)
    gradients.close()
    if first < last < recipe.steps and checkpoint is not None and joined.rank == 0:
        checkpoint.write(training, last)
    if joined.size > 1:
        average_statistics(module)
    module.eval()


class _Gradients:
    """Leaves the gradient of a whole batch in a module, part by part and process by process."""

    def __init__(self, module: nn.Module, recipe: Recipe, loss: Loss, peers: Peers) -> None:
        self.module = module
        self.recipe = recipe
        self.loss = loss
        self.peers = peers
        self.device = next(module.parameters()).device
        self.half = half_precision(self.device)
        self.compiled = recipe.compiled
        if self.compiled:
            module.compile()

    def take(self, batch: Batch, step: int) -> Tensor:
        """Replaces the gradients by those of `batch` and returns the loss of this process's share of it."""
        try:
            value = self._sum(batch, step)
        except Exception as error:
            # Once more without what may be its cause: anything else is raised again.
            without = self._without(error)
            if without is None:
                raise
            value = self._sum(batch, step)
            said = (str(error).strip() or "it gives no reason").splitlines()[0]
            logging.getLogger(__name__).warning("%s: %s: %s", without, type(error).__name__, said)
        if self.peers.size > 1:
            sum_gradients(self.module)
        return value

    def _without(self, error: Exception) -> str | None:
        """Gives up what may have failed, and returns what is to be said of it; None for nothing."""
        if self.compiled:
            self.close()
            return "torch.compile failed, training goes on without it"
        if torch.are_deterministic_algorithms_enabled() and "deterministic" in str(error):
            torch.use_deterministic_algorithms(True, warn_only=True)
            return "This training will not give the same bits again"
        return None

    def close(self) -> None:
        """Leaves the module as it is without the compiler."""
        if self.compiled:
            self.module._compiled_call_impl = None
            self.compiled = False

    def _sum(self, batch: Batch, step: int) -> Tensor:
        self.module.zero_grad(set_to_none=True)
        whole = len(batch[0])
        parts = self.recipe.accumulate * self.peers.size
        total = torch.zeros((), device=self.device)
        inputs, targets = (list(tensor.tensor_split(parts)) for tensor in batch)
        for index in range(self.peers.rank * self.recipe.accumulate, parts)[: self.recipe.accumulate]:
            part = (inputs[index].to(self.device), targets[index].to(self.device))
            with torch.autocast(self.device.type, self.half) if self.half else nullcontext():
                value = self.loss(part, step)
            share = value if parts == 1 else value * (len(part[0]) / whole)
            share.backward()
            total = total + share.detach()
        return total


def _optimizer(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, weight in module.named_parameters():
        is_free = weight.dim() <= 1 or any(part in name for part in recipe.no_decay)
        (others if is_free else decayed).append(weight)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.98))
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=0.9, nesterov=recipe.optimizer == "nesterov"
    )


def _schedule(step: int, recipe: Recipe) -> float:
    warm = max(1, round(recipe.steps * recipe.warmup)) if recipe.warmup else 0
    if step < warm:
        return (step + 1) / warm
    passed = (step - warm) / max(1, recipe.steps - warm)
    return 1 - passed if recipe.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * passed))
