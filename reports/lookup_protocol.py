"""How the searches of a suite on a table were run, with every option of every searcher."""

from harness import Block, LookupBoard, Run, Section, Table
from harness.study.lookup.settings import LookupSettings, LookupSuite
from harness.study.lookup.units import LOOKUP


def render(run: Run, board: LookupBoard) -> Block:
    suite = LookupSuite.of(run)
    search = suite.search
    budgets = ", ".join(str(budget) for budget in sorted(set(search.evaluations)))
    paragraphs = [
        (
            "Scores are computed by published surrogates"
            if board.sampled
            else "Scores are looked up in a table of published results"
        )
        + ", so no number here depends on a training of "
        "ours. A search sees one score, its feedback, and its result is the architecture with the best "
        "feedback; what is reported of it is always the test score.",
        *_held_out(suite),
        "Validation as feedback is the honest protocol. With test as feedback the choice has seen what is "
        "reported: an oracle, printed because published results of LLM searches were made that way.",
        f"Budgets: {budgets} evaluations of new, legal architectures. A shorter budget is a prefix of the "
        "longest search, but for searchers whose path depends on the budget, which run once for each.",
        _limit(search),
    ]
    rows = {}
    for unit in run.planned(LOOKUP):
        options = ", ".join(f"{key} {value}" for key, value in sorted(unit.spec.options.items()))
        rows[unit.spec.method] = (unit.spec.method, unit.spec.searcher, options or "none")
    table = Table(
        caption="Searchers and their options",
        columns=("Row", "Searcher", "Options"),
        rows=tuple(rows[name] for name in suite.searchers if name in rows),
        labels=3,
    )
    return Block(paragraphs=tuple(paragraphs), tables=(table,))


def _limit(search: LookupSettings) -> str:
    """Returns what keeps an architecture from being chosen."""
    over = "what is over is evaluated and told all the same."
    cost = search.cost_limit
    if cost.cost:
        most = f"at most {cost.at_most:g}" if cost.at_most else f"among the least {100 * cost.share:g} %"
        return f"Limit: an incumbent's {cost.cost} is {most}; {over}"
    if search.mac_limit:
        return f"Limit: an incumbent has at most {search.mac_limit:,} multiply-accumulates; {over}"
    return "There is no limit of cost."


def _held_out(suite: LookupSuite) -> list[str]:
    if not suite.held_out:
        return []
    return [
        f"{len(suite.held_out)} of {len(suite.domains)} domains are held out in turn. A search sees the "
        "mean over all other domains of their scores, standardised over the table's rows (less the mean, "
        "over the standard deviation), and nothing of the domain that is reported."
    ]


SECTION = Section(
    title="What was compared, and how it was selected",
    order=85,
    summary="The rules that were the same for every row.",
    render=render,
    studies=("lookup",),
)
