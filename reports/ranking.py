"""How well scores of shared weights order architectures, beside training them alone."""

import numpy as np

from harness import Axis, Block, Figure, Plane, Point, RankingBoard, Run, Section
from harness.study.ranking.board import ALONE, SpaceRanking, ranking_tables


def render(run: Run, board: RankingBoard) -> Block:
    figures = [
        _figure(board, space, f"ranking-{index}")
        for index, space in enumerate(board.spaces)
        if ALONE in space.scores and len(space.scores) > 1
    ]
    return Block(figures=tuple(figures), tables=tuple(ranking_tables(board)))


def _figure(board: RankingBoard, space: SpaceRanking, figure: str) -> Figure:
    names = [row.name for row in space.rows if row.name in space.scores and row.name != ALONE]
    truth = np.mean(space.scores[ALONE], axis=0)
    means = {name: np.mean(space.scores[name], axis=0) for name in names}

    planes = tuple(
        Plane(
            title=name,
            x=Axis(label="trained alone", better="higher"),
            y=Axis(label="inherited", better="higher"),
            points=tuple(
                Point(series=name, x=float(alone), y=float(value), is_small=True)
                for alone, value in zip(truth, means[name], strict=True)
            ),
        )
        for name in names
    )
    best = space.rows[0]
    tau = f"{best.tau.value:.2f}" if best.tau else "unknown"
    alt = (
        f"{board.task}, {space.space}: score of each architecture as a slice against its score when trained "
        f"alone, means over seeds, higher is better. {best.name} has the highest rank correlation, {tau}."
    )
    data = [
        {"strategy": name, "architecture": index, "alone": float(truth[index]), "inherited": float(value)}
        for name in names
        for index, value in enumerate(means[name])
    ]
    return Figure(name=figure, alt=alt, plots=planes, data=data)


SECTION = Section(
    title="Rank quality",
    order=30,
    summary="What a search sees of an architecture, against what the architecture is worth.",
    render=render,
    studies=("ranking",),
)
