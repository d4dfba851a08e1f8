"""The board of a run of any kind, and its verdict."""

from harness.board.build import build_trained_board
from harness.board.lookup import LookupBoard, build_lookup_board
from harness.board.lookup_tables import lookup_verdict
from harness.board.quality import QualityBoard, build_quality_board, quality_verdict
from harness.board.rows import Board
from harness.board.run import Run
from harness.board.verdict import trained_verdict

AnyBoard = Board | LookupBoard | QualityBoard


def build_board(run: Run) -> AnyBoard:
    """Returns the board of `run`, complete or not.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
    if "table" in run.suite:
        return build_lookup_board(run)
    return build_quality_board(run) if "strategies" in run.suite else build_trained_board(run)


def verdict(board: AnyBoard) -> str:
    """Returns what the run says of the claim that its suite fixed in advance."""
    if isinstance(board, LookupBoard):
        return lookup_verdict(board)
    return quality_verdict(board) if isinstance(board, QualityBoard) else trained_verdict(board)
