"""A first card for a csv file of published results, guessed from its columns and then read by it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.data.foreign.columns import read_columns
from harness.data.table.card import read_card
from harness.data.table.decode import CELL_ENCODINGS
from harness.data.table.file import read_table
from harness.data.table.table import bound_space
from harness.errors import DataUnavailableError, HarnessError
from harness.guard.inert import line

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 50
"""Rows that tell how architectures are written."""
MOST_OPTIONS = 30
"""Different whole numbers or words in a column that still is a choice."""
VALIDATION = re.compile(r"(?:^|[\W_])(?:validation|valid|val|dev)(?=$|[\W_])", re.IGNORECASE)
TEST = re.compile(r"(?:^|[\W_])test(?=$|[\W_])", re.IGNORECASE)
COST = re.compile(
    r"latency|runtime|seconds|(?:^|[\W_])(?:ms|time|params?|parameters|macs|flops|energy|memory|size)(?=$|[\W_])",
    re.IGNORECASE,
)
LOWER = re.compile(r"loss|error|perplexity|(?:^|[\W_])(?:err|ppl|rmse|mae|mse|nll)(?=$|[\W_])", re.IGNORECASE)
CODE = re.compile(
    r"arch|cell|genotype|encoding|(?:^|[\W_])(?:code|ops|net|network|config)(?=$|[\W_])", re.IGNORECASE
)
OTHER = re.compile(r"(?:^|[\W_])(?:train|training|epochs?|seed|index|id|unnamed)(?=$|[\W_])", re.IGNORECASE)


@dataclass
class _Guess:
    """What is known of a file so far; `taken` are the columns that name architectures."""

    keys: dict[str, Any]
    choices: dict[str, list[str]] = field(default_factory=dict)
    taken: list[str] = field(default_factory=list)
    why: str = ""


def guessed_card(path: Path) -> str:
    """Returns the TOML of a card that reads the csv file `path`.

    Raises:
        HarnessError: it is no csv file, has no column of scores, or cannot be read by what was guessed.
    """
    if path.suffix != ".csv" or not path.is_file():
        raise HarnessError(f"{path} is no csv file; give one with a header, a row for each architecture.")
    with path.open(encoding="utf-8", errors="replace") as file:
        header = next(iter(read_csv_line(file.readline(2**20))), [])
    frame = read_columns(path, header)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice or not len(frame):
        raise HarnessError(f"{path} has {f'two columns {twice[0]!r}' if twice else 'no row'}; mend it first.")
    guess = _architectures(frame)
    text = _card(path, frame, guess)
    with TemporaryDirectory() as folder:
        place = Path(folder) / f"{path.stem}.toml"
        place.write_text(text, encoding="utf-8")
        card = read_card(place)
        try:
            read_table(path, card, path.stem, bound_space(card.space) if card.space else None)
        except DataUnavailableError as error:
            raise HarnessError(f"{error} No card was written.") from error
    return text


def read_csv_line(text: str) -> Iterator[list[str]]:
    """Yields the fields of the lines of a csv text."""
    import csv

    yield from csv.reader([text])


def _architectures(frame: "pd.DataFrame") -> _Guess:
    """Returns how rows name architectures: texts of a space, digits, separated options, or columns."""
    texts = [name for name in frame.columns if not _is_number(frame[name]) or _is_code(name, frame[name])]
    for name in texts:
        values = frame[name].astype(str)
        found = _of_a_space(name, values.head(LOOKED_AT).tolist()) or _written(name, values)
        if found:
            return found
    chosen = [name for name in frame.columns if _is_choice(name, frame[name])]
    if chosen:
        options = {name: _ordered(frame[name].astype(str)) for name in chosen}
        keys = {"encoding": "choices", "columns": {name: name for name in chosen}}
        return _Guess(keys, options, chosen, "each of these columns is a choice")
    if texts:
        keys = {"column": texts[0], "encoding": "text"}
        return _Guess(keys, {}, texts[:1], "the row itself is the one choice, as its text was not understood")
    raise HarnessError(
        f"No column says which architecture a row is of; there are {', '.join(map(line, frame.columns))}."
    )


def _of_a_space(name: str, texts: Sequence[str]) -> _Guess | None:
    """Returns the space of the catalog that reads all of the texts, with their encoding."""
    for space_name in catalog.names("space"):
        space = bound_space(space_name)
        if all(_reads(space.from_json, text) for text in texts):
            return _Guess({"space": space.name, "column": name, "encoding": "text"}, {}, [name])
        if all(_reads(lambda one, of=space: of.from_json(_object(one)), text) for text in texts):
            return _Guess({"space": space.name, "column": name, "encoding": "json"}, {}, [name])
    for encoding, read in CELL_ENCODINGS.items():
        if all(_reads(lambda one, by=read: by(_list(one)), text) for text in texts):
            keys = {"space": "nasbench201:cifar10", "column": name, "encoding": encoding}
            return _Guess(keys, {}, [name])
    return None


def _written(name: str, values: "pd.Series[str]") -> _Guess | None:
    """Returns how texts of one form spell options of a space of the card's own."""
    lengths = set(values.str.len())
    if len(lengths) == 1 and min(lengths) > 1 and values.str.fullmatch(r"[0-9]+").all():
        places = [values.str[index] for index in range(lengths.pop())]
        choices = {f"digit[{index}]": _ordered(place) for index, place in enumerate(places)}
        return _Guess({"column": name, "encoding": "digits"}, choices, [name], "one digit for each choice")
    first = str(values.iloc[0])
    parts = re.split(r"([^A-Za-z0-9.]+)", first)
    if len(parts) < 3:
        return None
    pattern = "".join(re.escape(part) if index % 2 else "([A-Za-z0-9.]*)" for index, part in enumerate(parts))
    groups = values.str.extract(f"^{pattern}$")
    if groups.isna().any(axis=None):
        return None
    choices = {f"part[{index}]": _ordered(groups[index]) for index in groups.columns}
    if any(len(options) > MOST_OPTIONS for options in choices.values()):
        return None
    keys = {"column": name, "encoding": "pattern", "pattern": pattern}
    return _Guess(keys, choices, [name], "one part for each choice")


def _card(path: Path, frame: "pd.DataFrame", guess: _Guess) -> str:
    left = [name for name in frame.columns if name not in guess.taken]
    numbers = [name for name in left if _is_number(frame[name]) and frame[name].nunique() > 1]
    costs = [name for name in numbers if COST.search(name)]
    scores = [name for name in numbers if name not in costs and not OTHER.search(name)]
    scores = [name for name in scores if _is_marked(name) or not _is_whole(frame[name])] or scores
    domains = _domains(path.stem, scores)
    if not domains:
        there = ", ".join(map(line, frame.columns))
        raise HarnessError(f"{path} has no column of scores; there are {there}.")
    used = {name for one in domains.values() for name in one.values()}
    units = {domain: _unit(frame, list(columns.values())) for domain, columns in domains.items()}
    common = max(units.values(), key=list(units.values()).count)
    rows, count = frame.drop_duplicates(guess.taken), _size(guess)
    if len(rows) < len(frame) / 2:
        raise HarnessError(
            f"{path} has {len(frame)} rows, and {', '.join(map(line, guess.taken))} would name {len(rows)} "
            "architectures; write the card by hand, as `harness schema table` tells its keys."
        )
    keys: dict[str, Any] = {"summary": f"{path.stem}: say in a line what was trained.", "file": path.name}
    keys |= guess.keys | {"unit": common, "origin": "say who measured this", "licence": "say which"}
    keys |= {"partial": True} if len(rows) < count else {}
    keys |= {"average_repeats": True} if len(rows) < len(frame) else {}
    keys |= {"drop_incomplete": True} if frame[sorted(used)].isna().any(axis=None) else {}
    lines = ["# Guessed from the columns; `harness schema table` tells every key."]
    lines += [f"# Architectures: {guess.why}."] if guess.why else []
    lines += [f"{key} = {_toml(value)}" for key, value in keys.items()]
    if guess.choices:
        lines += ["", "[choices]"]
        lines += [f"{_toml(key)} = {_toml(options)}" for key, options in guess.choices.items()]
    if costs:
        lines += ["", "[costs]"]
        lines += [f"{_toml(_cost_name(one))} = {{ column = {_toml(one)} }}" for one in costs]
    for domain, columns in domains.items():
        lines += ["", f"[domains.{_toml(domain)}]"]
        lines += [f"{key} = {_toml(column)}" for key, column in columns.items()]
        lines += [f"unit = {_toml(units[domain])}"] if units[domain] != common else []
        lines += ["higher_is_better = false"] if LOWER.search(" ".join(columns.values())) else []
        if columns["validation"] == columns["test"]:
            lines += ['note = "One column serves as validation and as test score."']
    unused = [name for name in left if name not in used and name not in costs]
    lines += ["", f"# Not used: {', '.join(map(line, unused))}."] if unused else []
    return "\n".join(lines) + "\n"


def _domains(stem: str, scores: Sequence[str]) -> dict[str, dict[str, str]]:
    """Returns domain -> its columns; where columns are marked as validation and test, only these."""
    marked: dict[str, dict[str, str]] = {}
    for name in scores:
        for part, mark in (("validation", VALIDATION), ("test", TEST)):
            if mark.search(name):
                domain = re.sub(r"[^\w+-]+", "_", mark.sub("", name)).strip("_") or stem
                marked.setdefault(domain, {}).setdefault(part, name)
                break
    found = marked or {re.sub(r"[^\w+-]+", "_", name).strip("_") or stem: {"test": name} for name in scores}
    return {
        domain: {part: columns.get(part) or next(iter(columns.values())) for part in ("validation", "test")}
        for domain, columns in found.items()
    }


def _unit(frame: "pd.DataFrame", columns: list[str]) -> str:
    values = frame[columns].astype(float)
    least, most = float(values.to_numpy().min()), float(values.to_numpy().max())
    if LOWER.search(" ".join(columns)) and "err" not in " ".join(columns).lower():
        return "raw"
    if least < 0 or most > 100:
        return "raw"
    return "share" if most <= 1 else "percent"


def _size(guess: _Guess) -> int:
    if guess.choices:
        count = 1
        for options in guess.choices.values():
            count *= len(options)
        return count
    return bound_space(guess.keys["space"]).size() if "space" in guess.keys else 0


def _cost_name(column: str) -> str:
    plain = re.sub(r"\W+", "_", column).strip("_").lower()
    return {"params": "parameters", "param": "parameters"}.get(plain, plain)


def _is_number(values: "pd.Series[Any]") -> bool:
    import pandas as pd

    found = pd.to_numeric(values, errors="coerce")
    return bool(found.notna().any() and (found.notna() == values.notna()).all())


def _is_code(name: str, values: "pd.Series[Any]") -> bool:
    """Returns whether whole numbers are digits side by side: of one length, and named or written so."""
    texts = values.astype(str)
    lengths = set(texts.str.len())
    if len(lengths) > 1 or min(lengths) < 2 or not texts.str.fullmatch(r"[0-9]+").all():
        return False
    is_long = min(lengths) > 3 and texts.nunique() == len(texts)
    return bool(CODE.search(name) or texts.str.startswith("0").any() or is_long)


def _is_marked(name: str) -> bool:
    return bool(VALIDATION.search(name) or TEST.search(name))


def _is_whole(values: "pd.Series[Any]") -> bool:
    return bool(values.dropna().astype(str).str.fullmatch(r"-?[0-9]+").all())


def _is_choice(name: str, values: "pd.Series[Any]") -> bool:
    if values.isna().any() or any(one.search(name) for one in (VALIDATION, TEST, COST, OTHER)):
        return False
    texts = values.astype(str)
    is_fraction = texts.str.fullmatch(r"-?[0-9]*\.[0-9]+").any()
    return bool(1 < texts.nunique() <= MOST_OPTIONS and not is_fraction)


def _ordered(values: "pd.Series[Any]") -> list[str]:
    """Returns the different texts, numbers by their size."""
    texts = sorted(set(values.astype(str)))
    try:
        return sorted(texts, key=float)
    except ValueError:
        return texts


def _reads(read: Any, text: str) -> bool:
    try:
        read(text)
    except (HarnessError, ValueError, TypeError, KeyError):
        return False
    return True


def _object(text: str) -> Mapping[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _list(text: str) -> list[Any]:
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("no list")
    return found


def _toml(value: Any) -> str:
    """Returns a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{_toml(key)} = {_toml(one)}' for key, one in value.items())} }}"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
