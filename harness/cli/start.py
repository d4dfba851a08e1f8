"""Where the command `harness` begins; an interrupt while it is imported ends it without a traceback."""


def main() -> None:
    try:
        from harness.cli.main import main as run
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    run()
