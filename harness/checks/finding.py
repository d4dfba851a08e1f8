"""What a check found."""

from typing import NamedTuple


class Finding(NamedTuple):
    """A claim, whether it holds, and the numbers or what is wrong.

    `entry` is KIND NAME of the entry that it is about; empty for a machine or a run.
    """

    claim: str
    holds: bool
    detail: str
    entry: str = ""
