"""Writes a site: takes runs in, makes every page of every result file, and puts all in place at the end.

The folder `results` is the truth of a site, a file for each run, so that a site grows by one more file. All
pages are made of these files alone, also where a run's folder was given, and are made anew each time.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness import catalog
from harness.board.table import Table
from harness.errors import HarnessError
from harness.files import SCHEMA, canonical_json, folder_beside, write_atomically
from harness.guard.text import read_text
from harness.report.page import write_report
from harness.report.site.pages import HOME, site_pages
from harness.report.site.shelf import shelf_of
from harness.report.site.slug import is_stem, slug
from harness.report.submission import Submission, submission_of, submission_text
from harness.run.loaded import Run, load_run
from harness.study.study import build_board

MARKER: Final = "site.json"
"""A folder that holds it is a site, and the folders below are its own."""
RESULTS: Final = "results"
ROWS: Final = "rows"
"""Where a site keeps files of single rows, PROTOCOL/ROW/TASK.json, which no run needs to be there for."""
PAGES: Final = ("runs", "tasks", "spaces", "methods")
"""Folders that are made anew each time."""
BOARD: Final = "board.json"
"""What a result file is called in the folder of its run, whose name it takes."""
REPORT: Final = "report.html"


@dataclass(frozen=True, kw_only=True)
class WrittenSite:
    """What was written.

    Attributes:
        index: the page to begin with.
        added: result files that are new.
        replaced: result files that are other ones than before.
        runs: how many the site has.
        rows: how many files of single rows.
    """

    index: Path
    added: tuple[str, ...]
    replaced: tuple[str, ...]
    runs: int
    rows: int


@dataclass(frozen=True)
class Trees:
    """Files of single rows that join a site, as `harness leaderboard --format tree` writes them.

    Attributes:
        files: PROTOCOL/ROW/TASK.json -> text.
        tables: returns what is shown of a folder of such files; raises a HarnessError where one is none.
    """

    files: Mapping[Path, str]
    tables: Callable[[Path], Iterable[Table]]


@dataclass(frozen=True)
class _Source:
    """A run that is taken in: the text of its result file, and the run where its folder was given."""

    path: Path
    text: str
    run: Run | None = None


def write_site(out: Path, sources: Sequence[Path], trees: Trees | None = None) -> WrittenSite:
    """Writes the site in `out`, of the runs that it has and of more.

    Args:
        out: a folder that is not there, is empty, or holds a site; what else lies in that stays as it is.
        sources: run folders and result files.
        trees: files of single rows; without them those of the site are not looked at.

    Raises:
        HarnessError: `out` holds something else, a source is no run, or there is none at all.
    """
    with catalog.held():
        return _written(out, Path(os.path.realpath(out)), sources, trees)


def _written(out: Path, place: Path, sources: Sequence[Path], trees: Trees | None) -> WrittenSite:
    _check(place, out)
    there = {path.stem: _Source(path, read_text(path)) for path in _results(place)}
    taken = _taken(sources)
    every = there | taken
    rows = {path.relative_to(place): read_text(path) for path in _rows(place)} if trees else {}
    rows |= {ROWS / path: text for path, text in trees.files.items()} if trees else {}
    if not every and not rows:
        raise HarnessError(f"There is no run in {out / RESULTS}; name run folders or their result files.")
    changed = {stem for stem in there if there[stem].text != every[stem].text}
    submissions = {stem: (one.path, submission_of(one.text, one.path)) for stem, one in every.items()}
    runs = {stem: one.run for stem, one in taken.items() if one.run is not None}
    kept = {stem for stem in there if stem not in changed | runs.keys() and _reports(place, stem)}
    with folder_beside(place) as made:
        for of_row, text in rows.items():
            write_atomically(made / of_row, text)
        tables = tuple(trees.tables(made / ROWS)) if trees else ()
        pages = dict(site_pages(shelf_of(submissions, kept | runs.keys()), tables))
        for stem, one in every.items():
            write_atomically(made / RESULTS / f"{stem}.json", one.text)
        for stem in kept:
            for report in _reports(place, stem):
                write_atomically(made / report.relative_to(place), report.read_bytes())
        for stem, run in runs.items():
            _report(run, submissions[stem][1], made / "runs" / stem)
        for path, page in pages.items():
            (made / path).parent.mkdir(exist_ok=True)
            (made / path).write_bytes(page.encode(errors="backslashreplace"))
        write_atomically(made / MARKER, canonical_json({"schema": SCHEMA, "kind": "site"}) + "\n")
        _put(made, place)
    return WrittenSite(
        index=out / HOME.address,
        added=tuple(sorted(every.keys() - there.keys())),
        replaced=tuple(sorted(changed)),
        runs=len(every),
        rows=len(rows),
    )


def _check(place: Path, out: Path) -> None:
    """Makes sure that the folder is a site, or nothing yet; `out` is how it was called."""
    if (place / MARKER).is_file() or not os.path.lexists(place):
        return
    if not place.is_dir():
        raise HarnessError(f"{out} is no folder; give --out a folder that is not there yet, or a site.")
    if any(place.iterdir()):
        raise HarnessError(
            f"{out} holds something else than a site (it has no {MARKER}); give --out another folder."
        )


def _results(out: Path) -> list[Path]:
    """Returns the result files of a site."""
    found = sorted((out / RESULTS).glob("*.json"))
    for path in found:
        if not is_stem(path.stem):
            raise HarnessError(
                f"{path} cannot name a page; call it by small letters and digits, with - . or _ between them."
            )
    return found


def _rows(place: Path) -> list[Path]:
    """Returns the files of single rows of a folder."""
    return sorted(place.glob(f"{ROWS}/*/*/*.json"))


def _taken(sources: Sequence[Path]) -> dict[str, _Source]:
    """Returns the runs that are taken in, by the names of their result files."""
    found: dict[str, _Source] = {}
    for path in sources:
        one = _source(path)
        place = path.resolve()
        name = place.parent.name if place.name == BOARD else place.stem if place.is_file() else place.name
        stem = name if is_stem(name) else slug(name)
        other = found.get(stem)
        if other is not None and other.text != one.text:
            raise HarnessError(
                f"{other.path} and {path} would both be {RESULTS}/{stem}.json; give one of them another name."
            )
        if other is None or other.run is None:
            found[stem] = one
    return found


def _source(path: Path) -> _Source:
    if path.is_file():
        return _Source(path, read_text(path))
    run = load_run(path)
    return _Source(path, submission_text(run, build_board(run)), run)


def _reports(place: Path, stem: str) -> list[Path]:
    """Returns the whole report of a run and its twin, as an earlier command left them in the site.

    Neither may be a link, which could lead anywhere, and what it leads to would be published.
    """
    page = place / "runs" / stem / REPORT
    found = [path for path in (page, page.with_suffix(".md")) if path.is_file() and path.resolve() == path]
    return found if page in found else []


def _report(run: Run, submission: Submission, folder: Path) -> None:
    """Writes the whole report of a run, of the board that its page shows.

    It has no data cache, as samples of a data set are not ours to publish.
    """
    write_report(run.folder, out=folder / REPORT, made=(run, submission.board))


def _put(made: Path, place: Path) -> None:
    """Puts a whole site in place: at once where there is none, else each of its folders at once.

    Results come first and nothing takes one away, so that the same command mends what a kill leaves.
    """
    if not os.path.lexists(place):
        os.rename(made, place)
        return
    (place / RESULTS).mkdir(exist_ok=True)
    for path in [made / MARKER, *sorted((made / RESULTS).iterdir())]:
        os.replace(path, place / path.relative_to(made))
    for path in _rows(made):
        (place / path.relative_to(made)).parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, place / path.relative_to(made))
    for name in PAGES:
        if os.path.lexists(place / name):
            os.rename(place / name, made / f"old-{name}")
        if (made / name).is_dir():
            os.rename(made / name, place / name)
    os.replace(made / HOME.address, place / HOME.address)
