"""One ranking over vision and language."""

from collections.abc import Sequence

from harness import MARKERS, SOFT, Axes, Block, Board, Figure, Run, Section, draw, palette
from harness.study.trained.boards.overall import OverallRow, overall_rows, overall_table


def render(run: Run, board: Board) -> Block:
    table = overall_table(board)
    rows = [row for row in overall_rows(board) if row.profile]
    return Block(tables=(table,) if table else (), figures=(_figure(board, rows),) if rows else ())


def _figure(board: Board, rows: Sequence[OverallRow]) -> Figure:
    """Draws the performance profile of each row (Agarwal et al. 2021)."""

    def paint(axes: Sequence[Axes]) -> None:
        axis = axes[0]
        axis.axvline(1, color=SOFT, linewidth=1, linestyle=":")
        for index, (one, colour) in enumerate(zip(rows, palette(max(10, len(rows))), strict=False)):
            at, share, low, high = zip(*one.profile, strict=True)
            axis.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0, step="post")
            axis.plot(
                at,
                share,
                color=colour,
                linewidth=2,
                drawstyle="steps-post",
                marker=MARKERS[index % len(MARKERS)],
                markevery=(index % 8, 8),
                markersize=6,
                label=one.row.label,
            )
        axis.set_xlabel(f"normalised score (0: chance, 1: mean of {board.reference} on a domain)")
        axis.set_ylabel("share of trainings above it")
        axis.set_ylim(-0.02, 1.02)
        axis.set_title("Performance profiles over all boards")
        axis.grid(axis="y")
        axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=9)

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
    return draw(paint, name="overall-profiles", alt=alt, data=data, size=(9.0, 3.8))


SECTION = Section(
    title="All tasks together",
    order=35,
    summary="Mean rank, win rate and normalised scores over all boards, which share no unit.",
    render=render,
    studies=("trained",),
)
