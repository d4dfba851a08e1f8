"""How the board of a suite on a table is told: tables, and a verdict from the interval of its claim."""

from harness.board.lookup import LookupBoard, LookupCell, LookupRanking, LookupRow
from harness.board.rows import Estimate
from harness.board.tables import Table
from harness.board.wording import FAILED, LIMITED, MISSING
from harness.stats.pairs import Comparison

FEEDBACK = {
    "validation": "validation as feedback, test of the validation choice",
    "test": "test as feedback, best test found (an oracle)",
}


def percent(value: float, *, signed: bool = False, digits: int = 2) -> str:
    """Returns a share in percent."""
    text = f"{100 * value:.{digits}f}"
    if float(text) == 0:
        return text.lstrip("-")
    return (f"+{text}" if signed and value > 0 else text).replace("-", "−")


def with_interval(estimate: Estimate | Comparison | None, *, signed: bool = False) -> str:
    """Returns value and 95 % interval in percent."""
    if estimate is None:
        return MISSING
    low, high = (percent(bound, signed=signed) for bound in (estimate.low, estimate.high))
    return f"{percent(estimate.value, signed=signed)} [{low}, {high}]"


def ranking_table(board: LookupBoard, ranking: LookupRanking) -> Table:
    """Returns the searchers by regret, with the exact course of random search and the published rows."""
    rows = [_row(board, row) for row in ranking.rows]
    exact = [ranking.random[domain] for domain in board.domains]
    if None not in exact:
        values = [MISSING if value is None else percent(value) for value in exact]
        rows.append(("exact", "random search, expected", *values, MISSING, MISSING, "all", MISSING, MISSING))
    if ranking.budget == max(one.budget for one in board.rankings):
        for one in board.published:
            if one["feedback"] != ranking.feedback:
                continue
            values = [
                percent(one["scores"][domain]) if domain in one["scores"] else MISSING
                for domain in board.domains
            ]
            rows.append(("published", one["name"], *values, MISSING, MISSING, MISSING, MISSING, MISSING))
    bold = frozenset(
        (index, 2 + len(board.domains)) for index, row in enumerate(ranking.rows) if row.unbeaten
    )
    notes = (
        "Rank (and the ranks its interval allows) by normalised regret: (best - found) / (best - mean of the "
        "table), mean over domains. Intervals: 95 %, Student's t over seeds; differences: Welch.",
        "Bold: no row is significantly better, and it is significantly better than at least one (5 %, Holm "
        "over all pairs).",
        *board.notes,
        *(["‡ limited to fewer seeds (--limit)."] if board.limit is not None else []),
        *(f"{FAILED} {reason}" for reason in _reasons(ranking)),
    )
    return Table(
        caption=f"{board.table}, {ranking.budget} evaluations: {FEEDBACK[ranking.feedback]}, accuracy in %",
        columns=(
            "Rank",
            "Searcher",
            *board.domains,
            "Regret in %",
            f"Minus {board.reference}",
            "Seeds",
            "Evaluations",
            "LLM tokens a search",
        ),
        rows=tuple(rows),
        labels=2,
        heading=1,
        bold=bold,
        notes=notes,
    )


def _row(board: LookupBoard, row: LookupRow) -> tuple[str, ...]:
    seeds = max((cell.seeds for cell in row.cells), default=0)
    mark = LIMITED if board.limit is not None else ""
    tokens = MISSING
    if row.llm is not None and seeds:
        total = row.llm.prompt_tokens + row.llm.completion_tokens
        tokens = f"{total / (seeds * len(row.cells)):,.0f}"
    return (
        _rank(row),
        _name(row),
        *(_cell(cell) for cell in row.cells),
        with_interval(row.regret),
        "reference" if row.method == board.reference else with_interval(row.difference, signed=True),
        f"{seeds}{mark}" if seeds else MISSING,
        MISSING if row.evaluations is None else f"{row.evaluations:g}",
        tokens,
    )


def _name(row: LookupRow) -> str:
    if row.llm is None:
        return row.method
    stand_in = "stand-in model: " if row.llm.kind == "embedded" else ""
    return f"{row.method} ({stand_in}{row.llm.model})"


def _rank(row: LookupRow) -> str:
    if row.rank is None:
        return MISSING
    if row.rank_best == row.rank_worst:
        return str(row.rank)
    return f"{row.rank} ({row.rank_best}–{row.rank_worst})"


def _cell(cell: LookupCell) -> str:
    if cell.state == "ok":
        return with_interval(cell.test)
    return MISSING if cell.state == "missing" else FAILED


def _reasons(ranking: LookupRanking) -> list[str]:
    found = [
        f"{row.method} on {cell.domain}: {cell.reason}"
        for row in ranking.rows
        for cell in row.cells
        if cell.state in ("failed", "skipped")
    ]
    return list(dict.fromkeys(found))


def regret_table(board: LookupBoard) -> Table:
    """Returns the regret of every searcher at every feedback and budget."""
    last = board.rankings[-1]
    order = [row.method for row in board.ranking(board.rankings[0].feedback, last.budget).rows]
    rows = []
    for method in order:
        found = [ranking.row(method) for ranking in board.rankings]
        rows.append((method, *(with_interval(row.regret if row else None) for row in found)))
    bold = frozenset(
        (index, 1 + column)
        for index, method in enumerate(order)
        for column, ranking in enumerate(board.rankings)
        if (row := ranking.row(method)) is not None and row.unbeaten
    )
    columns = [f"{ranking.feedback}, {ranking.budget}" for ranking in board.rankings]
    return Table(
        caption=f"{board.table}: normalised regret in %, by feedback and evaluations; less is better",
        columns=("Searcher", *columns),
        rows=tuple(rows),
        bold=bold,
    )


def control_table(board: LookupBoard, controls: tuple[str, ...]) -> Table:
    """Returns the controls side by side, each minus the first."""
    rows = []
    for ranking in board.rankings:
        for name in controls:
            row = ranking.row(name)
            if row is None:
                continue
            rows.append(
                (
                    ranking.feedback,
                    str(ranking.budget),
                    name,
                    *(_cell(cell) for cell in row.cells),
                    with_interval(row.regret),
                    with_interval(ranking.controls.get(name), signed=True),
                    str(max((cell.seeds for cell in row.cells), default=0)),
                )
            )
    return Table(
        caption=f"{board.table}: accuracy and regret in % of each control, and minus {controls[0]}",
        columns=(
            "Feedback",
            "Evaluations",
            "Control",
            *board.domains,
            "Regret",
            f"Minus {controls[0]}",
            "Seeds",
        ),
        rows=tuple(rows),
        labels=3,
        heading=2,
    )


def lookup_verdict(board: LookupBoard) -> str:
    """Returns what the largest budget with the first feedback says of the claim."""
    return lookup_sentences(board)[0]


def lookup_sentences(board: LookupBoard) -> list[str]:
    """Returns a sentence per feedback and budget, the one of the verdict first."""
    budget = max(ranking.budget for ranking in board.rankings)
    first = board.ranking(board.rankings[0].feedback, budget)
    others = [ranking for ranking in board.rankings if ranking is not first]
    return [_sentence(board, ranking) for ranking in (first, *others)]


def _sentence(board: LookupBoard, ranking: LookupRanking) -> str:
    where = f"With {ranking.feedback} as feedback and {ranking.budget} evaluations"
    row, reference = ranking.row(board.claim), ranking.row(board.reference)
    if row is None or reference is None or row.regret is None or reference.regret is None:
        return f"{where} this run cannot tell, because a result of the claim or of its reference lacks."
    values = (
        f"{board.claim} has a regret of {percent(row.regret.value)} %, {board.reference} of "
        f"{percent(reference.regret.value)} %"
    )
    if row.difference is None:
        return f"{where} {values}; the claim is the reference itself."
    low, high = (percent(bound, signed=True) for bound in (row.difference.low, row.difference.high))
    if row.difference.low <= 0 <= row.difference.high:
        word = "this run cannot tell which is better"
    else:
        word = f"{board.claim} is {'better' if row.difference.value < 0 else 'worse'}"
    better = [one.method for one in ranking.rows if one.rank and row.rank and one.rank < row.rank]
    above = f" Before it stand {', '.join(better)}." if better else ""
    difference = f"{percent(row.difference.value, signed=True)} points (95 % interval {low} to {high})"
    return f"{where} {values}, a difference of {difference}: {word}.{above}"
