"""`harness eval` as a function, for notebooks and scripts.

The command runs in a process of its own, so that it does the same wherever it is called from: threads, keys
and signals are the command's, and a script needs no guard against being imported by its workers.
"""

import json
import signal
import subprocess  # this package's own command  # nosec B404
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.guard.tied import tied
from harness.results.frames import RunResults, load_run


def evaluate(
    suite: str | Path,
    *,
    out: str | Path | None = None,
    workers: int = 2,
    device: str = "cpu",
    limit: int | None = None,
    whole: bool = False,
    model: str | Sequence[str] = (),
    set: Mapping[str, Any] | str | Sequence[str] = (),
    seeds: int | None = None,
    replay: str | Path | None = None,
    offline: bool = False,
    fresh: bool = False,
    keep_stale: bool = False,
    strict: bool = False,
    trust: bool = False,
    shared: bool = False,
    executor: str = "local",
    address: str = "",
    shard: str = "",
    mirror: str = "",
    origin: str | Path | None = None,
) -> RunResults:
    """Runs a suite, or continues it, as `harness eval` with the options of the same names does.

    Progress goes to the standard error stream. Units that fail are told there and in the results' `units()`.

    Args:
        suite: a name from `harness list suites`, or a TOML file.
        out: run folder; runs/SUITE by default.
        workers: processes, one torch thread each.
        device: cpu or cuda.
        limit: samples of each split, stratified, and few steps; None for all.
        whole: score held-out domains without a cap.
        model: PATH.py:FUNCTION, or a baseline, that joins as a fixed row; or several.
        set: keys of the suite with their values, such as {"search.evaluations": 32}, or texts KEY=VALUE.
        seeds: how many, in place of those of the suite.
        replay: run whose transcripts answer for the language model.
        offline: contact nothing beyond this machine.
        fresh: delete the run folder's results first.
        keep_stale: keep what was made before code or data changed, marked †.
        strict: make again what was made on another kind of machine.
        trust: run code of lm-eval's YAML tasks.
        shared: share the run folder with others that run the same command.
        executor: local, or ray, which an extra installs.
        address: Ray cluster to join, HOST:PORT; by default one of this machine.
        shard: I/N, the share of the units that is done here alone.
        mirror: address where finished units are kept, too, such as s3://bucket/run.
        origin: run folder whose finished units are taken first, `--from` of the command.

    Returns:
        The results, as `load_run` returns them.

    Raises:
        HarnessError: the suite or an option is wrong, or the command ended before it had a board.
    """
    changes = _changes(set) if isinstance(set, Mapping) else _listed(set)
    name = str(suite).rpartition("/")[2].removesuffix(".toml")
    folder = Path(out) if out is not None else Path("runs") / name
    named = {"--out": folder, "--workers": workers, "--device": device, "--limit": limit}
    named |= {"--seeds": seeds, "--replay": replay, "--executor": executor, "--address": address or None}
    switches = {
        "--whole": whole,
        "--offline": offline,
        "--fresh": fresh,
        "--keep-stale": keep_stale,
        "--strict": strict,
        "--trust": trust,
        "--shared": shared,
    }
    named |= {"--shard": shard or None, "--mirror": mirror or None, "--from": origin}
    words = [f"{name}={value}" for name, value in named.items() if value is not None]
    words += [name for name, is_on in switches.items() if is_on]
    words += [f"--model={one}" for one in _listed(model)] + [f"--set={one}" for one in changes]
    last = _run(["eval", *words, "--", str(suite)])
    if last is not None:
        raise HarnessError(last)
    return load_run(folder)


def _run(words: Sequence[str]) -> str | None:
    """Runs the command with its standard error shown here; returns why it made no board, None where it did.

    Raises:
        KeyboardInterrupt: after the command was interrupted, too, and has ended.
    """
    # No shell; the words are options of our own command.
    with subprocess.Popen(  # nosec B603
        tied([sys.executable, "-m", "harness", *words]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # so that an interrupt comes once, from here
    ) as process:
        told: list[str] = []
        try:
            for line in process.stderr or ():
                sys.stderr.write(line)
                told.append(line)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
    if process.returncode in (0, 1):
        return None
    lines = [line.strip() for line in told if line.strip()]
    return lines[-1].removeprefix("harness: ") if lines else f"harness eval ended with {process.returncode}."


def _listed(texts: str | Sequence[str]) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts


def _changes(values: Mapping[str, Any], of: str = "") -> Iterator[str]:
    """Yields KEY=VALUE of every value, those of tables by dotted keys, as JSON, which TOML reads."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _changes(value, f"{of}{key}.")
        else:
            yield f"{of}{key}={json.dumps(value, ensure_ascii=False)}"
