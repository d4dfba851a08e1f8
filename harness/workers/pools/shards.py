"""Shares of a plan: which of several processes does which units, as all of them know without a word."""

import re
from collections.abc import Collection, Iterable

from harness.errors import HarnessError
from harness.identity.unit import AnyUnit


def shard(text: str) -> tuple[int, int]:
    """Returns I and N of the text I/N, as one of N shares is called.

    Raises:
        HarnessError: it is none.
    """
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise HarnessError(f"--shard {text!r} is no share; give I/N with 1 <= I <= N, such as 1/8.")
    return index, count


def shares(units: Iterable[AnyUnit], count: int) -> dict[str, int]:
    """Returns plan key -> share, from 1 to `count`, of units, needs before what needs them.

    The plan key decides. What trains no network goes with the first of its needs that has a share, so that
    little waits for others; what needs nothing and trains nothing has none, and is everyone's.
    """
    found: dict[str, int] = {}
    for unit in units:
        needed = next((found[need] for need in unit.needs if need in found), None)
        if needed is not None and not unit.kind.trains:
            found[unit.hash] = needed
        elif unit.needs or unit.kind.trains:
            found[unit.hash] = int(unit.hash, 16) % count + 1
    return found


def left_out(units: Collection[AnyUnit], text: str) -> frozenset[str]:
    """Returns the plan keys of the units that are none of the share I/N.

    Raises:
        HarnessError: the text is no share.
    """
    index, count = shard(text)
    return frozenset(key for key, one in shares(units, count).items() if one != index)
