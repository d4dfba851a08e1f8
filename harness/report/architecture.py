"""Architectures as strips of bricks, whatever the space: one brick for each item of its lists."""

from collections.abc import Mapping
from typing import Any

from harness.report.plot import Brick, Strip

MOST_BRICKS = 40


def strip(series: str, architecture: Mapping[str, Any], *, label: str = "", text: str = "") -> Strip:
    """Returns an architecture, given by its JSON form, as a strip.

    Lists of one length are read together: the first of words gives the kind of each brick, else the first of
    all; the first other one of numbers gives its height, as a share of the greatest of them.
    """
    lists = {name: list(value) for name, value in architecture.items() if isinstance(value, list | tuple)}
    length = max(map(len, lists.values()), default=0)
    lists = {name: values for name, values in lists.items() if len(values) == length}
    single = [
        f"{_words(name)} {value}"
        for name, value in architecture.items()
        if not isinstance(value, list | tuple)
    ]
    named = [name for name, values in lists.items() if any(isinstance(one, str) for one in values)]
    kind = next(iter(named or lists), "")
    sizes = next((values for name, values in lists.items() if name != kind and name not in named), [])
    top = max((abs(float(size)) for size in sizes), default=0.0)
    bricks = [
        Brick(
            kind=str(lists[kind][at]) if kind in named else f"{_words(kind)} {lists[kind][at]}",
            size=abs(float(sizes[at])) / top if top else 1.0,
            text=", ".join(f"{_words(name)} {values[at]}" for name, values in lists.items()),
        )
        for at in range(min(length, MOST_BRICKS))
    ]
    return Strip(
        series=series, label=label, bricks=tuple(bricks), text=", ".join(filter(None, [*single, text]))
    )


def _words(name: str) -> str:
    return name.replace("_", " ")
