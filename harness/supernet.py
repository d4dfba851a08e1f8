"""Weight-sharing training: which architectures a step trains, and how their losses join."""

import random
from collections.abc import Iterator

from torch import Tensor, nn

from harness.space import SearchSpace
from harness.train import Batch, Recipe, cross_entropy, fit


def train_single_path(
    module: nn.Module, space: SearchSpace, recipe: Recipe, data: Iterator[Batch], draw: random.Random
) -> None:
    """Trains a supernet in place with one random legal architecture per step.

    Source: Guo et al. 2020 (SPOS, arXiv 1904.00420), uniform single path; here uniform over the legal
    architectures that the search may ask for.
    """

    def loss(batch: Batch, step: int) -> Tensor:
        inputs, targets = batch
        return cross_entropy(module(inputs, space.route(space.sample(draw))), targets)

    fit(module, recipe, data, loss)
