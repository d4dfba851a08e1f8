"""Scores that other programs measured, read from their files: lm-eval's results and tables of timm."""

import csv
import hashlib
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from harness.errors import HarnessError, UnknownNameError
from harness.guard.text import parse_json, read_text, reason_of
from harness.study.published import ForeignRow
from harness.task.metric import Need

IMPORTED: Final = "†"
"""Marks a row that another program measured."""
LM_EVAL: Final[Mapping[str, Need]] = {
    "bits_per_byte": "bits",
    "acc": "prediction",
    "exact_match": "prediction",
    "em": "prediction",
}
"""Measures of lm-eval -> the scores of ours that they are; of several the first is taken."""
MOST_ROWS: Final = 50


@dataclass(frozen=True)
class _File:
    """A file, with the TASK/DOMAIN that its user says it is of; empty where its own names are taken."""

    path: Path
    of: str

    @property
    def source(self) -> str:
        return (
            f"{IMPORTED} {self.path.name}, sha256 {hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]}"
        )


def read_imported(files: Sequence[str], only: Collection[str] = ()) -> list[ForeignRow]:
    """Returns the rows of files, those of one model as one.

    Args:
        files: each a path of lm-eval's `results_*.json`, or of a table of timm; or PATH=TASK/DOMAIN.
        only: models that are taken; all where there is none.

    Raises:
        UnknownNameError: no file has a model of `only`.
        HarnessError: a file cannot be read, or has more models than a board shows.
    """
    rows: dict[str, ForeignRow] = {}
    every = [row for file in map(_file, files) for row in _rows(file)]
    for name in only:
        if name not in {row.name for row in every}:
            raise UnknownNameError("model", name, sorted({row.name for row in every}))
    for row in every:
        if only and row.name not in only:
            continue
        before = rows.get(row.name, row)
        if before is not row:
            row = replace(
                row, source=f"{before.source}; {row.source}", scores={**before.scores, **row.scores}
            )
        rows[row.name] = row
    if len(rows) > MOST_ROWS:
        raise HarnessError(
            f"{' and '.join(files)} have {len(rows):,} models, and a board shows {MOST_ROWS}; name some with "
            "--only."
        )
    return [replace(row, name=f"{row.name} {IMPORTED}") for row in rows.values()]


def _file(text: str) -> _File:
    path, _, of = text.rpartition("=")
    if path and "/" in of and not Path(text).exists():
        return _File(Path(path), of)
    return _File(Path(text), "")


def _rows(file: _File) -> Iterator[ForeignRow]:
    text = read_text(file.path)
    if file.path.suffix == ".csv":
        yield from _timm(file, text)
    else:
        yield _lm_eval(file, text)


def _lm_eval(file: _File, text: str) -> ForeignRow:
    try:
        value = parse_json(text)
        name = value.get("model_name") or value["config"]["model_args"]
        results = {str(task): dict(scores) for task, scores in value["results"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"{type(error).__name__}: {reason_of(error)}"
        raise HarnessError(
            f"{file.path} is no results file of lm-eval ({told}); give its results_*.json, or a CSV of timm."
        ) from error
    scores = {task: found for task, of in results.items() if (found := _measured(file, task, of))}
    if file.of:
        if len(scores) != 1:
            raise HarnessError(
                f"{file.path} has scores of {', '.join(scores) or 'nothing'}, so that not all of it is of "
                f"{file.of}; leave that out."
            )
        scores = {file.of: next(iter(scores.values()))}
    version = value.get("lm_eval_version")
    about = f" (lm-eval {version})" if isinstance(version, str) else " (lm-eval)"
    return ForeignRow(name=str(name), source=f"{file.source}{about}", scores=scores)


def _measured(file: _File, task: str, of: Mapping[str, Any]) -> dict[Need, float]:
    """Returns the scores of one task that are ours as well; filters are taken as lm-eval orders them."""
    found: dict[Need, float] = {}
    for measure, need in LM_EVAL.items():
        values = [value for key, value in of.items() if key.partition(",")[0] == measure]
        if values and need not in found:
            found[need] = _number(
                file, f"{measure} of {task}", values[0], 1.0 if need == "prediction" else math.inf
            )
    return found


def _timm(file: _File, text: str) -> Iterator[ForeignRow]:
    lines = list(csv.DictReader(text.splitlines()))
    if not lines or not {"model", "top1"} <= lines[0].keys():
        raise HarnessError(f"{file.path} has no columns model and top1; give a table of timm's results.")
    if not file.of:
        raise HarnessError(
            f"{file.path} does not say on what its models were scored; write {file.path}=TASK/DOMAIN."
        )
    for number, line in enumerate(lines, start=2):
        where = f"line {number}"
        share = _number(file, f"top1 of {where}", line["top1"], 100.0) / 100
        size = (line.get("param_count") or "").replace(",", "")
        parameters = round(1e6 * _number(file, f"param_count of {where}", size, math.inf)) if size else None
        yield ForeignRow(
            name=line["model"] or "",
            source=f"{file.source} (timm)",
            scores={file.of: {"prediction": share}},
            parameters=parameters,
        )


def _number(file: _File, what: str, value: Any, most: float) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = math.nan
    if not 0 <= found <= most or math.isinf(found):
        raise HarnessError(f"{file.path}: {what} is {value!r}, which is no score; mend the file.")
    return found


def names_of(rows: Iterable[ForeignRow]) -> list[str]:
    """Returns what the scores of rows are of, in their own names."""
    return list(dict.fromkeys(name for row in rows for name in row.scores))
