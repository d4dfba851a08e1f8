"""A tree of results that many people may add to by git: PROTOCOL/ROW/TASK.json, a small file each.

Rows in one folder of a protocol may stand in one ranking. A file says nothing of other rows, of times or of
machines, so that two trees merge without a conflict but where two runs of one row differ.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from harness.board.table import Table
from harness.board.values import Estimate, rounded
from harness.errors import DamagedError, HarnessError
from harness.files import SCHEMA, read_sealed, sealed
from harness.guard.text import read_text
from harness.report.site.slug import slug
from harness.results.frames import RunResults
from harness.results.rows import RowResult, row_results

KIND: Final = "row result"
"""What a file says that it is."""
PATTERN: Final = "*/*/*.json"
REMEDY: Final = "make it again with `harness leaderboard RUN --format tree`, or take it back from git"


def tree_files(results: RunResults) -> Iterator[tuple[Path, str]]:
    """Yields path and text of the file of each row and task.

    Raises:
        HarnessError: the run has no rows.
    """
    for one in row_results(results):
        text = sealed({"schema": SCHEMA, "kind": KIND, **rounded(one.to_json())})
        yield Path(one.protocol, slug(one.name), f"{slug(one.task)}.json"), text


def is_tree(folder: Path) -> bool:
    """Returns whether a folder holds files of `tree_files`, and no run."""
    return folder.is_dir() and not (folder / "plan.json").exists() and any(folder.glob(PATTERN))


def tree_texts(folders: Iterable[Path]) -> dict[Path, str]:
    """Returns PROTOCOL/ROW/TASK.json -> text of the files of several trees.

    Raises:
        HarnessError: two trees have a file of one name that differs.
    """
    found: dict[Path, str] = {}
    for folder in folders:
        for path in sorted(folder.glob(PATTERN)):
            name, text = path.relative_to(folder), read_text(path)
            if found.setdefault(name, text) != text:
                raise HarnessError(
                    f"{path} and a tree before it have two results of one row; take one of them away."
                )
    return found


def read_tree(folder: Path) -> list[RowResult]:
    """Returns the results of a tree, which may be of many people.

    Raises:
        DamagedError: a file is not as it was written, or is no result.
        HarnessError: it is of another schema.
    """
    found = []
    for path in sorted(folder.glob(PATTERN)):
        value = read_sealed(path, REMEDY)
        schema, kind = value.pop("schema", None), value.pop("kind", None)
        if schema != SCHEMA:
            raise HarnessError(f"{path} has schema {schema!r}, and this version reads {SCHEMA}; {REMEDY}.")
        try:
            result = RowResult.from_json(value)
        except DamagedError as error:
            raise DamagedError(f"{path} is no result of a row: {error}") from None
        if kind != KIND or path.parts[-3] != result.protocol:
            raise DamagedError(f"{path} is no result of a row by the protocol of its folder; {REMEDY}.")
        found.append(result)
    return found


def tree_tables(results: Sequence[RowResult]) -> Iterator[Table]:
    """Yields a table for each protocol and leaderboard, best rows first; ranks take the runs themselves."""
    boards: dict[tuple[str, str, str], list[tuple[RowResult, Estimate, int]]] = {}
    for one in results:
        for mean in one.means:
            boards.setdefault((one.task, mean.board, one.protocol), []).append((one, mean.score, mean.seeds))
    for (_, title, protocol), rows in sorted(boards.items()):
        first = rows[0][0]
        sign = 1 if first.better == "lower" else -1
        ordered = sorted(rows, key=lambda row: (sign * row[1].value, row[0].name))
        yield Table(
            caption=f"{title}: {first.measured} with its 95 % interval, protocol {protocol}",
            columns=("Row", "Score", "Seeds", "Suite"),
            rows=tuple(
                (one.name, _shown(one, score), f"{seeds:,}", one.suite) for one, score, seeds in ordered
            ),
            notes=(f"{first.better.capitalize()} is better; no rank, as files of rows hold no samples.",),
        )


def _shown(result: RowResult, score: Estimate) -> str:
    value, low, high = (f"{result.factor * number:.4g}".replace("-", "−") for number in score)
    return f"{value} [{low}, {high}]"
