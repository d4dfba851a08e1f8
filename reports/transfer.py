"""How far a choice on one domain of a table serves another: the exact matrices, and single sources alone."""

from collections.abc import Mapping, Sequence

import numpy as np

from harness import Block, Figure, Heat, LookupBoard, Run, Section, Table
from harness.board.scale import Scale, in_unit, percent
from harness.stats.sums import Array
from harness.stats.transfer import Transfer
from harness.study.lookup.settings import LookupSuite
from harness.study.lookup.tables import held_out_table
from harness.study.lookup.units import TABLE, TableFound, TransferFound

Matrix = Mapping[str, Mapping[str, Transfer]]
"""Source -> target -> measures."""
KEYS = ("spearman", "kendall", "overlap", "regret", "normalised", "rank", "ties")


def render(run: Run, board: LookupBoard) -> Block:
    """Returns heat maps and tables of every source and target; nothing where there is one domain."""
    table = next(map(run.result, run.planned(TABLE)), None)
    transfer = table.transfer if table else None
    if table is None or transfer is None or len(transfer.matrix) < 2:
        return Block()
    matrix = transfer.matrix
    names = [domain for domain in LookupSuite.of(run).domains if domain in matrix]
    tables = [_pairs(board, names, transfer, table)]
    if board.held_out:
        tables = [held_out_table(board), _choices(board, table), *tables]
    paragraphs = (
        "Heat maps and the table of pairs know no search: they are exact over the "
        f"{table.rows:,} rows of the table. A source ranks by its validation score, a target counts by "
        "its test score. Regret is what the row that is best on the source lacks on the target to the "
        "target's best; normalised, it is over (best - mean of the table), so that 100 % is what a random "
        "row lacks on average. Where rows tie on the source, all is averaged over them.",
    )
    figures = (_figure(board, names, matrix),)
    return Block(paragraphs=paragraphs, figures=figures, tables=tuple(tables))


def _figure(board: LookupBoard, names: Sequence[str], matrix: Matrix) -> Figure:
    pairs = [[matrix[source][target] for target in names] for source in names]
    spearman = np.asarray([[one.spearman for one in row] for row in pairs])
    regret = np.asarray([[one.normalised for one in row] for row in pairs])

    heats = (
        _heat(
            "Spearman correlation",
            names,
            np.clip(spearman, -1, 1),
            [[f"{one:.2f}" for one in row] for row in spearman],
        ),
        _heat(
            "normalised regret in %",
            names,
            1 - np.clip(regret, 0, 1),
            [[f"{100 * one:.1f}" for one in row] for row in regret],
        ),
    )
    others = [(source, target) for source in names for target in names if source != target]
    worst = max(others, key=lambda pair: matrix[pair[0]][pair[1]].normalised)
    apart = min(others, key=lambda pair: matrix[pair[0]][pair[1]].spearman)
    alt = (
        f"{board.table}: rank correlation and normalised regret of every source (rows) and target (columns). "
        f"{apart[0]} and {apart[1]} agree least, with a Spearman correlation of "
        f"{matrix[apart[0]][apart[1]].spearman:.3f}; choosing on {worst[0]} costs most on {worst[1]}, "
        f"{percent(matrix[worst[0]][worst[1]].normalised, digits=1)} % of what a random row lacks on "
        "average."
    )
    data = [
        {"source": source, "target": target, **{key: getattr(matrix[source][target], key) for key in KEYS}}
        for source in names
        for target in names
    ]
    return Figure(name="transfer", alt=alt, plots=heats, data=data)


def _heat(title: str, names: Sequence[str], shades: Array, texts: Sequence[Sequence[str]]) -> Heat:
    """Returns the matrix of every source, which chooses by validation, and target, which counts by test."""
    return Heat(
        title=title,
        rows=tuple(names),
        columns=tuple(names),
        shades=tuple(tuple(map(float, row)) for row in shades),
        texts=tuple(tuple(one.replace("-", "−") for one in row) for row in texts),
        corner="source, target",
    )


def _pairs(board: LookupBoard, names: Sequence[str], transfer: TransferFound, table: TableFound) -> Table:
    rows = []
    for source in names:
        for target in names:
            one = transfer.matrix[source][target]
            rows.append(
                (
                    source,
                    target,
                    f"{one.spearman:.4f}".replace("-", "−"),
                    f"{one.kendall:.4f}".replace("-", "−"),
                    percent(one.overlap, digits=0),
                    in_unit(one.regret, _scale(board, target, table)),
                    percent(one.normalised),
                    _rank(one.rank, one.ties),
                )
            )
    return Table(
        caption=f"{board.table}: what a choice on a source is worth on a target, exactly",
        columns=(
            "Source",
            "Target",
            "Spearman",
            "Kendall",
            f"Best {transfer.top} in common, %",
            "Regret",
            "Normalised regret in %",
            f"Rank of {table.rows:,}",
        ),
        rows=tuple(rows),
        labels=2,
        heading=0,
        notes=(
            "Regret is in points of percent, or in the target's own unit where that is raw.",
            "Where source and target are one domain, the numbers tell validation from test alone; they are "
            "perfect, but for ties, where one column serves as both.",
        ),
    )


def _rank(rank: float, ties: int) -> str:
    """Returns a rank; of several rows that tie on the source, their mean rank and number."""
    return f"{rank:,.0f}" if ties == 1 else f"{rank:,.1f} (mean of {ties} that tie)"


def _choices(board: LookupBoard, table: TableFound) -> Table:
    rows = []
    for domain in board.domains:
        held_out = table.domains[domain].held_out
        assert held_out is not None
        for ranking in dict.fromkeys(ranking.feedback for ranking in board.rankings):
            found = held_out[ranking].sources
            best = max(found, key=lambda source: found[source].value)
            mean = float(np.mean([one.normalised for one in found.values()]))
            everything = held_out[ranking].all
            rows.append(
                (
                    domain,
                    ranking,
                    best,
                    percent(found[best].normalised),
                    _rank(found[best].rank, found[best].ties),
                    percent(mean),
                    percent(everything.normalised),
                    _rank(everything.rank, everything.ties),
                )
            )
    return Table(
        caption=f"{board.table}: normalised regret in % and rank, on the held-out domain, of the row that is "
        "best on one source, and of the row that is best on all other domains together",
        columns=(
            "Held-out domain",
            "Chosen by",
            "Best single source",
            "Its regret",
            "Its rank",
            "Mean of single sources",
            "All sources",
            "Rank of all sources",
        ),
        rows=tuple(rows),
        labels=3,
        heading=0,
        notes=("A search sees as many rows as its budget; these choices saw the whole table.",),
    )


def _scale(board: LookupBoard, target: str, table: TableFound) -> Scale:
    """Returns the scale of a domain that may be a source alone, which the board does not show."""
    known = board.scales.get(target)
    if known is not None:
        return known
    return Scale(unit=table.domains[target].unit, decimals=4)


SECTION = Section(
    title="Transfer between domains",
    order=30,
    summary="What the table itself says, without any search: how far a choice on one domain serves another.",
    render=render,
    studies=("lookup",),
)
