"""Processes that end with the one that started them, also when that one is killed (on Linux).

This file is also the program that `tied` runs, and so imports nothing of the package.
"""

import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tie_to_parent(parent: int) -> None:
    """Lets the kernel kill this process when `parent`, which started it, ends; exits when it has."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def tied(command: Sequence[str]) -> list[str]:
    """Returns the command line of a program that ends with this process."""
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


if __name__ == "__main__":
    tie_to_parent(int(sys.argv[1]))
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # no shell; what `tied` was given  # nosec B606
    except OSError as error:
        sys.exit(f"{sys.argv[2]}: {error.strerror}")
