"""SIGTERM ends a command as an interrupt does: what it started is ended, what it has finished is kept."""

import os
import signal
import sys
import threading
from types import FrameType

STATUS = 128 + signal.SIGTERM
GRACE_SECONDS = 10.0
"""When a command that has not ended by then is left as it is; a package may swallow the interrupt."""


class Termination:
    """Whether this process was told to end."""

    def __init__(self) -> None:
        self.has_come = False

    def heed(self) -> None:
        """Lets SIGTERM raise KeyboardInterrupt from now on."""
        signal.signal(signal.SIGTERM, self._come)

    def status(self, otherwise: "str | int | None") -> "str | int | None":
        """Returns the exit status of a command that would end with `otherwise`."""
        return STATUS if self.has_come else otherwise

    def _come(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.has_come = True
        leaving = threading.Timer(GRACE_SECONDS, _leave)
        leaving.daemon = True
        leaving.start()
        raise KeyboardInterrupt


def _leave() -> None:
    from harness.workers.watch import end_children  # psutil is slow to import

    end_children()
    sys.stderr.flush()
    os._exit(STATUS)
