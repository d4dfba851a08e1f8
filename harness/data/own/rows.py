"""Rows of users' files and of `datasets` repositories, and what is said when one is not as it should be."""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.data.own.place import Columns
from harness.data.prepare import quiet_datasets
from harness.data.text.questions import Question
from harness.errors import DataUnavailableError, WrongDataError
from harness.guard.text import parse_json

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""What folders, columns and repositories call the splits -> what they are called here."""


class OwnRow(NamedTuple):
    """One row: its values by column, where it stands, and its split where the whole table is one."""

    values: Mapping[str, Any]
    place: str
    split: str = ""


def file_rows(path: Path) -> Iterator[OwnRow]:
    """Yields the rows of a JSONL or CSV file, whose suffix says which it is.

    Raises:
        DataUnavailableError: there is no such file.
        WrongDataError: it is of another kind, or a line cannot be read.
    """
    readers: dict[str, Callable[[Path], Iterator[OwnRow]]] = {".jsonl": _json_lines, ".csv": _csv_lines}
    if path.suffix not in readers:
        raise WrongDataError(f"{path} is neither .jsonl nor .csv; rows are read from these.")
    if not path.is_file():
        raise DataUnavailableError(f"There is no file {path}; the domain is read from it.")
    try:
        yield from readers[path.suffix](path)
    except UnicodeDecodeError as error:
        raise WrongDataError(f"{path} is not UTF-8 text: {error.reason}.") from error


def _json_lines(path: Path) -> Iterator[OwnRow]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                values = parse_json(line)
            except ValueError as error:
                raise WrongDataError(f"{place} is not JSON: {error}.") from error
            if not isinstance(values, dict):
                raise WrongDataError(f"{place} is not a JSON object.")
            yield OwnRow(values, place)


def _csv_lines(path: Path) -> Iterator[OwnRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        try:
            for number, values in enumerate(reader, start=1):
                place = f"{path}, row {number}"
                if None in values:
                    raise WrongDataError(f"{place} has more cells than the first line names columns.")
                yield OwnRow(values, place)
        except csv.Error as error:
            raise WrongDataError(f"{path}, line {reader.line_num} is not CSV: {error}.") from error


def dataset_rows(repository: str, configuration: str | None, revision: str | None) -> Iterator[OwnRow]:
    """Yields the rows of a `datasets` repository or local folder, labels as names where it has names.

    Where some of its splits are train, validation or test by any of their names, the others are left out.
    """
    tables = _tables(repository, configuration, revision)
    known = {name: SPLIT_NAMES[name] for name in tables if name in SPLIT_NAMES}
    for name in known or tables:
        table = _with_files(tables[name])
        features = table.features or {}
        named = {column: kind.names for column, kind in features.items() if hasattr(kind, "names")}
        for number, values in enumerate(table, start=1):
            for column, names in named.items():
                if isinstance(values[column], int) and 0 <= values[column] < len(names):
                    values[column] = Label(values[column], names[values[column]])
            yield OwnRow(values, f"{Path(repository).name} {name}, row {number}", known.get(name, ""))


def _with_files(table: Any) -> Any:
    """Returns the table with pictures as they are stored, which are opened as any other of the user's."""
    from datasets import Image

    pictures = [column for column, kind in (table.features or {}).items() if isinstance(kind, Image)]
    for column in pictures:
        table = table.cast_column(column, Image(decode=False))
    return table


class Label(NamedTuple):
    """A class by its number and its name; a task may know it by either."""

    number: int
    name: str

    def __str__(self) -> str:
        return self.name


def _tables(repository: str, configuration: str | None, revision: str | None) -> Mapping[str, Any]:
    folder = Path(repository)
    with quiet_datasets() as datasets:
        try:
            if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
                loaded = datasets.load_from_disk(repository)
            else:
                loaded = datasets.load_dataset(repository, configuration, revision=revision)
        except Exception as error:
            # The package raises dozens of types of its own, of its file systems and of its builders.
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataUnavailableError(f"Dataset {repository!r} cannot be loaded: {reason}") from error
    return loaded if isinstance(loaded, Mapping) else {"all": loaded}


def cell(row: OwnRow, column: str) -> Any:
    """Returns the value of a column; `a.b` is the value of b in the value of a.

    Raises:
        WrongDataError: the row has no such column, or nothing in it.
    """
    found = _look_up(row.values, column)
    if found is None or found == "":
        raise WrongDataError(
            f"{row.place} has no {column}; its columns are {', '.join(map(str, row.values))}."
        )
    return found


def optional_cell(row: OwnRow, column: str | None, standard: str) -> str:
    """Returns the text of a column that may lack; empty where it does.

    Args:
        column: which it is; empty for none, None for the standard one where the rows have it.
    """
    if column == "" or (column is None and standard not in row.values):
        return ""
    return str(cell(row, standard if column is None else column))


def split_cell(row: OwnRow, column: str | None) -> str:
    """Returns the split that a row names, or that its table is; empty for none."""
    if row.split and column is None:
        return row.split
    text = optional_cell(row, column, "split")
    if text and text not in SPLIT_NAMES:
        raise WrongDataError(
            f"{row.place} has {text!r} as its split; it must be train, validation or test, and columns = "
            '{ split = "" } leaves the column alone.'
        )
    return SPLIT_NAMES.get(text, "")


def question_of(row: OwnRow, columns: Columns) -> Question:
    """Returns the question of a row.

    Raises:
        WrongDataError: its answers are no list or fewer than two, two are the same, or none is right.
    """
    if isinstance(columns.choices, list):
        found = [row.values.get(column) for column in columns.choices]
        choices = [str(one) for one in found if one is not None and one != ""]
    else:
        value = cell(row, columns.choices)
        if not isinstance(value, list):
            raise WrongDataError(
                f"{row.place}, column {columns.choices} is not a list; give one, or name a column for "
                "each answer in columns.choices."
            )
        choices = [str(one) for one in value]
    if len(choices) < 2 or len(set(choices)) < len(choices):
        raise WrongDataError(f"{row.place} has the answers {choices}; give two or more, all different.")
    return Question(
        str(cell(row, columns.question)),
        tuple(choices),
        _gold(cell(row, columns.answer), choices, row, columns),
    )


def _look_up(values: Mapping[str, Any], column: str) -> Any:
    if column in values:
        return values[column]
    first, dot, rest = column.partition(".")
    inner = values.get(first) if dot else None
    return _look_up(inner, rest) if isinstance(inner, Mapping) else None


def _gold(value: Any, choices: list[str], row: OwnRow, columns: Columns) -> int:
    text = str(value)
    if isinstance(value, str) and text in choices:
        return choices.index(text)
    gold = -1
    if text.isdecimal():
        gold = int(text)
    elif len(text) == 1 and text.isascii() and text.isalpha():
        gold = ord(text.upper()) - ord("A")
    if not 0 <= gold < len(choices):
        raise WrongDataError(
            f"{row.place}, column {columns.answer} is {value!r}; give the text of one of its "
            f"{len(choices)} answers, its number from 0 or its letter."
        )
    return gold
