"""The board of a run of either kind, and its verdict."""

from harness.board.build import build_trained_board
from harness.board.lookup import LookupBoard, build_lookup_board
from harness.board.lookup_tables import lookup_verdict
from harness.board.rows import Board
from harness.board.run import Run
from harness.board.verdict import trained_verdict

AnyBoard = Board | LookupBoard


def build_board(run: Run) -> AnyBoard:
    """Returns the board of `run`, complete or not.

    Raises:
        HarnessError: the scores of a finished unit are gone or damaged.
    """
    return build_lookup_board(run) if "table" in run.suite else build_trained_board(run)


def verdict(board: AnyBoard) -> str:
    """Returns what the run says of the claim that its suite fixed in advance."""
    return lookup_verdict(board) if isinstance(board, LookupBoard) else trained_verdict(board)
