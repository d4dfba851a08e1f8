"""Where the command `harness` begins; an interrupt while it is imported ends it without a traceback."""

import gc

from harness.guard.threads import one_thread

YOUNG = 10_000
"""Objects between two looks for cycles; Python's 700 take a sixth of the time of a board of many records."""


def main() -> None:
    one_thread()
    gc.set_threshold(YOUNG, 10, 100)
    try:
        from harness.cli.main import main as run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()
