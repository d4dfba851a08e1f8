"""Where the command `harness` begins; an interrupt while it is imported ends it without a traceback."""

from harness.guard.threads import one_thread


def main() -> None:
    one_thread()
    try:
        from harness.cli.main import main as run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()
