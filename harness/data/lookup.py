"""Tables of published results: every architecture of a space with its scores, looked up by genes."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.data.encodings import CELL_ENCODINGS
from harness.errors import DataUnavailableError, HarnessError
from harness.space import Architecture, SearchSpace, SpaceFamily
from harness.toml import parse, read_toml

if TYPE_CHECKING:
    import pandas as pd

Feedback = Literal["validation", "test"]
ENCODINGS = ("digits", "json", "text", "naslib", "one_hot")
UNITS = {"percent": (0.01, 100.0), "share": (1.0, 1.0), "raw": (1.0, float("inf"))}
"""Unit -> the factor that makes its values what is kept, and the highest value of a column."""
OPPOSITE = -0.5
"""Rank correlation of two columns of one domain below which they cannot have the same direction."""


@dataclass(frozen=True, kw_only=True)
class DomainColumns:
    """Which columns hold a domain's scores.

    Attributes:
        validation: column that selection may read, or a list of columns whose mean it is.
        test: column that is reported, or a list of columns whose mean it is.
        space: `SPACE:PRESET` whose costs the domain's networks have; the table's when empty.
        note: what a reader must know of these columns.
        unit: of these columns, where it is not the table's.
        higher_is_better: false for losses and errors, which searchers see negated.
    """

    validation: str | list[str]
    test: str | list[str]
    space: str = ""
    note: str = ""
    unit: str = ""
    higher_is_better: bool = True

    def columns(self, feedback: str) -> list[str]:
        """Returns the columns whose mean is the validation or the test score."""
        named = self.validation if feedback == "validation" else self.test
        return [named] if isinstance(named, str) else named


@dataclass(frozen=True, kw_only=True)
class TableCard:
    """What one table of published results is.

    Attributes:
        summary: one line.
        file: its name in the folder of tables, or beside the card; csv, npz or parquet.
        space: `SPACE:PRESET` that it enumerates.
        column: the column that holds an architecture.
        domains: domain -> its columns.
        origin: who published it.
        licence: one line.
        encoding: of the column: `digits` (one character per choice), `json`, `text` of the space's own, or,
            for cells of NAS-Bench-201, `naslib` or `one_hot` as JSON lists.
        digits: with `digits`, the option that each character from 0 on means.
        unit: `percent` and `share`, both kept as shares, or `raw`, kept as it is.
        sha256: of the file; empty where it is not pinned.
        proxy_space: `SPACE:PRESET` of the smaller networks that zero-cost proxies are computed on.
        partial: whether rows may lack; searches then stay among the rows.
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
    partial: bool = False

    def unit_of(self, domain: str) -> str:
        """Returns the unit of a domain's columns."""
        return self.domains[domain].unit or self.unit

    def factor(self, domain: str) -> float:
        """Returns what a value of the file is multiplied by to be a score, higher being better."""
        return UNITS[self.unit_of(domain)][0] * (1 if self.domains[domain].higher_is_better else -1)


@dataclass(frozen=True, kw_only=True)
class LookupTable:
    """The scores of every row; those of columns that are better when lower are negated.

    Attributes:
        rows: architecture -> row number.
        validation: domain -> scores, shares in [0, 1] or raw, shape (rows,).
        test: domain -> scores, shares in [0, 1] or raw, shape (rows,).
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
    if card.encoding not in ENCODINGS:
        raise HarnessError(f"{path}: encoding must be {_either(ENCODINGS)}, not {card.encoding!r}.")
    if not card.domains:
        raise HarnessError(f"{path}: a table needs at least one domain.")
    if card.encoding == "digits" and not card.digits:
        raise HarnessError(f"{path}: the encoding digits needs a list `digits` of what each of them means.")
    for name, one in card.domains.items():
        for unit in (card.unit, card.unit_of(name)):
            if unit not in UNITS:
                raise HarnessError(f"{path}: unit must be {_either(tuple(UNITS))}, not {unit!r}.")
        for feedback in ("validation", "test"):
            named: Any = one.columns(feedback)
            if not (isinstance(named, list) and named and all(isinstance(text, str) for text in named)):
                raise HarnessError(
                    f"{path}: domains.{name}.{feedback} must be a column or a list of columns, not {named!r}."
                )
    return card


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


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
    found = file_hash(path)
    if card.sha256 and found != card.sha256:
        raise DataUnavailableError(f"{path} has sha256 {found}, and its card says {card.sha256}.")
    frame = _frame(path, card)
    columns = [
        name for one in card.domains.values() for part in ("validation", "test") for name in one.columns(part)
    ]
    for name in (card.column, *columns):
        if name not in frame:
            there = ", ".join(map(str, frame.columns))
            raise DataUnavailableError(f"{path} has no column {name!r}; it has: {there}.")
    rows = _rows(path, frame, card, space)
    for name in card.domains:
        _check_direction(path, frame, name, card)
    return LookupTable(
        rows=rows,
        validation={name: _scores(path, frame, name, card, "validation") for name in card.domains},
        test={name: _scores(path, frame, name, card, "test") for name in card.domains},
    )


def _frame(path: Path, card: TableCard) -> "pd.DataFrame":
    import pandas as pd

    if path.suffix == ".csv":
        return pd.read_csv(path, dtype={card.column: str})
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix != ".npz":
        raise HarnessError(f"{path} is not a table that can be read; give a csv, npz or parquet file.")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return pd.DataFrame({name: arrays[name] for name in arrays.files})
    except ValueError as error:
        raise DataUnavailableError(f"{path} is no set of plain columns of one length: {error}.") from error


def _rows(path: Path, frame: "pd.DataFrame", card: TableCard, space: SearchSpace) -> dict[Architecture, int]:
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
    if not card.partial and len(rows) < math.prod(len(choice.options) for choice in space.choices):
        listed = islice(space.enumerate(), len(rows) + 1)
        absent = next((one for one in listed if one not in rows), None)
        if absent is not None:
            raise DataUnavailableError(
                f"{path}, column {card.column!r}: it has no row of {space.to_json(absent)}, which space "
                f"{space.name} holds; a table of {len(rows)} rows on purpose says `partial = true`."
            )
    return rows


def _scores(
    path: Path, frame: "pd.DataFrame", domain: str, card: TableCard, feedback: str
) -> NDArray[np.float64]:
    columns = card.domains[domain].columns(feedback)
    highest = UNITS[card.unit_of(domain)][1]
    parts = [_values(path, frame, column) for column in columns]
    for column, values in zip(columns, parts, strict=True):
        wrong = (
            np.flatnonzero((values < 0) | (values > highest)) if np.isfinite(highest) else np.empty(0, int)
        )
        if wrong.size:
            raise DataUnavailableError(
                f"{path}, row {wrong[0]}, column {column!r}: {values[wrong[0]]:g} is no "
                f"{card.unit_of(domain)} from 0 to {highest:g}."
            )
        if values.size < 2 or not np.ptp(values):
            raise DataUnavailableError(
                f"{path}, column {column!r}: every row has the same value, so it ranks none."
            )
    return np.asarray(np.mean(parts, axis=0) * card.factor(domain), dtype=np.float64)


def _values(path: Path, frame: "pd.DataFrame", column: str) -> NDArray[np.float64]:
    import pandas as pd

    values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        found = str(frame[column].iloc[int(wrong[0])])
        raise DataUnavailableError(
            f"{path}, row {wrong[0]}, column {column!r}: {found!r} is not a finite number."
        )
    return values


def _check_direction(path: Path, frame: "pd.DataFrame", domain: str, card: TableCard) -> None:
    """Refuses columns of one domain of which one falls where another rises."""
    import pandas as pd

    one = card.domains[domain]
    first, *others = dict.fromkeys([*one.columns("validation"), *one.columns("test")])
    ranked = pd.Series(_values(path, frame, first)).rank()
    for other in others:
        agreement = ranked.corr(pd.Series(_values(path, frame, other)).rank())
        if agreement < OPPOSITE:
            raise DataUnavailableError(
                f"{path}, column {other!r}: it falls where column {first!r} of the same domain {domain!r} "
                f"rises (rank correlation {agreement:.2f}); a domain's columns have one direction."
            )


def _architecture(text: str, card: TableCard, space: SearchSpace) -> Architecture:
    if card.encoding == "digits":
        if len(text) != len(space.choices) or not text.isdigit() or max(map(int, text)) >= len(card.digits):
            raise HarnessError(f"{text!r} is not {len(space.choices)} digits below {len(card.digits)}.")
        names = [card.digits[int(digit)] for digit in text]
        chosen = zip(space.choices, names, strict=True)
        return space.canonical([list(map(str, choice.options)).index(name) for choice, name in chosen])
    value: Any = text if card.encoding == "text" else json.loads(text)
    if card.encoding in CELL_ENCODINGS:
        return space.canonical(CELL_ENCODINGS[card.encoding](value))
    return space.from_json(value)
