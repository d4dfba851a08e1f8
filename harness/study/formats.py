"""A board as text: terminal, Markdown, CSV, JSON, HTML and TeX."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from io import StringIO
from typing import Any

from harness.board.table import Table
from harness.board.terminal import accented, prose, terminal_lines
from harness.board.values import rounded
from harness.errors import UnknownNameError
from harness.files import SCHEMA, canonical_json
from harness.guard import inert
from harness.study.study import AnyBoard, load_study, verdict


def board_json(board: AnyBoard) -> str:
    """Returns the board's file text: deterministic, and without any timing."""
    tables = asdict(board)  # type: ignore[call-overload]
    head = {"schema": SCHEMA, "study": board.study, "verdict": verdict(board)}
    return canonical_json(head | rounded(tables), indent=1) + "\n"


def render(board: AnyBoard, format: str, *, width: int | None = None, more: Sequence[Table] = ()) -> str:
    """Returns the board in `format`: terminal, md, csv, json, html or tex.

    `more` are tables that stand below those of the board, but in CSV and JSON, which hold the board alone.

    Raises:
        UnknownNameError: there is no such format.
    """
    if format == "json":
        return board_json(board)
    if format == "csv":
        lines = load_study(board.study).lines(board)
        return csv_text(lines, counts=("rank", "samples", "groups", "seeds"))
    writers: dict[str, Callable[[str, str, list[Table]], str]] = {
        "terminal": partial(_terminal, width=width),
        "md": _md,
        "html": _html,
        "tex": _tex,
    }
    if format not in writers:
        raise UnknownNameError("format", format, [*writers, "csv", "json"])
    return writers[format](board.title, verdict(board), [*load_study(board.study).tables(board), *more])


def _cells(table: Table, index: int, escape: Callable[[str], str], before: str, after: str) -> list[str]:
    """Returns a row's texts in a format, emphasised ones between `before` and `after`."""
    texts = map(escape, table.rows[index])
    bold = {column for row, column in table.bold if row == index}
    return [f"{before}{text}{after}" if column in bold else text for column, text in enumerate(texts)]


def markdown_table(table: Table) -> str:
    """Returns the table in GitHub's Markdown, its caption above and its notes below."""
    rule = ["---" if index < table.labels else "---:" for index in range(len(table.columns))]
    lines = [f"**{inert.markdown(table.caption)}**", ""]
    lines += [f"| {' | '.join(map(inert.markdown, table.columns))} |", f"| {' | '.join(rule)} |"]
    for index in range(len(table.rows)):
        lines.append(f"| {' | '.join(_cells(table, index, inert.markdown, '**', '**'))} |")
    lines += ["", *(f"- {inert.markdown_block(note)}" for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def _md(title: str, sentence: str, tables: list[Table]) -> str:
    head = f"# {inert.markdown(title)}\n\n{inert.markdown_block(sentence)}\n\n"
    return head + "\n".join(markdown_table(table) for table in tables)


def _terminal(title: str, sentence: str, tables: list[Table], width: int | None) -> str:
    heading = inert.line(title)
    rule = "=" * min(len(heading), width or len(heading))
    lines = [heading, rule, accented(prose(sentence, width), width), ""]
    return "\n".join([*lines, *(line for table in tables for line in terminal_lines(table, width))])


def _html(title: str, sentence: str, tables: list[Table]) -> str:
    parts = [f"<h1>{inert.html(title)}</h1>", f"<p>{inert.html(sentence)}</p>"]
    for table in tables:
        head = "".join(f'<th scope="col">{inert.html(text)}</th>' for text in table.columns)
        rows = (_cells(table, index, inert.html, "<b>", "</b>") for index in range(len(table.rows)))
        body = "".join(f"<tr>{''.join(f'<td>{text}</td>' for text in cells)}</tr>" for cells in rows)
        parts += [
            f"<table><caption>{inert.html(table.caption)}</caption>",
            f"<thead><tr>{head}</tr></thead>",
            f"<tbody>{body}</tbody></table>",
            *(f"<p>{inert.html(note)}</p>" for note in table.notes),
        ]
    return "\n".join(parts) + "\n"


def _tex(title: str, sentence: str, tables: list[Table]) -> str:
    parts = [f"% {inert.line(title)}", inert.tex(sentence), ""]
    for table in tables:
        parts += [r"\begin{table}", rf"\caption{{{inert.tex(table.caption)}}}", tabular(table)]
        parts += [*map(inert.tex, table.notes), r"\end{table}", ""]
    return "\n".join(parts)


def tabular(table: Table) -> str:
    """Returns the table's rows for LaTeX, with the rules of the package booktabs."""
    columns = "l" * table.labels + "r" * (len(table.columns) - table.labels)
    rows = [[*map(inert.tex, table.columns)]]
    rows += [_cells(table, index, inert.tex, r"\textbf{", "}") for index in range(len(table.rows))]
    head, *lines = [" & ".join(cells) + r" \\" for cells in rows]
    start = rf"\begin{{tabular}}{{{columns}}}"
    return "\n".join([start, r"\toprule", head, r"\midrule", *lines, r"\bottomrule", r"\end{tabular}"])


def csv_text(rows: Sequence[Mapping[str, Any]], *, counts: Sequence[str] = ()) -> str:
    """Returns rows as CSV in which no cell and no heading is a formula; `counts` may lack values."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [_column([rounded(row.get(name)) for row in rows], is_count=name in counts) for name in names]
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(inert.cell, names))
    writer.writerows(zip(*columns, strict=True))
    return text.getvalue()


def _column(values: Sequence[Any], *, is_count: bool) -> list[Any]:
    """Returns a column's cells; numbers of which some are not whole or lack, no counts, are all fractions."""
    there = [one for one in values if one is not None]
    are_numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in there)
    are_whole = all(isinstance(one, int) for one in there)
    if are_numbers and not is_count and not (are_whole and len(there) == len(values)):
        return ["" if one is None else repr(float(one)) for one in values]
    return ["" if one is None else inert.cell(one) for one in values]
