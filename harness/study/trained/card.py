"""The model card of a final network: how it was found, what it scores, what that is worth."""

from collections.abc import Iterator, Sequence

from harness import catalog
from harness.board.table import Table
from harness.board.wording import MISSING, listed, metric_name, show, show_estimate
from harness.files import canonical_json
from harness.identity.unit import Unit
from harness.learn.modality import modality_of
from harness.run.loaded import Run
from harness.study.network import CardPart, NetworkFacts
from harness.study.trained.boards.tables import show_extent
from harness.study.trained.boards.values import Board, Row, TaskBoard, compute_of
from harness.study.trained.boards.verdict import trained_verdict
from harness.study.trained.results import Final
from harness.study.trained.units import FINAL, SEARCH, TUNE, FinalSpec
from harness.study.work.units import PREPARE, SUPERNET, Preparation

ROLES = {"source": "source, test split", "held_out": "held out"}


def card_parts(
    run: Run,
    board: Board,
    boards: Sequence[TaskBoard],
    final: Unit[FinalSpec, Final],
    facts: NetworkFacts,
    *,
    is_asked: bool,
) -> Iterator[CardPart]:
    """Yields what records say of a network, part by part.

    Args:
        run: that it is of.
        board: of the run.
        boards: those on which it was scored.
        final: what trained it.
        facts: of it.
        is_asked: whether somebody asked for its seed, who may have seen the scores.
    """
    yield CardPart("What it is", tuple(_what(facts)))
    yield CardPart("How it was found", tuple(_how(run, board, final, facts)), is_list=True)
    chosen = (
        "which was asked for by its number, by somebody who may have seen the scores"
        if is_asked
        else "the smallest, so that no score had a part in the choice"
    )
    told = (
        f"This network is that of search seed {facts.search_seed}, {chosen}. A mean, with its 95 % interval, "
        "is over all seeds of the row, training seeds and groups of samples inside: it speaks of the method, "
        "and the score beside it of this network.",
    )
    tables = tuple(table for one in boards if (table := _scores(run, one, final, facts.row)).rows)
    yield CardPart("What it scores", told, tables)
    claimed = "" if board.claimed == facts.row else f" It speaks of {board.claimed}, and not of this row."
    verdict = trained_verdict(board) + (claimed if board.claim else "")
    yield CardPart("What the verdict of the run says", (verdict,))
    yield CardPart("Data and licences", tuple(_licence(facts)), (_data(run, boards, final),))
    yield CardPart("Limits", tuple(_limits(run, boards, facts)), is_list=True)


def _what(facts: NetworkFacts) -> Iterator[str]:
    signature = facts.blueprint.signature
    reads = modality_of(signature.kind)
    yield (
        f"{facts.parameters:,} parameters, {facts.macs:,} multiply-accumulates a sample. Task "
        f"{facts.blueprint.task}: {reads.describe(signature)}. {reads.summary}"
    )
    if facts.classes:
        yield f"Classes, in the order of its outputs: {', '.join(facts.classes)}."
    architecture = facts.blueprint.architecture
    if architecture:
        yield f"Architecture: {canonical_json(architecture)}"


def _how(run: Run, board: Board, final: Unit[FinalSpec, Final], facts: NetworkFacts) -> Iterator[str]:
    spec = final.spec
    searching = run.needed(final, SEARCH)
    search, tuned = run.result(searching), run.result(run.needed(final, TUNE))
    yield f"Suite {run.name}, “{board.title}”: {run.command}"
    if searching is None or search is None:
        yield f"Method {spec.method}: {catalog.load('baseline', spec.method).summary}"
    else:
        yield f"Method {spec.method}: {catalog.load('searcher', searching.spec.searcher).summary}"
        yield (
            f"Its search evaluated {search.evaluations:,} architectures of {spec.space}, and this is the "
            "best of them by source validation."
        )
    row = next(
        row for one in board.tasks if one.task == spec.task for row in one.rows if row.name == facts.row
    )
    if row.llm is not None:
        stands = ", embedded, which stands in for those that the method is meant for"
        yield f"Language model: {row.llm.model}{stands if row.llm.kind == 'embedded' else ''}."
    if tuned is not None:
        yield f"It is the best of {tuned.evaluations:,} whole trainings on source validation."
    if supernet := run.needed(final, SUPERNET):
        trained = supernet.spec
        by = f"trained by {trained.strategy}" if trained.strategy else "released by others"
        yield f"Candidates were slices of a supernet, {by}; the final was trained anew, alone."
    yield f"Seed {facts.search_seed} searched, or drew; seed {facts.training_seed} gave weights and batches."
    sources = listed(facts.sources)
    if facts.steps:
        yield f"Trained on {sources} for {facts.steps:,} steps of {facts.batch_size:,} samples."
        yield f"Recipe: {canonical_json(facts.recipe)}"
    else:
        yield f"Its features are frozen, and a linear head was fitted to them on {sources}."
    if facts.learning_rate is not None:
        rates = spec.learning_rates or ()
        among = f", chosen among {len(rates)} by {spec.selection}" if len(rates) > 1 else ""
        yield f"Learning rate {facts.learning_rate:g}{among}."
    if compute := compute_of(run, final):  # frozen features and unknown ones have none
        yield f"Compute of all that led to it: {compute / 1e12:.3g} tera multiply-accumulates."


def _scores(run: Run, board: TaskBoard, final: Unit[FinalSpec, Final], name: str) -> Table:
    """Returns the scores of the network on the domains of one board, beside the means of its row."""
    row = next(row for row in board.rows if row.name == name)
    lines = []
    for unit in board.scores(run):
        scored = run.needed(unit, FINAL)
        if scored is None or scored.hash != final.hash:
            continue
        spec, result = unit.spec, run.result(unit)
        cells = [one for one in row.cells if (one.domain, one.role) == (spec.domain, spec.role)]
        mean = show_estimate(board.metric, cells[0].estimate) if cells else MISSING
        counts = (f"{result.samples:,}", f"{result.groups:,}") if result else (MISSING, MISSING)
        own = show(board.metric, result.value if result else None)
        lines.append((spec.domain, ROLES[spec.role], own, mean, *counts))
    notes = [show_extent(cell) for cell in row.on("held_out")]
    return Table(
        caption=f"{board.title}: {metric_name(board.metric)}",
        columns=("Domain", "Role", "This network", f"Mean of {len(row.seeds)} seeds", "n", "Groups"),
        rows=tuple(lines),
        labels=2,
        notes=(*filter(None, notes), f"A blind guess scores {show(board.metric, board.chance)}."),
    )


def _licence(facts: NetworkFacts) -> Iterator[str]:
    yield "Weights that were learned from data may fall under its licences; nothing here says under which."
    if facts.outside:
        yield (
            f"It began with weights that others trained on {facts.outside}; their licence is in no record."
        )


def _data(run: Run, boards: Sequence[TaskBoard], final: Unit[FinalSpec, Final]) -> Table:
    used = dict.fromkeys((final.spec.task, name) for name in final.spec.sources)
    for board in boards:
        for name in board.held_out:
            owner, _, inner = name.rpartition("/")  # a board may borrow the domains of other tasks
            used[owner or board.task, inner] = None
    rows = []
    for unit in run.planned(PREPARE):
        record = run.records.get(unit.hash)
        where = (unit.spec.task, unit.spec.domain)
        if where in used and record is not None and record.status == "ok":
            sha256 = Preparation.from_json(record.result).sha256
            is_source = where[0] == final.spec.task and where[1] in final.spec.sources
            about = (str(record.about["origin"]), str(record.about["licence"]))
            rows.append((unit.spec.of, "trained on" if is_source else "scored on", *about, sha256[:16]))
    return Table(
        caption="Domains",
        columns=("Domain", "Use", "Origin", "Licence", "sha256 (first 16)"),
        rows=tuple(rows),
        labels=5,
    )


def _limits(run: Run, boards: Sequence[TaskBoard], facts: NetworkFacts) -> Iterator[str]:
    yield (
        "It was made to compare ways of finding architectures at equal, often small, budgets, and for no use "
        "beyond that; its scores speak of the domains above and of no others."
    )
    if run.limit is not None:
        yield f"The run had at most {run.limit} samples of a split and few steps: its numbers mean nothing."
    rows: list[Row] = [row for board in boards for row in board.rows if row.name == facts.row]
    for stale in dict.fromkeys(row.marks.stale for row in rows if row.marks.stale):
        yield f"It was made before {listed(stale)} changed."
    for machines in dict.fromkeys(row.marks.machines for row in rows if row.marks.machines):
        yield f"It was made on two kinds of machine: {'; '.join(machines)}."
    notes = dict.fromkeys(note for board in boards for note in board.notes)
    yield from notes
