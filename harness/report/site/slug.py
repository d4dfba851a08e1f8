"""File names of pages: one for each name, whatever it holds, and none that leaves its folder."""

import re
from typing import Final

from harness.files import content_hash

PLAIN: Final = re.compile(r"[a-z0-9]+(?:[-_:][a-z0-9]+)*")
"""Names that are their own file name, a colon written as a dot."""
LONGEST: Final = 80
STEM: Final = re.compile(r"[a-z0-9]+(?:[-_.]+[a-z0-9]+)*")
"""What `slug` gives, and what the name of a result file must be."""


def slug(name: str) -> str:
    """Returns the file name of a name, without its ending.

    Two names never share one, also where case does not count: all but plain ones end with two dashes and a
    hash, and no plain one has two dashes.
    """
    if len(name) <= LONGEST and PLAIN.fullmatch(name):
        return name.replace(":", ".")
    words = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    return f"{words or 'x'}--{content_hash(name)}"


def is_stem(name: str) -> bool:
    """Returns whether a result file may be called so."""
    return len(name) <= LONGEST and STEM.fullmatch(name) is not None
