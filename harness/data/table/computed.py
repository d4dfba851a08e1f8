"""Tables whose scores are computed, not listed: published surrogates of spaces too large for rows."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import seeds
from harness.data.foreign.arrays import read_arrays
from harness.data.table.card import TableCard, read_card
from harness.data.table.table import bound_space
from harness.errors import DataUnavailableError
from harness.files import file_hash
from harness.space.choices import SearchSpace
from harness.space.form import Architecture

SAMPLED = 20_000
"""Architectures drawn where a whole table would be read: 1 in 20,000 is better than the best of them."""
LAYERS = 5
"""Linear layers of a surrogate, ReLU between them."""

Floats = NDArray[np.float64]

Layers = list[tuple[Floats, Floats]]
"""Weight, shape (outputs, inputs), and bias, shape (outputs,), of each linear layer of a surrogate."""


def features(space: SearchSpace, genes: NDArray[np.integer]) -> Floats:
    """Returns what a surrogate reads, zeros and ones, shape (architectures, features)."""
    names = [choice.name.partition("[")[0] for choice in space.choices]
    depths = np.asarray(space.choices[names.index("num_layers")].options)[genes[:, names.index("num_layers")]]
    parts = []
    for stem in ("embed_dim", "num_layers", "mlp_ratio", "num_heads", "bias"):
        for layer, index in enumerate(at for at, name in enumerate(names) if name == stem):
            chosen = np.eye(len(space.choices[index].options))[genes[:, index]]
            if stem in ("mlp_ratio", "num_heads"):
                chosen *= (layer < depths)[:, None]
            parts.append(chosen)
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True, kw_only=True)
class ComputedTable:
    """Scores of any architecture, by domain; those that are better when lower are negated.

    They are those of the perplexity surrogates of HW-GPT-Bench, on architectures of `decoder`.

    Source: Sukthanker et al. 2024 (arXiv 2405.10299), section 3.3. An architecture is one-hot: embedding,
    layers, MLP ratio and heads of each layer (zeros for absent ones), bias (true first).

    Attributes:
        card: of the table.
        spaces: domain -> its space.
        surrogates: domain -> the layers of its surrogate.
    """

    card: TableCard
    spaces: Mapping[str, SearchSpace]
    surrogates: Mapping[str, Layers]

    def scores(self, genes: NDArray[np.integer], domain: str) -> Floats:
        """Returns the scores of canonical genes of a domain's space, shape (architectures, choices)."""
        hidden = features(self.spaces[domain], genes)
        for layer, (weight, bias) in enumerate(self.surrogates[domain]):
            hidden = (np.maximum(hidden, 0) if layer else hidden) @ weight.T + bias
        return np.asarray(hidden[:, 0] * self.card.factor(domain))

    def sample(self, domain: str, seed: int) -> list[Architecture]:
        """Returns `SAMPLED` random architectures of a domain's space, drawn as random search draws them."""
        draw = random.Random(seeds.stream(seed, "computed table", domain))
        return [self.spaces[domain].sample(draw) for _ in range(SAMPLED)]


@cache
def load_computed(path: Path, card_path: Path) -> ComputedTable:
    """Returns the surrogates in the file `path`; a process reads them once.

    Raises:
        DataUnavailableError: its hash is not the card's, or an array lacks or has another shape.
    """
    card = read_card(card_path)
    found = file_hash(path)
    if card.sha256 and found != card.sha256:
        raise DataUnavailableError(f"{path} has sha256 {found}, and its card says {card.sha256}.")
    spaces = {domain: bound_space(card.space_of(domain)) for domain in card.domains}
    try:
        held = {name: np.asarray(array, np.float64) for name, array in read_arrays(path).items()}
    except (ValueError, TypeError) as error:
        raise DataUnavailableError(f"{path} is no set of plain arrays: {error}.") from error
    surrogates = {
        domain: _surrogate(path, held, card.domains[domain].columns("test")[0], spaces[domain])
        for domain in card.domains
    }
    return ComputedTable(card=card, spaces=spaces, surrogates=surrogates)


def _surrogate(path: Path, held: Mapping[str, Floats], prefix: str, space: SearchSpace) -> Layers:
    """Returns the surrogate of the arrays `PREFIX/fcN.weight` and `PREFIX/fcN.bias`."""
    layers: Layers = []
    width = features(space, np.asarray([space.default()])).shape[1]
    for layer in range(1, LAYERS + 1):
        names = [f"{prefix}/fc{layer}.{part}" for part in ("weight", "bias")]
        for name in names:
            if name not in held:
                raise DataUnavailableError(f"{path} has no array {name!r}; it has: {', '.join(held)}.")
            if not np.isfinite(held[name]).all():
                raise DataUnavailableError(f"{path}, array {name!r}: it holds a number that is not finite.")
        weight, bias = (held[name] for name in names)
        if weight.ndim != 2 or weight.shape[1] != width or bias.shape != weight.shape[:1]:
            raise DataUnavailableError(
                f"{path}, array {names[0]!r}: shape {weight.shape} does not take the {width} inputs that "
                f"space {space.name} or the layer before gives."
            )
        layers.append((weight, bias))
        width = len(weight)
    return layers
