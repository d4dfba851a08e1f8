"""What a check found."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One claim and whether it holds.

    Attributes:
        claim: what should be so.
        holds: whether it is.
        detail: the numbers, or what is wrong.
        entry: KIND NAME of the catalog entry that it is about; empty for a machine or a run.
    """

    claim: str
    holds: bool
    detail: str
    entry: str = ""
