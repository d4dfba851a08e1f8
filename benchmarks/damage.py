"""Damages files of runs and of the data cache, one at a time, and tells what became of each.

After every damage a verb that reads the file, drawn at random, must refuse it by name in one sentence or do
its work again; `doctor` is at most one verb in five. A result that differs from that of the undamaged file,
or a traceback, is lost.

    python benchmarks/damage.py --count 320
"""

import argparse
import http.server
import json
import os
import random
import shutil
import subprocess  # this script runs the harness itself  # nosec B404
import sys
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from harness.run.stored import APART

ROOT = Path(__file__).parents[1]
SUITE = """\
extends = "toy"
baselines = ["tuned", "floor", "tuned:default"]
[[tasks]]
name = "toy_packed"
validation_samples = 20
test_samples = 30
"""
LOOKUP = """\
extends = "toy_lookup"
searchers = ["random_search", "collm_nas"]
reference = "random_search"
claim = "collm_nas"
[search]
evaluations = [4]
[llm]
base_url = "{url}"
model = "scripted"
"""
PACKED = '''\
"""Images from a package, so that there is an archive."""

import zipfile

from harness.task.task import Archive, Domain, Sample, Task; from harness.task.signature import Signature

ARCHIVE = Archive(registry="pypi", name="toy-packed", version="1", filename="{name}", sha256="{digest}")


def _domain(name):
    def read(archives):
        with zipfile.ZipFile(archives["toy-packed"]) as opened:
            for number in range(80):
                yield Sample(opened.read(f"{{name}}/{{number}}"), number % 4, f"group {{number % 20}}")

    about = {{"origin": "a package", "licence": "CC0", "groups": "number modulo 20"}}
    return Domain(name=name, read=read, archives=(ARCHIVE,), **about)


TASK = Task(
    summary="Noise from a package.",
    signature=Signature(kind="image", classes=4, channels=1, height=8, width=8),
    metric="accuracy",
    chance=0.25,
    domains=(_domain("near"), _domain("far")),
    sources=("near",),
    held_out=("far",),
)
'''
EVERY_STEP = """\
import os, signal
from harness.learn.checkpoint import Checkpoint
real, count = Checkpoint.offer, [0]
def offer(self, training, step):
    self.steps = 1
    real(self, training, step)
    count[0] += 1
    if count[0] == {0}:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.offer = offer
"""


class Kind(NamedTuple):
    """Files of one kind, and what reads them.

    Attributes:
        state: the folder of folders that they lie in.
        pattern: where they lie below it.
        verbs: names of what reads them.
        losing: units of these kinds lose their records first, so that the file is needed.
    """

    state: str
    pattern: str
    verbs: tuple[str, ...]
    losing: tuple[str, ...] = ()


READERS = ("eval", "report", "leaderboard", "compare", "rescore", "doctor")
KINDS = {
    "records": Kind("finished", "run/units/*/record.json", READERS),
    "plan": Kind("finished", "run/plan.json", READERS),
    "samples": Kind("finished", "run/units/score-*/samples.parquet", ("eval", "doctor")),
    "sums": Kind("finished", "run/units/score-*/sums.*.safetensors", (*READERS[:4], "doctor")),
    "timing and provenance": Kind(
        "finished", "run/units/*/[tp][ir]*.json", ("report", "leaderboard", "compare", "doctor")
    ),
    "weights": Kind("finished", "run/units/*/weights.safetensors", ("eval", "doctor")),
    "weights that a score reads": Kind("finished", "run/units/*/weights.safetensors", ("eval",), ("score",)),
    "floors": Kind("finished", "run/units/*/floor.npz", ("eval", "doctor"), ("score",)),
    "trials": Kind("finished", "run/units/tune-*/trials.jsonl", ("eval", "doctor")),
    "trials in progress": Kind(
        "finished", "run/units/tune-*/trials.jsonl", ("eval",), ("tune", "final", "score")
    ),
    "checkpoints": Kind("killed", "run/units/*/checkpoint*.safetensors", ("eval",)),
    "score cache": Kind("killed", "run/.scores/*.jsonl", ("eval",), ("search",)),
    "transcripts": Kind("looked up", "run/units/lookup-*/transcript.jsonl", ("eval", "replay", "doctor")),
    "transcripts in progress": Kind(
        "looked up", "run/units/lookup-*/transcript.jsonl", ("eval",), ("lookup",)
    ),
    "prepared arrays": Kind(
        "finished", "data/prepared/toy_packed/*/*", ("eval", "verify", "check", "doctor"), ("final", "score")
    ),
    "archives": Kind("unprepared", "data/archives/*", ("prepare", "eval")),
    "converted tables": Kind("looked up", "data/tables/*/*", ("again",)),
    "tables": Kind("looked up", "mine/tasks/toy_table.csv", ("eval",)),
}
DAMAGES = ("flip", "cut", "empty", "delete", "swap")


class Bench:
    """Undamaged states, the process that runs verbs on a copy of one, and what undamaged verbs print."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.work = folder / "work"
        command = [sys.executable, str(ROOT / "benchmarks" / "forked_harness.py")]
        self.process = subprocess.Popen(  # a file beside this one  # nosec B603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.right: dict[str, dict[str, bytes]] = {}
        self._states(url)

    def _states(self, url: str) -> None:
        self.work.mkdir(parents=True)
        mine = self.work / "mine"
        shutil.copytree(ROOT / "tests" / "toy", mine, ignore=shutil.ignore_patterns("__pycache__"))
        archive = self.work / "data" / "archives" / "toy_packed-1-py3-none-any.whl"
        archive.parent.mkdir(parents=True)
        draw = random.Random(0)
        with zipfile.ZipFile(archive, "w") as opened:
            for domain in ("near", "far"):
                for number in range(80):
                    opened.writestr(zipfile.ZipInfo(f"{domain}/{number}"), draw.randbytes(64))
        digest = sha256(archive.read_bytes()).hexdigest()
        (mine / "tasks" / "toy_packed.py").write_text(PACKED.format(name=archive.name, digest=digest))
        toy = (mine / "leaderboards" / "toy.toml").read_text().split("[[tasks]]", 1)[1].partition("\n[tasks.")
        (mine / "leaderboards" / "damaged.toml").write_text(SUITE + "[tasks." + toy[2])
        table = mine / "tasks" / "toy_table.toml"
        pinned = sha256((mine / "tasks" / "toy_table.csv").read_bytes()).hexdigest()
        table.write_text(f'sha256 = "{pinned}"\n{table.read_text()}')
        (mine / "leaderboards" / "looked_up.toml").write_text(LOOKUP.format(url=url))
        self._keep("unprepared", "damaged", lambda: None)
        self._keep("finished", "damaged", lambda: self._run("eval", "damaged"))
        shutil.rmtree(self.work / "run")
        self._keep("killed", "damaged", lambda: self._kill("damaged"))
        shutil.rmtree(self.work / "run")
        self._keep("looked up", "looked_up", lambda: self._run("eval", "looked_up"))
        self.right["killed"] = self.right["unprepared"] = self.right["finished"]

    def _keep(self, state: str, suite: str, make: Callable[[], object]) -> None:
        make()
        shutil.copytree(self.work, self.folder / state)
        self.right[state] = results(self.work / "run")
        (self.folder / state / "suite").write_text(suite)

    def _run(self, verb: str, suite: str) -> None:
        status, text, _ = self.harness(*words(verb, suite, self.work))
        if status != 0:
            raise SystemExit(f"{verb} of the undamaged {suite} ended with {status}: {text}")

    def _kill(self, suite: str) -> None:
        """Leaves a run that was killed twice: after its searches, and in a training with a checkpoint."""
        self.harness(*words("eval", suite, self.work), kill=30)
        self.harness(*words("eval", suite, self.work), patch=EVERY_STEP.format(3))

    def harness(self, *arguments: str, kill: int = 0, patch: str = "") -> tuple[int, str, int]:
        """Returns the exit status of a command, what it printed, and how many units it ran."""
        log = self.folder / "log"
        command = {
            "arguments": arguments,
            "environment": {
                "HARNESS_CATALOG": str(self.work / "mine"),
                "HARNESS_DATA": str(self.work / "data"),
                "HARNESS_CACHE_GIB": "0",
                "HARNESS_BENCHMARKS": str(self.work / "mine" / "tasks"),
            },
            "folder": str(self.work),
            "paths": [str(ROOT)],
            "log": str(log),
            "kill": kill,
            "patch": patch,
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["status"], log.read_text(errors="replace"), len(answer["ran"])

    def restore(self, state: str) -> str:
        """Brings a state back and returns the name of its suite."""
        shutil.rmtree(self.work)
        shutil.copytree(self.folder / state, self.work)
        return (self.work / "suite").read_text()


def words(verb: str, suite: str, work: Path) -> tuple[str, ...]:
    """Returns the command line of a verb."""
    run = str(work / "run")
    return {
        "eval": ("eval", suite, "--out", run, "--offline"),
        "again": ("eval", suite, "--out", str(work / "second"), "--offline"),
        "replay": ("eval", suite, "--out", str(work / "second"), "--replay", run, "--offline"),
        "report": ("report", run),
        "leaderboard": ("leaderboard", run, "--format", "md"),
        "compare": ("compare", run, "local_search@hybrid:micro", "tuned"),
        "rescore": ("rescore", run, "--metric", "accuracy"),
        "doctor": ("doctor", run),
        "verify": ("data", "verify", "toy_packed"),
        "check": ("check", "task", "toy_packed", "--offline"),
        "prepare": ("data", "prepare", "toy_packed", "--offline"),
    }[verb]


def results(run: Path) -> dict[str, bytes]:
    """Returns what a run leaves, without seconds, places and what was put aside."""
    files = sorted(run.rglob("*")) if run.is_dir() else []
    return {
        file.relative_to(run).as_posix(): file.read_bytes()
        for file in files
        if file.is_file() and file.name not in APART and ".superseded" not in file.parts
    }


def damage(draw: random.Random, how: str, file: Path, others: list[Path]) -> bool:
    """Damages a file and returns whether it is another one now."""
    before = file.read_bytes()
    if how == "delete":
        file.unlink()
        return True
    if how == "swap":
        different = [other for other in others if other.read_bytes() != before]
        if not different:
            return False
        other = draw.choice(different)
        mine, theirs = before, other.read_bytes()
        file.write_bytes(theirs)
        other.write_bytes(mine)
        return True
    data = bytearray(before)
    if how == "flip" and data:
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif how == "cut":
        del data[draw.randrange(max(1, len(data))) :]
    elif how == "empty":
        data.clear()
    file.write_bytes(data)
    return bytes(data) != before


def judged(bench: Bench, kind: Kind, verb: str, suite: str) -> tuple[str, str]:
    """Runs a verb on what was damaged and returns what became of it, and what it printed."""
    status, text, _ = bench.harness(*words(verb, suite, bench.work))
    if "Traceback" in text or status not in (0, 1, 2):
        return "lost", text
    if verb in ("eval", "again", "replay"):
        run = bench.work / ("run" if verb == "eval" else "second")
        if status == 0:
            same = results(run) == bench.right[kind.state]
            return ("redone" if same else "lost"), f"other bytes; {text[-2000:]}"
        return ("refused" if "harness: " in text or "failed" in text else "lost"), text
    return ("refused" if status in (1, 2) else "lost"), text


def lose(work: Path, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        for record in (work / "run" / "units").glob(f"{kind}-*/record.json"):
            record.unlink()


@contextmanager
def answering() -> Iterator[str]:
    """Serves a language model that proposes what its prompt alone decides, and gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"data": []})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen = sha256(json.dumps(body["messages"]).encode()).digest()
            digits = [{"digits": [byte % 4 for byte in seen[at : at + 3]]} for at in range(0, 30, 3)]
            text = json.dumps({"architectures": digits})
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
            self._send(
                {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}
            )

        def _send(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=320, help="damages")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=list(KINDS), help="damage files of one kind alone")
    parser.add_argument("--verbose", action="store_true", help="print what each verb said")
    chosen = parser.parse_args()
    draw = random.Random(chosen.seed)
    tally: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
    doctors = 0
    names = [chosen.kind] if chosen.kind else list(KINDS)
    with answering() as url, tempfile.TemporaryDirectory() as folder:
        os.environ.pop("HARNESS_LLM_BASE_URL", None)
        bench = Bench(Path(folder), url)
        done = 0
        while done < chosen.count:
            name = names[done % len(names)]
            kind = KINDS[name]
            suite = bench.restore(kind.state)
            files = sorted(file for file in bench.work.glob(kind.pattern) if file.is_file())
            if not files:
                raise SystemExit(f"There are no {name} ({kind.pattern}).")
            file, how = draw.choice(files), DAMAGES[done // len(names) % len(DAMAGES)]
            lose(bench.work, kind.losing)
            others = [other for other in files if other.name == file.name and other != file]
            done += 1
            if not damage(draw, how, file, others) and not damage(draw, "flip", file, others):
                raise SystemExit(f"{file} cannot be damaged.")
            verbs = [verb for verb in kind.verbs if verb != "doctor" or 5 * doctors < done]
            if how == "delete" and name in ("records", "timing and provenance"):
                # Others say that it did not run, print a dash, or mark its row as of an unknown machine.
                verbs = ["eval"] if name == "records" else ["doctor"]
            verb = draw.choice(verbs)
            doctors += verb == "doctor"
            became, text = judged(bench, kind, verb, suite)
            tally[name][became] += 1
            if became == "lost" or chosen.verbose:
                print(
                    f"{became}: {how} of {file.relative_to(bench.work)}, then {verb}: {text[-3000:]}",
                    flush=True,
                )
        bench.process.kill()
    print(f"{'damaged':28}{'tried':>6}{'refused':>9}{'redone':>8}{'lost':>6}")
    for name in names:
        one = tally[name]
        print(f"{name:28}{one.total():6}{one['refused']:9}{one['redone']:8}{one['lost']:6}")
    every = sum(tally.values(), Counter())
    print(f"{'all':28}{every.total():6}{every['refused']:9}{every['redone']:8}{every['lost']:6}")
    print(f"doctor was asked {doctors} times.")
    raise SystemExit(1 if every["lost"] else 0)


if __name__ == "__main__":
    main()
