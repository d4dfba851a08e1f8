"""Reading a table's file: what is damaged is told in one sentence that names row and column."""

import math
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.foreign.columns import read_columns
from harness.data.foreign.pickles import read_members
from harness.data.table.card import UNITS, TableCard
from harness.data.table.converted import Converted
from harness.data.table.decode import columns_of, decoder
from harness.errors import DataUnavailableError, HarnessError
from harness.files import file_hash
from harness.guard.inert import visible
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.space.listed import DeclaredSpace

if TYPE_CHECKING:
    import pandas as pd

OPPOSITE = -0.5
"""Rank correlation of two columns of one domain below which they cannot have the same direction."""

ROW, OTHER_ROW = "\0row", "\0other row"
"""Columns that no file has."""
MOST_SHOWN = 500
"""Characters of what is wrong with a row that are shown."""

Floats = NDArray[np.float64]


def read_table(path: Path, card: TableCard, name: str, named: SearchSpace | None) -> Converted:
    """Returns the checked table in the file `path`, of the space that its card names, if it does.

    Raises:
        DataUnavailableError: a row or a column is damaged.
    """
    if card.package is not None:
        frame = read_members(path, card.members, card.classes)
    else:
        frame = _joined(path, card)
    for column in dict.fromkeys([*columns_of(card), *card.score_columns()]):
        if column not in frame:
            raise _no_column(path, column, frame)
    count = len(frame)
    if card.drop_incomplete:
        frame = frame.dropna(subset=card.score_columns())
    choices: dict[str, Any] = {}
    if named is None:
        choices = card.choices or {"row": list(dict.fromkeys(_texts(frame, card.column, 0)))}
    space = named or DeclaredSpace(name, choices, {})
    rows, row_of = _rows(path, frame, card, space)
    repeats = np.bincount(row_of)
    scores = [
        _scores(path, frame, domain, card, feedback)
        for feedback in ("validation", "test")
        for domain in card.domains
    ]
    for domain in card.domains:
        _check_direction(path, frame, domain, card)
    costs = _costs(path, frame, card)

    def per_row(columns: list[Floats]) -> Floats:
        sums = [np.bincount(row_of, weights=column) / repeats for column in columns]
        return np.asarray(sums, dtype=np.float64).reshape(len(columns), len(rows))

    return Converted(
        genes=np.asarray(list(rows), dtype=np.int32),
        scores=per_row(scores),
        cost_values=per_row(list(costs.values())),
        costs=list(costs),
        choices={key: list(options) for key, options in choices.items()},
        left_out=count - len(frame),
        averaged=len(frame) - len(rows),
    )


def _joined(path: Path, card: TableCard) -> "pd.DataFrame":
    """Returns the columns of all files of a table; rows of further ones are called NUMBER of FILE."""
    import pandas as pd

    keys = columns_of(card)
    frame = read_columns(path, keys)
    for name in card.more_files:
        file = path.parent / name
        wanted, actual = card.hashes.get(name), file_hash(file)
        if wanted and actual != wanted:
            raise DataUnavailableError(f"{file} has sha256 {actual}, and the card says {wanted}.")
        other = read_columns(file, keys)
        absent = next((key for key in keys if key not in other), None)
        if absent is not None:
            raise _no_column(file, absent, other)
        other.index = pd.Index([f"{row} of {name}" for row in other.index], dtype=object)
        if set(other.columns) == set(frame.columns):
            frame = pd.concat([frame, other])
            continue
        twice = sorted({*other.columns} & {*frame.columns} - {*keys})
        if twice:
            raise DataUnavailableError(
                f"{file} has the column {twice[0]!r} of {path}, and others that are not there; rename it."
            )
        if not all(key in frame for key in keys):
            break  # the first file is told of below
        labels = [frame.assign(**{ROW: frame.index}), other.assign(**{OTHER_ROW: other.index})]
        frame = labels[0].merge(labels[1], on=keys, how="outer")
        frame.index = pd.Index(
            frame[ROW].where(frame[ROW].notna(), frame[OTHER_ROW]), dtype=object, name=None
        )
        frame = frame.drop(columns=[ROW, OTHER_ROW])
    return frame


def _no_column(path: Path, column: str, frame: "pd.DataFrame") -> DataUnavailableError:
    there = visible(", ".join(map(str, frame.columns)))[:MOST_SHOWN]
    return DataUnavailableError(f"{path} has no column {column!r}; it has: {there}.")


def _texts(frame: "pd.DataFrame", column: str, width: int) -> list[str]:
    """Returns a column's texts; whole numbers get back the zeros that they lost before the first digit."""
    values = frame[column].tolist()
    return [str(value).zfill(width) if isinstance(value, int) else str(value) for value in values]


def _rows(
    path: Path, frame: "pd.DataFrame", card: TableCard, space: SearchSpace
) -> tuple[dict[Architecture, int], NDArray[np.int64]]:
    """Returns architecture -> row, and the row that each row of the file belongs to."""
    columns = columns_of(card)
    where = f"column {columns[0]!r}" if len(columns) == 1 else f"columns {', '.join(map(repr, columns))}"
    width = len(space.choices) if card.encoding == "digits" else 0
    texts = list(zip(*(_texts(frame, column, width) for column in columns), strict=True))
    read = _by_row(space) if not (card.space or card.choices) else decoder(card, space)
    rows: dict[Architecture, int] = {}
    first: list[int] = []
    row_of = np.empty(len(texts), dtype=np.int64)
    for at, (number, text) in enumerate(zip(frame.index.tolist(), texts, strict=True)):
        try:
            architecture = read(text)
        except (HarnessError, ValueError) as error:
            raise DataUnavailableError(f"{path}, row {number}, {where}: {str(error)[:MOST_SHOWN]}") from error
        row = rows.setdefault(architecture, len(rows))
        if row < len(first) and not card.average_repeats:
            raise DataUnavailableError(
                f"{path}, row {number}, {where}: {' '.join(text)} is in row {first[row]} too."
            )
        if row == len(first):
            first.append(number)
        row_of[at] = row
    if not card.partial and len(rows) < math.prod(len(choice.options) for choice in space.choices):
        _check_whole(path, where, rows, space)
    return rows, row_of


def _by_row(space: SearchSpace) -> Any:
    gene = {option: index for index, option in enumerate(space.choices[0].options)}
    return lambda texts: (gene[texts[0]],)


def _check_whole(path: Path, where: str, rows: dict[Architecture, int], space: SearchSpace) -> None:
    listed = islice(space.enumerate(), len(rows) + 1)
    absent = next((one for one in listed if one not in rows), None)
    if absent is not None:
        raise DataUnavailableError(
            f"{path}, {where}: it has no row of {space.to_json(absent)}, which space {space.name} holds; "
            f"a table of {len(rows)} rows on purpose says `partial = true`."
        )


def _scores(path: Path, frame: "pd.DataFrame", domain: str, card: TableCard, feedback: str) -> Floats:
    columns = card.domains[domain].columns(feedback)
    highest = UNITS[card.unit_of(domain)][1]
    parts = [_values(path, frame, column) for column in columns]
    for column, values in zip(columns, parts, strict=True):
        wrong = (
            np.flatnonzero((values < 0) | (values > highest)) if np.isfinite(highest) else np.empty(0, int)
        )
        if wrong.size:
            raise DataUnavailableError(
                f"{path}, row {frame.index[wrong[0]]}, column {column!r}: {values[wrong[0]]:g} is no "
                f"{card.unit_of(domain)} from 0 to {highest:g}."
            )
        if values.size < 2 or not np.ptp(values):
            raise DataUnavailableError(
                f"{path}, column {column!r}: every row has the same value, so it ranks none."
            )
    return np.asarray(np.mean(parts, axis=0) * card.factor(domain), dtype=np.float64)


def _costs(path: Path, frame: "pd.DataFrame", card: TableCard) -> dict[str, Floats]:
    """Returns the costs whose files are there, in the rows of the table's file."""
    frames = {"": (path, frame)}
    found = {}
    for name, cost in card.costs.items():
        file = path.parent / cost.file
        if cost.file and not file.is_file():
            continue
        if cost.file not in frames:
            wanted, actual = card.hashes.get(cost.file), file_hash(file)
            if wanted and actual != wanted:
                raise DataUnavailableError(f"{file} has sha256 {actual}, and the card says {wanted}.")
            frames[cost.file] = (file, _beside(file, frame))
        place, columns = frames[cost.file]
        if cost.column not in columns:
            raise _no_column(place, cost.column, columns)
        found[name] = _values(place, columns, cost.column) * cost.factor
    return found


def _beside(file: Path, frame: "pd.DataFrame") -> "pd.DataFrame":
    columns = read_columns(file, [])
    last = int(frame.index.max())
    if len(columns) <= last:
        raise DataUnavailableError(f"{file} has {len(columns)} rows, and the table beside it has row {last}.")
    return columns.loc[frame.index]


def _values(path: Path, frame: "pd.DataFrame", column: str) -> Floats:
    import pandas as pd

    values = np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        found = str(frame[column].iloc[int(wrong[0])])
        raise DataUnavailableError(
            f"{path}, row {frame.index[wrong[0]]}, column {column!r}: {found!r} is not a finite number."
        )
    return values


def _check_direction(path: Path, frame: "pd.DataFrame", domain: str, card: TableCard) -> None:
    """Refuses columns of one domain of which one falls where another rises.

    What is the validation of several domains was measured on none of them, and may well fall.
    """
    import pandas as pd

    one = card.domains[domain]
    others_read = [of.columns("validation") for name, of in card.domains.items() if name != domain]
    own = [] if one.columns("validation") in others_read else one.columns("validation")
    first, *others = dict.fromkeys([*own, *one.columns("test")])
    ranked = pd.Series(_values(path, frame, first)).rank()
    for other in others:
        agreement = ranked.corr(pd.Series(_values(path, frame, other)).rank())
        if agreement < OPPOSITE:
            raise DataUnavailableError(
                f"{path}, column {other!r}: it falls where column {first!r} of the same domain {domain!r} "
                f"rises (rank correlation {agreement:.2f}); a domain's columns have one direction."
            )
