"""Named random streams of one root seed, so that no draw depends on the order of other draws."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def stream(root: int, *names: str | int) -> int:
    """Returns the seed in [0, 2**63) of the stream `names` under `root`."""
    text = "/".join([str(root), *(str(name) for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(root: int, *names: str | int) -> "np.random.Generator":
    """Returns a numpy generator over the stream `names` under `root`."""
    import numpy as np

    return np.random.default_rng(stream(root, *names))
