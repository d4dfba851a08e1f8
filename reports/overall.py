"""One ranking over vision and language."""

from collections.abc import Sequence

from harness import Axis, Block, Board, Curve, Figure, Plane, Run, Section
from harness.study.trained.boards.overall import OverallRow, overall_rows, overall_table


def render(run: Run, board: Board) -> Block:
    table = overall_table(board)
    rows = [row for row in overall_rows(board) if row.profile]
    return Block(tables=(table,) if table else (), figures=(_figure(board, rows),) if rows else ())


def _figure(board: Board, rows: Sequence[OverallRow]) -> Figure:
    """Draws the performance profile of each row (Agarwal et al. 2021)."""

    plane = Plane(
        title="Performance profiles over all boards",
        x=Axis(
            label=f"normalised score (0: chance, 1: mean of {board.reference} on a domain)",
            zero=(1.0, board.reference),
        ),
        y=Axis(label="share of trainings above it", better="higher", low=0.0, high=1.0),
        lines=tuple(
            Curve(
                series=one.row.label,
                points=tuple((point.threshold, point.share) for point in one.profile),
                band=tuple((point.threshold, point.low, point.high) for point in one.profile),
                is_step=True,
            )
            for one in rows
        ),
    )
    reached = {
        one.row.name: next(point.share for point in one.profile if point.threshold == 1) for one in rows
    }
    best = max(reached, key=lambda name: reached[name])
    alt = (
        "Performance profiles over all boards: the share of trainings on held-out domains whose normalised "
        "score is above each value, with pointwise 95 % bands of resampled trainings; higher is better. "
        f"Highest at the mean of {board.reference} is {best}, {100 * reached[best]:.0f} % of whose trainings "
        "are above it."
    )
    data = [
        {"method": one.row.method, "space": one.row.space, **point._asdict()}
        for one in rows
        for point in one.profile
    ]
    return Figure(name="overall-profiles", alt=alt, plots=(plane,), data=data)


SECTION = Section(
    title="All tasks together",
    order=20,
    summary="Mean rank, win rate and normalised scores over all boards, which share no unit.",
    render=render,
    studies=("trained",),
)
