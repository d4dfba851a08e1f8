"""Runs the command line: in this process, or in one of its own where that is the point."""

import os
import signal
import subprocess
import sys
import textwrap
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from harness.cli.start import main
from harness.run.stored import APART

COMMAND = [sys.executable, "-c", "from harness.cli.start import main; main()"]


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def harness(*words: object, **settings: str) -> Ended:
    """Runs a verb in this process, with more variables of the environment."""
    out, errors, status = StringIO(), StringIO(), 0
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    hook = sys.unraisablehook
    with (
        mock.patch.dict(os.environ, settings),
        mock.patch.object(sys, "argv", ["harness", *map(str, words)]),
        redirect_stdout(out),
        redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as ending:
            status = int(ending.code or 0)
        finally:
            sys.unraisablehook = hook
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Ended(status, out.getvalue(), errors.getvalue())


def apart(*words: object, cwd: Path | None = None, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Runs a verb in a process of its own."""
    return subprocess.run(
        [*COMMAND, *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | settings,
        cwd=cwd,
        timeout=300,
    )


def python(code: str, *words: object, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Runs a script in an interpreter of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, words)],
        capture_output=True,
        text=True,
        env=os.environ | settings,
        timeout=300,
    )


def result_bytes(run: Path) -> dict[str, bytes]:
    """Returns all that must not depend on how a run went; not seconds, machines and what was put aside."""
    return {
        file.relative_to(run).as_posix(): file.read_bytes()
        for file in sorted(run.rglob("*"))
        if file.is_file() and file.name not in APART and ".superseded" not in file.relative_to(run).parts
    }
