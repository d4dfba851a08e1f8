"""Runs harness commands in forks of one process that has the large packages already, each with fresh code.

Reads one JSON line per command: arguments, environment, folder (where it runs), paths (where `harness` and a
model are imported from), log (a file for what it prints), kill (after how many finished units it kills
itself; 0 for never) and, where there is one, patch (code that runs first). Answers with one JSON line: the
exit status and the units that ran. Units run in the fork itself, one after another.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any

import accelerate  # noqa: F401
import datasets  # noqa: F401
import pyarrow.parquet  # noqa: F401
import timm  # noqa: F401
import torch


class Inline:
    """A pool of this process alone."""

    def __init__(self, place: Any, perform: Any, *rest: Any, **more: Any) -> None:
        self.place = place
        self.perform = perform
        self.idle: list[Any] = [self]
        self.busy: list[Any] = []

    def submit(self, unit: Any, needs: Any) -> None:
        self.busy.append((unit, needs))
        self.idle.clear()

    def grow(self) -> None: ...

    def finished(self) -> list[Any]:
        unit, needs = self.busy.pop()
        status = self.perform(unit, needs, self.place)
        self.idle.append(self)
        return [(unit, status)]

    def stop(self) -> None: ...


def run(command: dict[str, Any], answer: int) -> int:
    os.environ.update(command["environment"])
    sys.path[:0] = command["paths"]
    os.chdir(command["folder"])
    log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    from harness.cli import main as cli
    from harness.cli.running import run as running
    from harness.workers import perform

    running.Local = Inline  # type: ignore[misc,assignment]
    real = perform.carry_out

    def counted(unit: Any, needs: Any, place: Any) -> str:
        status = real(unit, needs, place)
        done.append({"kind": unit.kind.name, "spec": unit.spec.to_json(), "hash": unit.hash})
        if len(done) == command["kill"]:
            os.kill(os.getpid(), signal.SIGKILL)
        return status

    done: list[dict[str, Any]] = []
    perform.carry_out = counted
    exec(command.get("patch", ""), {})  # from a script beside this one  # nosec B102
    sys.argv = ["harness", *command["arguments"]]
    status = 0
    try:
        cli.main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        status = 70
    sys.stdout.flush()
    sys.stderr.flush()
    with os.fdopen(answer, "w") as pipe:
        json.dump({"status": status, "ran": done}, pipe)
    return 0


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        command = json.loads(line)
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            os._exit(run(command, theirs))
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            text = pipe.read()
        _, ended = os.waitpid(child, 0)
        print(text or json.dumps({"status": -os.WTERMSIG(ended), "ran": []}), flush=True)


main()
