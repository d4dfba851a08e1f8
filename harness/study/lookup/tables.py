"""How the board of a suite on a table is told: tables, and a verdict from the interval of its claim."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.board.comparison import lacking
from harness.board.language_model import end_notes, stand_in_notes
from harness.board.marks import with_marks
from harness.board.scale import in_unit, percent, with_interval
from harness.board.table import Table
from harness.board.wording import FAILED, LIMITED, MISSING, listed, with_model
from harness.study.lookup.board import LookupBoard, LookupCell, LookupRanking, LookupRow
from harness.study.published import PUBLISHED, UNRANKED, published_tables

FEEDBACK = {
    "validation": "validation as feedback, test of the validation choice",
    "test": "test as feedback, best test found (an oracle)",
}
HELD_OUT = {
    "validation": "validation of the other domains as feedback, test of the held-out one",
    "test": "test of the other domains as feedback, test of the held-out one",
}


def heading(board: LookupBoard, domain: str) -> str:
    """Returns the domain, with what its scores are where they are not accuracies in percent."""
    scale = board.scales[domain]
    words = ["raw"] if scale.unit == "raw" else []
    words += [] if scale.higher_is_better else ["lower is better"]
    return f"{domain} ({', '.join(words)})" if words else domain


def feedback_name(board: LookupBoard, feedback: str) -> str:
    """Returns what the searches saw and what is reported."""
    return (HELD_OUT if board.held_out else FEEDBACK)[feedback]


def ranking_table(board: LookupBoard, ranking: LookupRanking) -> Table:
    """Returns the searchers by regret, with the exact course of random search and the published rows."""
    rows = [_row(board, row) for row in ranking.rows]

    def add(
        kind: str, name: str, scores: Mapping[str, float | None], seeds: str, regret: str = MISSING
    ) -> None:
        told = (
            MISSING if (score := scores.get(domain)) is None else in_unit(score, board.scales[domain])
            for domain in board.domains
        )
        rows.append((kind, name, *told, regret, MISSING, seeds, MISSING, MISSING))

    if None not in ranking.random.values():
        regret = MISSING if ranking.random_regret is None else percent(ranking.random_regret)
        kind = "sampled" if board.sampled else "exact"
        add(kind, "random search, expected", ranking.random, "all", regret)
    if ranking.budget == max(one.budget for one in board.rankings):
        for one in board.published:
            if one.feedback == ranking.feedback:
                add(PUBLISHED, one.name, one.scores, MISSING)
    bold = {(index, 2 + len(board.domains)) for index, row in enumerate(ranking.rows) if row.unbeaten}
    reasons = dict.fromkeys(
        f"{FAILED} {row.method} on {cell.domain}: {cell.reason}"
        for row in ranking.rows
        for cell in row.cells
        if cell.state in ("failed", "skipped")
    )
    lost = [
        f"{cell.lost} of {cell.seeds} searches of {row.method} found nothing within the limit on "
        f"{cell.domain} and count as the mean of the table."
        for row in ranking.rows
        for cell in row.cells
        if cell.lost
    ]
    short = [
        f"{row.method} spent {row.evaluations:.3g} of {ranking.budget} evaluations."
        for row in ranking.rows
        if row.evaluations is not None and row.evaluations < ranking.budget
    ]
    notes = (
        "Rank (and the ranks that the tests allow) by normalised regret: (best - found) / (best - mean of "
        f"the {'sample' if board.sampled else 'table'}), mean over domains. Intervals: 95 %, Student's t "
        "over seeds; differences: of independent seeds.",
        "Bold: no row is significantly better (5 %, Holm over all pairs); nothing is where no pair differs.",
        *([UNRANKED] if any(row[0] == PUBLISHED for row in rows) else []),
        *board.notes,
        *(["‡ limited to fewer seeds (--limit)."] if board.limit is not None else []),
        *reasons,
        *lost,
        *short,
        *stand_in_notes(row.llm for row in ranking.rows),
        *(note for row in ranking.rows for note in end_notes(row.method, row.llm)),
    )
    raw = any(scale.unit == "raw" for scale in board.scales.values())
    unit = "accuracy in %, or raw where the column says so" if raw else "accuracy in %"
    columns = ["Rank", "Searcher", *_headings(board), "Regret in %", f"Minus {board.reference}"]
    return Table(
        caption=f"{board.table}, {ranking.budget} evaluations: {feedback_name(board, ranking.feedback)}, "
        f"{unit}",
        columns=(*columns, "Seeds", "Evaluations", "LLM tokens a search"),
        rows=tuple(rows),
        labels=2,
        heading=1,
        bold=frozenset(bold),
        notes=notes,
        lesser=("LLM tokens a search", "Evaluations", "Seeds"),
    )


def _headings(board: LookupBoard) -> list[str]:
    return [heading(board, domain) for domain in board.domains]


def _row(board: LookupBoard, row: LookupRow) -> tuple[str, ...]:
    seeds = max((cell.seeds for cell in row.cells), default=0)
    mark = LIMITED if board.limit is not None else ""
    tokens = MISSING
    if row.llm is not None and seeds:
        total = row.llm.prompt_tokens + row.llm.completion_tokens
        tokens = row.llm.told(round(total / (seeds * len(row.cells))))
    return (
        _rank(row),
        with_marks(with_model(row.method, row.llm), row.marks),
        *(_cell(board, cell) for cell in row.cells),
        with_interval(row.regret),
        "reference" if row.method == board.reference else with_interval(row.difference, signed=True),
        f"{seeds}{mark}" if seeds else MISSING,
        MISSING if row.evaluations is None else f"{row.evaluations:g}",
        tokens,
    )


def _rank(row: LookupRow) -> str:
    if row.rank is None:
        return MISSING
    if row.rank_best == row.rank_worst:
        return str(row.rank)
    return f"{row.rank} ({row.rank_best}–{row.rank_worst})"


def _cell(board: LookupBoard, cell: LookupCell) -> str:
    if cell.state == "ok":
        return with_interval(cell.test, scale=board.scales[cell.domain])
    return MISSING if cell.state == "missing" else FAILED


def regret_table(board: LookupBoard) -> Table:
    order = [row.method for row in board.ranking(board.rankings[0].feedback, board.rankings[-1].budget).rows]
    rows, bold = [], set()
    for index, method in enumerate(order):
        found = [ranking.row(method) for ranking in board.rankings]
        name = with_marks(method, found[-1].marks) if found[-1] else method
        rows.append((name, *(with_interval(row.regret if row else None) for row in found)))
        bold |= {(index, 1 + column) for column, row in enumerate(found) if row and row.unbeaten}
    columns = [f"{ranking.feedback}, {ranking.budget}" for ranking in board.rankings]
    return Table(
        caption=f"{board.table}: normalised regret in %, by feedback and evaluations; less is better",
        columns=("Searcher", *columns),
        rows=tuple(rows),
        bold=frozenset(bold),
    )


def held_out_table(board: LookupBoard) -> Table:
    """Returns the regret of every searcher to the optimum and to the best single source."""
    rows = []
    for ranking in board.rankings:
        for row in ranking.rows:
            head = (ranking.feedback, str(ranking.budget), with_marks(row.method, row.marks))
            gaps = [
                with_interval(cell.source_gap, signed=True, scale=board.scales[cell.domain])
                for cell in row.cells
            ]
            regrets = with_interval(row.regret), with_interval(row.source_regret, signed=True)
            rows.append((*head, *regrets, *gaps))
    regrets = "Regret to the optimum", "Regret to the best source"
    return Table(
        caption=f"{board.table}: normalised regret in % to the optimum of the held-out domain and to the "
        "best single source, and the latter in each domain's own unit",
        columns=("Feedback", "Evaluations", "Searcher", *regrets, *_headings(board)),
        rows=tuple(rows),
        labels=3,
        heading=2,
        notes=(
            "The best single source of a domain is the other domain whose own best architecture does best "
            "there. Nobody knows beforehand which one that is; below 0 the search is better still.",
        ),
    )


def control_table(board: LookupBoard, controls: tuple[str, ...]) -> Table:
    """Returns the controls side by side, each minus the first."""
    rows = []
    for ranking in board.rankings:
        for row in filter(None, map(ranking.row, controls)):
            head = (ranking.feedback, str(ranking.budget), with_marks(row.method, row.marks))
            cells = [_cell(board, cell) for cell in row.cells]
            difference = with_interval(ranking.controls.get(row.method), signed=True)
            seeds = str(max((cell.seeds for cell in row.cells), default=0))
            rows.append((*head, *cells, with_interval(row.regret), difference, seeds))
    minus = f"Minus {controls[0]}"
    return Table(
        caption=f"{board.table}: accuracy and regret in % of each control, and minus {controls[0]}",
        columns=("Feedback", "Evaluations", "Control", *_headings(board), "Regret", minus, "Seeds"),
        rows=tuple(rows),
        labels=3,
        heading=2,
    )


def lookup_verdict(board: LookupBoard) -> str:
    return lookup_sentences(board)[0]


def lookup_sentences(board: LookupBoard) -> list[str]:
    """Returns a sentence per feedback and budget, the one of the verdict first."""
    budget = max(ranking.budget for ranking in board.rankings)
    first = board.ranking(board.rankings[0].feedback, budget)
    others = [ranking for ranking in board.rankings if ranking is not first]
    return [lookup_sentence(board, ranking) for ranking in (first, *others)]


def lookup_sentence(board: LookupBoard, ranking: LookupRanking) -> str:
    """Returns what a ranking says of the claim."""
    seen = f"{ranking.feedback} of the other domains" if board.held_out else ranking.feedback
    where = f"With {seen} as feedback and {ranking.budget} evaluations"
    row, reference = ranking.row(board.claim), ranking.row(board.reference)
    if row is None or reference is None or row.regret is None or reference.regret is None:
        return f"{where} this run cannot tell, because a result of the claim or of its reference lacks."
    values = (
        f"{board.claim} has a regret of {percent(row.regret.value)} %, {board.reference} of "
        f"{percent(reference.regret.value)} %"
    )
    for one in (row, reference):
        if one.marks.is_apart:
            return f"{where} this run cannot tell, because {one.method} {one.marks.why}."
    if row.difference is None:
        return f"{where} {values}; the claim is the reference itself."
    low, high = (percent(bound, signed=True) for bound in (row.difference.low, row.difference.high))
    outcome = row.difference.outcome(higher_is_better=False)
    word = {
        "same": "every search of the two found the same",
        "cannot tell": "this run cannot tell which is better; it would find a true difference of "
        f"{percent(row.difference.detectable)} points four times in five",
        "no verdict": f"no verdict, because {listed(list(lacking(row.difference)))}",
    }.get(outcome, f"{board.claim} is {outcome}")
    better = [one.method for one in ranking.rows if one.rank and row.rank and one.rank < row.rank]
    above = f" Before it stand {', '.join(better)}." if better else ""
    difference = f"{percent(row.difference.value, signed=True)} points (95 % interval {low} to {high})"
    for one in (row, reference):
        if one.evaluations is not None and one.evaluations < ranking.budget:
            above += f" {one.method} spent {one.evaluations:.3g} of them."
    above += f" Regret is to {board.optimum}, not to an optimum." if board.sampled else ""
    return f"{where} {values}, a difference of {difference}: {word}.{above}"


def leaderboard_tables(board: LookupBoard) -> list[Table]:
    budget = max(ranking.budget for ranking in board.rankings)
    last = [ranking_table(board, ranking) for ranking in board.rankings if ranking.budget == budget]
    return [*last, *published_tables(board.table, board.published), regret_table(board)]


def csv_lines(board: LookupBoard) -> Iterator[dict[str, Any]]:
    for ranking in board.rankings:
        for row in ranking.rows:
            head = {"feedback": ranking.feedback, "budget": ranking.budget, "rank": row.rank}
            head |= {"method": row.method, "marks": str(row.marks)}
            for name, value in (("regret", row.regret), ("difference", row.difference)):
                bounds = {"value": value.value, "low": value.low, "high": value.high} if value else {}
                yield head | {"what": name} | bounds
            for cell in row.cells:
                estimate = cell.test._asdict() if cell.test else {}
                about = {"domain": cell.domain, "state": cell.state, "reason": cell.reason}
                yield head | {"what": "test"} | estimate | about | {"seeds": cell.seeds}
    for one in board.published:
        head = {"feedback": one.feedback, "method": one.name, "marks": PUBLISHED, "what": "test"}
        yield from (head | {"domain": domain, "value": score} for domain, score in one.scores.items())
