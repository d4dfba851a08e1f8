"""One training whose checkpoints are short trainings of their own.

The rate rises, stays, and falls linearly to zero over the last part of the steps. At every earlier checkpoint
a copy of network and optimizer does the same for so many steps, on batches of its own, while the training
goes on undisturbed: what is scored there is what a training of that length would have given
(warmup-stable-decay; Hu et al. 2024, arXiv 2404.06395).
"""

import copy
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from harness import seeds
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.learn.batches import batches
from harness.learn.checkpoint import Checkpoint, Training
from harness.learn.fit import Batch, Loss, Recipe, cross_entropy, fit, seeded
from harness.study.work.alone import checkpoint_of


@dataclass(frozen=True)
class ShortTrainings:
    """A training of `recipe.steps` steps, and the shorter ones along its way.

    Attributes:
        view: what it may see.
        recipe: of the whole; its schedule is replaced.
        shares: of the steps after which a short training ends, ascending; the last one is the whole.
        decay: share of the steps of each over which the rate falls to zero.
        seed: of weights and batches.
        folder: where it is kept while it goes on.
    """

    view: SourceView
    recipe: Recipe
    shares: tuple[float, ...]
    decay: float
    seed: int
    folder: Path

    @property
    def steps(self) -> list[int]:
        """Steps of each short training."""
        return [max(1, round(share * self.recipe.steps)) for share in self.shares]

    @property
    def taken(self) -> int:
        """Steps of all of them together."""
        return self.steps[-1] + sum(self._falls(steps) for steps in self.steps[:-1])

    def run(self, module: nn.Module) -> None:
        """Trains `module`, which ends as the last short training; what was done before is not done again."""
        order = seeds.generator(self.seed, "cell", "batches")
        starts = {steps - self._falls(steps): steps for steps in self.steps[:-1]}

        def before(step: int, optimizer: torch.optim.Optimizer) -> None:
            if step in starts:
                self._branch(module, optimizer, starts[step])
            _set_rate(optimizer, self.recipe.learning_rate * self._height(step))

        fit(
            module,
            self.recipe,
            self._batches(order),
            self._loss(module),
            before=before,
            checkpoint=checkpoint_of(self.folder, order),
        )
        self._keep(module, self.steps[-1])

    def restore(self, module: nn.Module, steps: int) -> bool:
        """Gives `module` the weights of a short training; returns whether they are there, and whole."""
        with seeded(0):
            return self._kept(steps).resume(self._training(module)) == steps

    def lacking(self, module: nn.Module) -> list[int]:
        """Returns the short trainings that are not there; `module` loses its weights."""
        return [steps for steps in self.steps if not self.restore(module, steps)]

    def forget(self) -> None:
        """Deletes what was kept."""
        checkpoint_of(self.folder).delete()
        for steps in self.steps:
            self._kept(steps).delete()

    def restart(self) -> None:
        """Deletes where the training is, but no short training."""
        checkpoint_of(self.folder).delete()

    def _falls(self, steps: int) -> int:
        """Returns over how many of so many steps the rate falls."""
        return max(1, round(self.decay * steps))

    def _height(self, step: int) -> float:
        """Returns the rate at a step of the whole training, over its peak."""
        last = self.recipe.steps
        fall = self._falls(last)
        warm = round(last * self.recipe.warmup)
        return min(1.0, (step + 1) / max(1, warm), (last - step) / fall)

    def _branch(self, module: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
        """Lets a copy of the network end as a training of so many steps."""
        own = copy.deepcopy(module)
        if self.restore(own, steps):
            return
        own = copy.deepcopy(module)
        state = copy.deepcopy(optimizer.state_dict())
        fall = self._falls(steps)
        height = self._height(steps - fall)

        def before(step: int, fresh: torch.optim.Optimizer) -> None:
            if step == 0:
                fresh.load_state_dict(state)
            _set_rate(fresh, self.recipe.learning_rate * min(height, (fall - step) / fall))

        with seeded(seeds.stream(self.seed, "cell", "decay", str(steps))):
            order = seeds.generator(self.seed, "cell", "decay", str(steps))
            fit(own, replace(self.recipe, steps=fall), self._batches(order), self._loss(own), before=before)
        self._keep(own, steps)

    def _batches(self, order: np.random.Generator) -> Iterator[Batch]:
        recipe = self.recipe
        train = self.view.splits("train")
        return batches(self.view.signature, train, recipe.batch_size, order, recipe.augmentation)

    def _loss(self, module: nn.Module) -> Loss:
        def loss(batch: Batch, step: int) -> Tensor:
            return cross_entropy(module(batch[0]), batch[1], self.recipe.label_smoothing)

        return loss

    def _keep(self, module: nn.Module, steps: int) -> None:
        self._kept(steps).offer(self._training(module), steps)

    def _kept(self, steps: int) -> Checkpoint:
        path = self.folder / f"after-{steps}.safetensors"
        return Checkpoint(path=path, owner="/".join(path.parts[-3:]), steps=1)

    def _training(self, module: nn.Module) -> Training:
        """Returns the weights alone as what a checkpoint is taken of."""
        nothing = torch.optim.SGD(module.parameters(), lr=1.0)
        told = asdict(self.recipe) | {"shares": list(self.shares), "decay": self.decay, "seed": self.seed}
        return Training(module=module, optimizer=nothing, recipe=told)


def trained(trainings: ShortTrainings, module: nn.Module) -> None:
    """Makes sure that all short trainings are there, whatever was lost of an earlier try.

    Raises:
        HarnessError: their files cannot be read back.
    """
    begun = copy.deepcopy(module)
    if not trainings.lacking(module):
        return
    trainings.run(copy.deepcopy(begun))
    if not trainings.lacking(module):
        return
    trainings.restart()  # it had passed a short training whose file was damaged
    trainings.run(begun)
    if lacking := trainings.lacking(module):
        raise HarnessError(f"What was trained for {lacking[0]} steps cannot be read back; run it again.")


def _set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
