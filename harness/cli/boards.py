"""Verbs that read finished runs: leaderboard, report, compare, rescore and export."""

import json
import re
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.options import Json, data_folder, terminal_width
from harness.errors import HarnessError, UnknownNameError
from harness.guard.inert import cell, html, line, markdown_block

if TYPE_CHECKING:
    from harness.board.comparison import RowComparison
    from harness.study.merge import MergedBoards
    from harness.study.study import AnyBoard

SITE = "site"
TREE = "tree"
WRITERS = {
    TREE: "harness.results.tree:tree_files",
    "every-eval-ever": "harness.results.every_eval_ever:log_files",
    "hub": "harness.results.hub:hub_files",
}
"""Formats that are files in a folder -> what makes them of a run."""
OWNER = r"(?!data$)[A-Za-z0-9]+([-_.][A-Za-z0-9]+)*"
"""Names on the Hub; one is a folder's name, too."""
FORMATS = ("terminal", "md", "csv", "json", "html", "tex", SITE, *WRITERS)
FOLLOWED = 5.0
"""Seconds between two looks at a run that goes on."""
RunFolder = Annotated[Path, typer.Argument(help="A run folder.")]
Format = Annotated[str, typer.Option(help="terminal, md, csv, json, html or tex.")]


def leaderboard(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="RUN...",
            help="Run folders, or a tree of results; for a site several of both, result files, or none.",
        ),
    ] = None,
    format: Annotated[str, typer.Option(help=f"{', '.join(FORMATS)}.")] = "terminal",
    out: Annotated[
        Path | None, typer.Option(help="Folder of what is written, which may be there and grow.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(help="Who publishes: an organization, or a name on the Hub.")
    ] = None,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--import",
            help="lm-eval's results_*.json, or timm's CSV, shown unranked: FILE, or FILE=TASK/DOMAIN.",
        ),
    ] = None,
    only: Annotated[str | None, typer.Option(help="Comma-separated models of --import.")] = None,
) -> None:
    """Print the ranked table of runs, merged where tasks, data and protocol agree, or write their site."""
    if format not in FORMATS:
        raise UnknownNameError("format", format, FORMATS)
    if files and format in (SITE, *WRITERS):
        raise HarnessError(f"--import is for boards that are printed, and --format {format} writes files.")
    if format == SITE:
        return _site(runs or [], out)
    if out is not None and format not in WRITERS:
        written = ", ".join([SITE, *WRITERS])
        raise HarnessError(
            f"--out is for --format {written}; {format} is printed, so add > {out} in its place."
        )
    if not runs:
        raise HarnessError("There is no run to print; name a run folder, such as runs/SUITE.")
    if format in WRITERS:
        return _write(runs, format, out, owner)
    from harness.results.tree import is_tree

    if len(runs) == 1 and not files and is_tree(runs[0]):
        return _print_tree(runs[0], format)
    from harness.run.loaded import load_run
    from harness.study.formats import render
    from harness.study.merge import merge
    from harness.study.study import load_study

    merged = merge([load_run(run) for run in runs])
    boards = _with_imported(merged.boards, files, only.split(",") if only else ()) if files else merged.boards
    texts = [
        render(board, format, width=terminal_width(), more=load_study(board.study).measured(run, board))
        for run, board in zip(merged.runs, boards, strict=True)
    ]
    print((texts[0] if len(texts) == 1 else _side_by_side(merged, texts, format)).rstrip("\n"))


def _with_imported(
    boards: "tuple[AnyBoard, ...]", files: list[str], only: Collection[str]
) -> "tuple[AnyBoard, ...]":
    """Returns the boards with the rows of other programs' files, of which one at least has a place."""
    from harness.results.imported import names_of, read_imported
    from harness.study.study import load_study

    rows = read_imported(files, only)
    joined = tuple(load_study(board.study).with_foreign(board, rows) for board in boards)
    if joined == boards:
        raise HarnessError(
            f"No board has a held-out domain, of a metric that {' and '.join(files)} measured, called "
            f"{' or '.join(names_of(rows)) or 'anything there'}; FILE=TASK/DOMAIN says what a file is of."
        )
    return joined


def _site(sources: list[Path], out: Path | None) -> None:
    if out is None:
        raise HarnessError(f"--format {SITE} writes a folder; name it with --out.")
    from harness.report.site.write import Trees, write_site
    from harness.results.tree import is_tree, read_tree, tree_tables, tree_texts

    trees = [path for path in sources if is_tree(path)]
    runs = [path for path in sources if path not in trees]
    rows = Trees(tree_texts(trees), lambda folder: tree_tables(read_tree(folder)))
    done = write_site(out, runs, rows)
    for what, stems in (("new", done.added), ("replaced", done.replaced)):
        for stem in stems:
            print(f"{what}: results/{line(stem)}.json")
    rows_told = f" and {done.rows:,} files of single rows" if done.rows else ""
    told = f"Site of {done.runs:,} run{'s' * (done.runs != 1)}{rows_told}"
    print(f"{told}: {line(str(done.index.resolve()))}")


def _write(runs: list[Path], format: str, out: Path | None, owner: str | None) -> None:
    """Writes what other tools read of runs, and says which files are new or other ones than before."""
    from datetime import UTC, datetime

    from harness.identity.unit import called
    from harness.results.frames import load_run
    from harness.results.written import write_files

    if out is None:
        raise HarnessError(f"--format {format} writes a folder; name it with --out.")
    if format != TREE and not re.fullmatch(OWNER, owner or ""):
        raise HarnessError(
            f"--format {format} says who publishes the results; give --owner NAME, of letters and digits "
            "with - _ or . between them."
        )
    more = () if format == TREE else (owner, datetime.now(UTC))
    texts: dict[Path, str] = {}
    for run in runs:
        for path, text in called(WRITERS[format])(load_run(run), *more):
            if texts.setdefault(path, text) != text:
                raise HarnessError(f"{run} and a run before it differ in {path}; give one of them alone.")
    done = write_files(out, texts)
    for what, paths in (("added", done.added), ("replaced", done.replaced)):
        for path in paths:
            print(f"{what}: {line(str(path))}")
    print(f"{len(texts):,} files: {line(str(out.resolve()))}")


def _print_tree(folder: Path, format: str) -> None:
    from harness.board.terminal import terminal_lines
    from harness.results.tree import read_tree, tree_tables
    from harness.study.formats import markdown_table

    if format not in ("terminal", "md"):
        raise HarnessError(f"A tree of results is printed as terminal or md, and not as {format}.")
    for table in tree_tables(read_tree(folder)):
        told = markdown_table(table) if format == "md" else "\n".join(terminal_lines(table, terminal_width()))
        print(told)


def report(
    run: RunFolder,
    sections: Annotated[
        str | None, typer.Option(help="Comma-separated names; beside the whole report.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The HTML file; RUN/report.html.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for figures and tables as files.")] = None,
    open: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Make it again while the suite runs.")] = False,
) -> None:
    """Write the report of a run from its records, and print its path."""
    from harness.report.page import write_report

    names = sections.split(",") if sections else None
    path = write_report(run, names, data=data_folder(), out=out, figures=figures).resolve()
    print(path, flush=True)
    if open:
        import webbrowser

        webbrowser.open(path.as_uri())
    while follow and (waiting := _waiting(run)):
        print(f"{waiting:,} units have no record yet", flush=True)
        before = waiting
        while before == waiting:
            time.sleep(FOLLOWED)
            waiting = _waiting(run)
        write_report(run, names, data=data_folder(), out=out, figures=figures)


def _waiting(run: Path) -> int:
    """Returns how many units of a run have no record yet."""
    from harness.identity.unit import unit_folder
    from harness.run.stored import RECORD, read_plan

    return sum(not (unit_folder(run, unit) / RECORD).is_file() for unit in read_plan(run)["units"])


def compare(
    run: RunFolder,
    first: Annotated[str, typer.Argument(metavar="A", help="METHOD, METHOD@SPACE or 'METHOD in SPACE'.")],
    second: Annotated[str, typer.Argument(metavar="B", help="The row that A is compared with.")],
    metric: Annotated[str | None, typer.Option(help="Another metric that the kept samples give.")] = None,
    as_json: Json = False,
) -> None:
    """Compare two rows of a run: paired differences with intervals, tests, and one plain sentence."""
    from harness.run.loaded import load_run
    from harness.study.study import load_study

    loaded = load_run(run)
    comparison = load_study(loaded.study).compare(loaded, first, second, metric)
    print(comparison.to_json() if as_json else _as_text(comparison), end="")


def rescore(
    run: RunFolder,
    metric: Annotated[str, typer.Option(help="A metric of the kept samples, such as brier_score.")],
    format: Format = "terminal",
) -> None:
    """Print the board of a run with another metric, from its kept samples; no model is needed."""
    from harness.run.loaded import load_run
    from harness.study.formats import render
    from harness.study.study import load_study

    loaded = load_run(run)
    board = load_study(loaded.study).rescore(loaded, metric)
    print(render(board, format, width=terminal_width()).rstrip("\n"))


def export(
    run: RunFolder,
    row: Annotated[str, typer.Argument(help="METHOD, METHOD@SPACE or 'METHOD in SPACE'.")],
    to: Annotated[Path, typer.Option(help="A new folder.")],
    seed: Annotated[int | None, typer.Option(help="Of the search; the smallest by default.")] = None,
    task: Annotated[str | None, typer.Option(help="That it was trained on, where there are several.")] = None,
    format: Annotated[
        str, typer.Option(help="safetensors, torch, onnx, timm or transformers.")
    ] = "safetensors",
) -> None:
    """Write the final network of a row: weights, config and a model card, for this or another library."""
    from harness.export.folder import check_target, write_network
    from harness.run.loaded import load_run
    from harness.study.study import load_study

    check_target(to, format)
    loaded = load_run(run)
    found = load_study(loaded.study).network(loaded, row, task, seed)
    loads = write_network(found, to, format)
    seeds = f"seed {found.facts.search_seed} of the search, {found.facts.training_seed} of the training"
    print(line(f"{found.title}, {seeds}: {to}"))
    print(f"\nFOLDER = {str(to)!r}\n{loads}")


def _as_text(comparison: "RowComparison") -> str:
    from harness.board.changed import changed_table
    from harness.board.comparison import compared_table
    from harness.board.terminal import prose, terminal_lines

    width = terminal_width()
    names = (comparison.first, comparison.second)
    tables = []
    for part in comparison.parts:
        tables.append(compared_table(comparison, part))
        differ = [(one.where, one.changed) for one in part.domains if one.changed is not None]
        tables += [changed_table(part.heading, names, differ)] if differ else []
    lines = [prose(comparison.sentence, width), ""]
    return "\n".join([*lines, *(line for table in tables for line in terminal_lines(table, width))])


def _side_by_side(merged: "MergedBoards", texts: list[str], format: str) -> str:
    """Returns one table after the other, the reasons why they are not one at the top."""
    from harness.files import SCHEMA

    if format == "json":
        every = [json.loads(one) for one in texts]
        apart = {"schema": SCHEMA, "apart": list(merged.reasons), "boards": every}
        return json.dumps(apart, sort_keys=True, ensure_ascii=False, indent=1)
    if format == "csv":
        return _one_csv(merged.boards, texts)
    written = {
        "terminal": line,
        "md": markdown_block,
        "html": lambda reason: f"<p>{html(reason)}</p>",
        "tex": lambda reason: f"% {line(reason)}",
    }[format]
    return "\n\n".join([*map(written, merged.reasons), *texts])


def _one_csv(boards: "tuple[AnyBoard, ...]", texts: list[str]) -> str:
    """Returns the lines of all boards under all of their columns, and which run a line is of."""
    from io import StringIO

    import pandas as pd

    frames = [pd.read_csv(StringIO(text), dtype=str, keep_default_na=False) for text in texts]
    for index, (board, frame) in enumerate(zip(boards, frames, strict=True), start=1):
        frame.insert(0, "board", cell(f"{index} {board.name}"))
    return str(pd.concat(frames).to_csv(index=False, lineterminator="\n"))
