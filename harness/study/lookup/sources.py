"""Where the scores of a search on a table come from: its rows, or a surrogate that computes them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.data.table.card import TableCard, read_card
from harness.data.table.computed import SAMPLED, ComputedTable, load_computed
from harness.data.table.table import LookupTable, bound_space, load_table, table_path
from harness.errors import HarnessError
from harness.run.place import Place
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.space.listed import ListedSpace
from harness.stats.transfer import standardised_mean

Floats = NDArray[np.float64]
Values = Callable[[Architecture], float]
SAMPLE_SEED = 0


def open_source(name: str, place: Place) -> tuple["ScoreSource", Path]:
    """Returns the table called `name`, checked, and its file."""
    card_path = catalog.files("table")[name]
    card = read_card(card_path)
    data = place.data
    path = table_path(card, (*place.tables, card_path.parent), data.folder, offline=data.offline)
    if card.computed:
        return ComputedScores(name, load_computed(path, card_path)), path
    return RowScores(name, card, load_table(path, card_path, data.folder)), path


class RowScores:
    """Scores in the rows of a table.

    What is told of the table itself is told of a pool: here every row, of which `sampled` is then None.
    """

    sampled = None

    def __init__(self, name: str, card: TableCard, table: LookupTable) -> None:
        self.name = name
        self.card = card
        self.table = table

    def space(self, domain: str) -> SearchSpace:
        """Returns where a domain's searches search."""
        space = self._bound(domain)
        return ListedSpace(space, self.table.rows) if self.card.partial else space

    def pool(self, domain: str, feedback: str, sources: Sequence[str] = ()) -> Floats:
        """Returns what a search sees of the pool: its scores, or the sources' where any are."""
        if not sources:
            return self.table.column(domain, feedback)
        return standardised_mean([self.table.column(source, feedback) for source in sources])

    def costs(self, domain: str, cost: str) -> Floats:
        """Returns a cost of the pool, shape (pool,)."""
        if cost in self.table.costs:
            return self.table.costs[cost]
        if cost in self.card.costs:
            raise HarnessError(
                f"The cost {cost!r} of table {self.name!r} is in {self.card.costs[cost].file}, which is not "
                "beside the table's file; put it there."
            )
        space = self._bound(domain)
        return np.asarray([_of_space(space, cost, one) for one in self.table.rows], dtype=np.float64)

    def score(self, domain: str, feedback: str, sources: Sequence[str] = ()) -> Values:
        """Returns what gives the score that a search sees of an architecture."""
        return self._at(self.pool(domain, feedback, sources))

    def cost(self, domain: str, cost: str) -> Values:
        """Returns what gives a cost of an architecture."""
        return self._at(self.costs(domain, cost))

    def row(self, architecture: Architecture) -> int | None:
        """Returns the row of an architecture that was scored; None where there are no rows."""
        return self.table.rows[architecture]

    def _bound(self, domain: str) -> SearchSpace:
        named = self.card.space_of(domain)
        return bound_space(named) if named else self.table.space

    def _at(self, values: Floats) -> Values:
        rows = self.table.rows

        def value(architecture: Architecture) -> float:
            row = rows.get(architecture)
            if row is None:
                shown = self.table.space.to_json(architecture)
                raise HarnessError(f"The table {self.name} has no row of {shown}.")
            return float(values[row])

        return value


class ComputedScores:
    """Scores that a surrogate computes, of any architecture of a space; a seeded sample is its pool."""

    sampled = SAMPLED

    def __init__(self, name: str, table: ComputedTable) -> None:
        self.name = name
        self.card = table.card
        self.table = table
        self._known: dict[tuple[str, Architecture], float] = {}
        self._samples: dict[str, list[Architecture]] = {}

    def space(self, domain: str) -> SearchSpace:
        return self.table.spaces[domain]

    def pool(self, domain: str, feedback: str, sources: Sequence[str] = ()) -> Floats:
        return self.table.scores(np.asarray(self._sample(domain)), domain)

    def costs(self, domain: str, cost: str) -> Floats:
        space = self.space(domain)
        return np.asarray([_of_space(space, cost, one) for one in self._sample(domain)], dtype=np.float64)

    def score(self, domain: str, feedback: str, sources: Sequence[str] = ()) -> Values:
        def value(architecture: Architecture) -> float:
            key = (domain, architecture)
            if key not in self._known:
                self._known[key] = float(self.table.scores(np.asarray([architecture]), domain)[0])
            return self._known[key]

        return value

    def cost(self, domain: str, cost: str) -> Values:
        space = self.space(domain)
        return lambda architecture: _of_space(space, cost, architecture)

    def row(self, architecture: Architecture) -> int | None:
        return None

    def _sample(self, domain: str) -> list[Architecture]:
        if domain not in self._samples:
            self._samples[domain] = self.table.sample(domain, SAMPLE_SEED)
        return self._samples[domain]


ScoreSource = RowScores | ComputedScores


def _of_space(space: SearchSpace, cost: str, architecture: Architecture) -> float:
    return float(space.parameters(architecture) if cost == "parameters" else space.macs(architecture))
