"""Weight-sharing training: which architectures a step trains, and how their losses join.

A strategy decides only that; the optimizer, its schedule and the data are those of `harness.learn.fit.fit`.
"""

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.errors import UnknownNameError
from harness.learn.checkpoint import Checkpoint, Resumable
from harness.learn.fit import Batch, Recipe, cross_entropy, fit
from harness.nn.slices import Reordering
from harness.space.choices import SearchSpace
from harness.space.form import Architecture


class Part(NamedTuple):
    """One architecture of a step, and what its loss is measured against.

    `labels` is the cross-entropy; `first` distils from the step's first architecture, in place; `teacher`
    adds to the cross-entropy the divergence from a teacher that training left behind.
    """

    architecture: Architecture
    target: Literal["labels", "first", "teacher"] = "labels"


class Strategy(Resumable, Protocol):
    """Decides which architectures a step trains; all that it draws comes from the generator it is given."""

    space: SearchSpace
    draw: random.Random

    def __init__(self, space: SearchSpace, steps: int, draw: random.Random) -> None:
        self.space = space
        self.draw = draw

    def parts(self, step: int, supernet: nn.Module) -> Sequence[Part]:
        """Returns what step `step` trains, the losses being averaged."""

    def moves(self) -> Sequence[Reordering]:
        """Returns how the last call of `parts` reordered shared weights."""
        return ()

    def teacher(self) -> nn.Module | None:
        """Returns the network that parts with the target `teacher` learn from."""
        return None


class SinglePath(Strategy):
    """One uniform architecture per step.

    Source: Guo et al. 2020 (SPOS, arXiv 1904.00420), section 3.2. On a supernet whose blocks are slices of
    the largest it is the weight entanglement of Chen et al. 2021 (AutoFormer, arXiv 2107.00651), section 3.2.
    """

    def parts(self, step: int, supernet: nn.Module) -> Sequence[Part]:
        return [Part(self.space.sample(self.draw))]


class Sandwich(Strategy):
    """The largest by its labels, and the smallest and two uniform ones by what the largest says.

    Source: Yu et al. 2020 (BigNAS, arXiv 2003.11142), sections 3.1 and 3.2.
    """

    def __init__(self, space: SearchSpace, steps: int, draw: random.Random) -> None:
        super().__init__(space, steps, draw)
        self.largest = space.extreme(largest=True)
        self.smallest = space.extreme(largest=False)

    def parts(self, step: int, supernet: nn.Module) -> Sequence[Part]:
        drawn = [self.space.sample(self.draw) for _ in range(2)]
        others = dict.fromkeys(one for one in (self.smallest, *drawn) if one != self.largest)
        return [Part(self.largest), *(Part(one, "first") for one in others)]


class Fair(Strategy):
    """As many architectures per step as a choice has options, so that every option is trained once.

    Source: Chu et al. 2021 (FairNAS, arXiv 1907.01845), algorithm 1. Ours: a choice with fewer options than
    the most has each as often as the others, give or take one; the parameter window, which would forbid most
    such steps, is not kept in training.
    """

    def __init__(self, space: SearchSpace, steps: int, draw: random.Random) -> None:
        super().__init__(space, steps, draw)
        self.paths = max(len(choice.options) for choice in space.choices)

    def parts(self, step: int, supernet: nn.Module) -> Sequence[Part]:
        columns = []
        for choice in self.space.choices:
            size = len(choice.options)
            column: list[int] = []
            while len(column) < self.paths:
                column += self.draw.sample(range(size), size)
            column = column[: self.paths]
            self.draw.shuffle(column)
            columns.append(column)
        return [Part(self.space.canonical(genes)) for genes in zip(*columns, strict=True)]


class ProgressiveShrinking(Strategy):
    """First the largest alone, then choices become elastic group by group, taught by the largest.

    Source: Cai et al. 2020 (once-for-all, arXiv 1908.09791), section 3.3: kernel, depth, width. Here the
    groups are those of `SearchSpace.stages`, each with the same number of steps, and shared weights are
    ordered by importance where the space can, before each group.
    """

    def __init__(self, space: SearchSpace, steps: int, draw: random.Random) -> None:
        super().__init__(space, steps, draw)
        self.largest = space.extreme(largest=True)
        self.groups = space.stages()
        self.length = max(1, steps // (len(self.groups) + 1))
        self.stage = 0
        self._moves: list[Reordering] = []
        self._teacher: nn.Module | None = None

    def parts(self, step: int, supernet: nn.Module) -> Sequence[Part]:
        self._moves = []
        stage = min(step // self.length, len(self.groups))
        while self.stage < stage:
            if self._teacher is None:
                self._teacher = copy.deepcopy(self.space.networks.slice(supernet, self.largest)).eval()
            self.stage += 1
            self._moves += self.space.networks.rearrange(supernet)
        if self.stage == 0:
            return [Part(self.largest)]
        return [Part(self._sample(), "teacher")]

    def moves(self) -> Sequence[Reordering]:
        return self._moves

    def teacher(self) -> nn.Module | None:
        return self._teacher

    def state(self) -> dict[str, Tensor]:
        weights = {} if self._teacher is None else self._teacher.state_dict()
        kept = {f"teacher/{name}": value for name, value in weights.items()}
        return {"stage": torch.tensor(self.stage), **kept}

    def restore(self, state: Mapping[str, Tensor], module: nn.Module) -> None:
        self.stage = int(state["stage"])
        kept = {name.removeprefix("teacher/"): value for name, value in state.items() if name != "stage"}
        if self.stage:
            self._teacher = copy.deepcopy(self.space.networks.slice(module, self.largest)).eval()
            self._teacher.load_state_dict(kept)

    def _sample(self) -> Architecture:
        elastic = {index for group in self.groups[: self.stage] for index in group}
        for _ in range(200):
            drawn = self.space.sample(self.draw)
            genes = self.space.canonical(
                [gene if index in elastic else self.largest[index] for index, gene in enumerate(drawn)]
            )
            if self.space.legal(genes):
                return genes
        return self.largest


STRATEGIES: dict[str, Callable[[SearchSpace, int, random.Random], Strategy]] = {
    "single_path": SinglePath,
    "sandwich": Sandwich,
    "fair": Fair,
    "progressive_shrinking": ProgressiveShrinking,
}


def train_supernet(
    module: nn.Module,
    space: SearchSpace,
    strategy: str,
    recipe: Recipe,
    data: Iterator[Batch],
    draw: random.Random,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Trains a supernet in place by one of `STRATEGIES`, on from its checkpoint where there is one.

    Args:
        module: the supernet, on its device.
        data: endless batches of source training data.
        draw: the generator of architectures.
        checkpoint: where the training is kept, with the generators of `data`.
    """
    if strategy not in STRATEGIES:
        raise UnknownNameError("strategy", strategy, STRATEGIES)
    chosen = STRATEGIES[strategy](space, recipe.steps, draw)
    if checkpoint is not None:
        streams = {**checkpoint.streams, "paths": draw}
        checkpoint = replace(checkpoint, streams=streams, strategy=chosen)
    parts: Sequence[Part] = ()

    def begin(step: int, optimizer: torch.optim.Optimizer) -> None:
        nonlocal parts
        parts = chosen.parts(step, module)
        for move in chosen.moves():
            _follow(optimizer, move)

    def loss(batch: Batch, step: int) -> Tensor:
        inputs, targets = batch
        total = inputs.new_zeros((), dtype=torch.float32)
        first: Tensor | None = None
        for part in parts:
            logits = module(inputs, space.networks.route(part.architecture))
            if part.target == "first" and first is not None:
                total = total + divergence(logits, first)
                continue
            total = total + cross_entropy(logits, targets, recipe.label_smoothing)
            first = logits.detach() if first is None else first
            teacher = chosen.teacher() if part.target == "teacher" else None
            if teacher is not None:
                with torch.no_grad():
                    wanted = teacher(inputs)
                total = total + divergence(logits, wanted)
        return total / len(parts)

    fit(module, recipe, data, loss, before=begin, checkpoint=checkpoint)


def _follow(optimizer: torch.optim.Optimizer, move: Reordering) -> None:
    """Reorders what the optimizer remembers of each entry of a tensor as the tensor was reordered."""
    for value in optimizer.state.get(move.tensor, {}).values():
        if isinstance(value, Tensor) and value.shape == move.tensor.shape:
            value.copy_(value.index_select(move.dimension, move.order))


def divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    """Returns the mean cross-entropy in nats of `logits` against the softmax of `wanted`, (..., classes)."""
    return F.cross_entropy(logits.flatten(0, -2), wanted.flatten(0, -2).softmax(dim=-1))


def has_batch_norm(module: nn.Module) -> bool:
    """Returns whether scores need `calibrated` statistics."""
    return any(isinstance(part, nn.modules.batchnorm._BatchNorm) for part in module.modules())


def calibrated(module: nn.Module, batches: Sequence[Tensor]) -> nn.Module:
    """Returns `module` with the BatchNorm statistics of `batches`, its weights untouched.

    Args:
        module: a stand-alone network, such as a slice; its statistics are replaced.
        batches: inputs of source training data, never of validation.

    Source: SPOS, section 3.3, and once-for-all, section 3.4: a supernet's own statistics are of no use to a
    slice.
    """
    norms: list[Any] = [
        part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)
    ]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
    module.train()
    with torch.no_grad():
        for inputs in batches:
            module(inputs)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    return module.eval()
