"""SIGTERM ends a command as an interrupt does: what it started is ended, what it has finished is kept."""

import os
import signal
import sys
import threading
from types import FrameType

GRACE_SECONDS = 20.0
"""When a command that has not ended by then is left as it is; a package may swallow the interrupt."""

AGAIN_SECONDS = 0.05


class Termination:
    """Which signal told this process to end."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_lost = False

    def heed(self) -> None:
        """Lets SIGTERM raise KeyboardInterrupt from now on, and lets no interrupt be lost."""
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._come)
        sys.unraisablehook = self._lose

    def status(self, otherwise: "str | int | None") -> "str | int | None":
        """Returns the exit status of a command that would end with `otherwise`."""
        return 128 + signal.SIGTERM if self.number == signal.SIGTERM else otherwise

    def _come(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number = number
            leaving = threading.Timer(GRACE_SECONDS, _leave, [128 + number])
            leaving.daemon = True
            leaving.start()
        elif number == signal.SIGTERM and not self._is_lost:
            return  # it ends already
        self._is_lost = False
        raise KeyboardInterrupt

    def _lose(self, raised: "sys.UnraisableHookArgs") -> None:
        """Raises an interrupt again that came where nothing can be raised, such as in a finaliser."""
        if self.number is None or not issubclass(raised.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(raised)
            return
        self._is_lost = True
        words = (threading.main_thread().ident, self.number)
        again = threading.Timer(AGAIN_SECONDS, signal.pthread_kill, words)  # once this has returned
        again.daemon = True
        again.start()


def _leave(status: int) -> None:
    from harness.workers.watch import end_children  # psutil is slow to import

    end_children()
    sys.stderr.flush()
    os._exit(status)
