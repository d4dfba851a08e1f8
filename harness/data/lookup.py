"""Tables of published results: every architecture of a space with its scores, looked up by genes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.errors import DataUnavailableError, HarnessError
from harness.space import Architecture, SearchSpace, SpaceFamily
from harness.toml import parse, read_toml

if TYPE_CHECKING:
    import pandas as pd

Feedback = Literal["validation", "test"]


@dataclass(frozen=True, kw_only=True)
class DomainColumns:
    """Which columns hold a domain's scores.

    Attributes:
        validation: column that selection may read.
        test: column that is reported.
        space: `SPACE:PRESET` whose costs the domain's networks have; the table's when empty.
        note: what a reader must know of these columns.
    """

    validation: str
    test: str
    space: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class TableCard:
    """What one table of published results is.

    Attributes:
        summary: one line.
        file: its name in the folder of tables, or beside the card.
        space: `SPACE:PRESET` that it enumerates.
        column: the column that holds an architecture.
        domains: domain -> its columns.
        origin: who published it.
        licence: one line.
        encoding: of the column: `digits` (one character per choice), `json`, or `text` of the space's own.
        digits: with `digits`, the option that each character from 0 on means.
        unit: `percent` or `share`, both kept as shares.
        sha256: of the file; empty where it is not pinned.
        proxy_space: `SPACE:PRESET` of the smaller networks that zero-cost proxies are computed on.
    """

    summary: str
    file: str
    space: str
    column: str
    domains: dict[str, DomainColumns]
    origin: str
    licence: str
    encoding: str = "json"
    digits: list[str] = field(default_factory=list)
    unit: str = "percent"
    sha256: str = ""
    proxy_space: str = ""


@dataclass(frozen=True, kw_only=True)
class LookupTable:
    """The scores of every row.

    Attributes:
        rows: architecture -> row number.
        validation: domain -> scores in [0, 1], shape (rows,).
        test: domain -> scores in [0, 1], shape (rows,).
    """

    rows: Mapping[Architecture, int]
    validation: Mapping[str, NDArray[np.float64]]
    test: Mapping[str, NDArray[np.float64]]

    def column(self, domain: str, feedback: str) -> NDArray[np.float64]:
        """Returns the scores of `domain` that a searcher with this feedback sees, shape (rows,)."""
        return (self.validation if feedback == "validation" else self.test)[domain]


def read_card(path: Path) -> TableCard:
    """Returns the card in the TOML file `path`.

    Raises:
        HarnessError: it has a wrong key, type or value.
    """
    card = parse(TableCard, read_toml(path), path)
    if card.encoding not in ("digits", "json", "text"):
        raise HarnessError(f"{path}: encoding must be digits, json or text, not {card.encoding!r}.")
    if card.unit not in ("percent", "share"):
        raise HarnessError(f"{path}: unit must be percent or share, not {card.unit!r}.")
    if not card.domains:
        raise HarnessError(f"{path}: a table needs at least one domain.")
    return card


def find_table(card: TableCard, folders: tuple[Path, ...]) -> Path:
    """Returns the table's file in the first folder that has it.

    Raises:
        DataUnavailableError: none has it.
    """
    for folder in folders:
        if (folder / card.file).is_file():
            return folder / card.file
    raise DataUnavailableError(
        f"The table {card.file} is in none of {', '.join(map(str, folders)) or 'no folder'}; set "
        "HARNESS_BENCHMARKS to the folder that holds it."
    )


def file_hash(path: Path) -> str:
    """Returns the sha256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bound_space(name: str) -> SearchSpace:
    """Returns the space that `SPACE[:PRESET]` means, with the preset's own signature.

    Raises:
        UnknownNameError: there is no such space or preset.
    """
    stem, _, preset = name.partition(":")
    family: SpaceFamily = catalog.load("space", stem)
    return family.space(preset or None)


@cache
def load_table(path: Path, card_path: Path) -> LookupTable:
    """Returns the checked table in the file `path`; a process reads it once.

    Raises:
        DataUnavailableError: its hash is not the card's, or a row or a column is damaged.
    """
    card = read_card(card_path)
    return _read(path, card, bound_space(card.space))


def _read(path: Path, card: TableCard, space: SearchSpace) -> LookupTable:
    import pandas as pd

    found = file_hash(path)
    if card.sha256 and found != card.sha256:
        raise DataUnavailableError(f"{path} has sha256 {found}, and its card says {card.sha256}.")
    frame = pd.read_csv(path, dtype={card.column: str})
    columns = [name for one in card.domains.values() for name in (one.validation, one.test)]
    for name in (card.column, *columns):
        if name not in frame:
            there = ", ".join(map(str, frame.columns))
            raise DataUnavailableError(f"{path} has no column {name!r}; it has: {there}.")
    rows: dict[Architecture, int] = {}
    for number, text in enumerate(frame[card.column]):
        try:
            architecture = _architecture(str(text), card, space)
        except (HarnessError, ValueError) as error:
            raise DataUnavailableError(f"{path}, row {number}, column {card.column!r}: {error}") from error
        if architecture in rows:
            raise DataUnavailableError(
                f"{path}, row {number}, column {card.column!r}: {text} is in row {rows[architecture]} too."
            )
        rows[architecture] = number
    scale = 0.01 if card.unit == "percent" else 1.0
    return LookupTable(
        rows=rows,
        validation={name: _scores(path, frame, one.validation) * scale for name, one in card.domains.items()},
        test={name: _scores(path, frame, one.test) * scale for name, one in card.domains.items()},
    )


def _scores(path: Path, frame: "pd.DataFrame", column: str) -> NDArray[np.float64]:
    import pandas as pd

    values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        found = str(frame[column].iloc[int(wrong[0])])
        raise DataUnavailableError(
            f"{path}, row {wrong[0]}, column {column!r}: {found!r} is not a finite number."
        )
    return values


def _architecture(text: str, card: TableCard, space: SearchSpace) -> Architecture:
    if card.encoding == "digits":
        if len(text) != len(space.choices) or not text.isdigit() or max(map(int, text)) >= len(card.digits):
            raise HarnessError(f"{text!r} is not {len(space.choices)} digits below {len(card.digits)}.")
        names = [card.digits[int(digit)] for digit in text]
        chosen = zip(space.choices, names, strict=True)
        return space.canonical([list(map(str, choice.options)).index(name) for choice, name in chosen])
    value: Any = json.loads(text) if card.encoding == "json" else text
    return space.from_json(value)
