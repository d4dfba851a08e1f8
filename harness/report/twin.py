"""The report as Markdown: the same words and numbers, plots as tables of what they show."""

from collections.abc import Iterator

from harness.board.table import Table
from harness.board.wording import listed
from harness.guard.inert import markdown, markdown_block, visible
from harness.report.plot import Figure, Forest, Heat, Pictures, Plane, Plot, Strips, series_of
from harness.report.section import Block, ReportPart
from harness.study.formats import markdown_table


def markdown_report(title: str, scope: str, parts: list[ReportPart]) -> str:
    """Returns the whole report."""
    lines = [f"# {markdown(title)}", "", markdown(scope), ""]
    for part in parts:
        lines += [f"## {markdown(part.title)}", "", f"*{markdown(part.summary)}*", ""]
        lines += _block(part.block)
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> Iterator[str]:
    if block.failure:
        yield from (f"**{markdown(block.failure)}**", "")
    if block.lead:
        yield from (f"**{markdown(block.lead)}**", "")
    if block.chips:
        yield from (f"- {markdown(chip.label)}: {markdown(chip.text)}" for chip in block.chips)
        yield ""
    for paragraph in block.paragraphs:
        yield from (markdown_block(paragraph), "")
    for figure in block.figures:
        yield from _figure(figure)
    for table in (*block.tables, *block.appendix):
        yield markdown_table(table)
    for code in block.code:
        yield from (_fenced(code), "")


def _figure(figure: Figure) -> Iterator[str]:
    yield from (f"Figure: {markdown(figure.alt)}", "")
    for plot in figure.plots:
        if isinstance(plot, Plane):
            names = series_of([plot])
            told = f" ({listed(names)})" if len(names) > 1 else ""
            yield from (markdown_block(f"{plot.title}: {plot.y.label}, against {plot.x.label}{told}."), "")
        table = _table(plot)
        if table is not None and table.rows:
            yield markdown_table(table)
    for name, plots in figure.others.items():
        yield from (markdown_block(f"{figure.choice[0]} {name}:"), "")
        yield from (markdown_table(table) for plot in plots if (table := _table(plot)) and table.rows)
    if figure.data:
        yield from (_fenced(figure.csv), "")


def _table(plot: Plot) -> Table | None:
    """Returns what stands in a plot as text; None where its data says all."""
    if isinstance(plot, Forest):
        rows = tuple((bar.label or bar.series, bar.text) for bar in plot.bars)
        return Table(caption=plot.title, columns=("Row", plot.axis.label), rows=rows)
    if isinstance(plot, Heat):
        cells = tuple((name, *texts) for name, texts in zip(plot.rows, plot.texts, strict=True))
        return Table(caption=plot.title, columns=(plot.corner, *plot.columns), rows=cells)
    if isinstance(plot, Strips):
        told = tuple((strip.label or strip.series, strip.text) for strip in plot.strips)
        kinds = (listed(plot.kinds),) if plot.kinds else ()
        return Table(caption=plot.title, columns=("Row", "Architecture"), rows=told, labels=2, notes=kinds)
    if isinstance(plot, Pictures):
        return Table(
            caption=plot.title,
            columns=("Sample", "Told"),
            rows=tuple((one.name, "; ".join(one.lines)) for one in plot.pictures),
            labels=2,
        )
    return None


def _fenced(text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}\n{visible(text.rstrip())}\n{fence}"
