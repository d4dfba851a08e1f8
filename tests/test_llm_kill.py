"""A search killed at any point goes on. Truth: what the server was asked, and a search that nobody killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import llm_server
import pytest
import spaces

VICTIM = Path(__file__).parent / "llm_victim.py"
ROOT = Path(__file__).parents[1]
LAST = 12
"""Requests of a whole search: six iterations of a Navigator and a Generator."""


@dataclass
class Assassin:
    """Kills the client at its `number`-th request: before the reply, or `delay` seconds after it."""

    policy: Any
    process: subprocess.Popen[bytes] | None = None
    number: int = 0
    delay: float | None = None
    asked: list[list[str]] = field(default_factory=lambda: [[]])

    def __call__(self, number: int, request: dict[str, Any]) -> Any:
        self.asked[-1].append(json.dumps(request["messages"]))
        if self.delay is None and len(self.asked[-1]) == self.number:
            self.kill()
        return self.policy(number, request)

    def sent(self, number: int) -> None:
        if self.delay is not None and len(self.asked[-1]) == self.number:
            time.sleep(self.delay)
            self.kill()

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()


def run(assassin: Assassin, url: str, folder: Path, number: int, delay: float | None) -> int:
    """Returns the exit status of a search that is killed at `number`; 0 for never."""
    assassin.number, assassin.delay = number, delay
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assassin.process = subprocess.Popen(
        [sys.executable, str(VICTIM), url, str(folder)], env=environment, stderr=subprocess.PIPE
    )
    _, errors = assassin.process.communicate(timeout=60)
    assert assassin.process.returncode in (0, -signal.SIGKILL), errors.decode()
    return assassin.process.returncode


def kept(folder: Path) -> set[str]:
    """Returns the conversations whose replies the transcript holds, whole lines only."""
    path = folder / "transcript.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {json.dumps(json.loads(line)["request"]["messages"]) for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize("kills", [pytest.param(4, marks=pytest.mark.ci), 20])
def test_a_killed_search_asks_nothing_twice_and_ends_the_same(tmp_path: Path, kills: int) -> None:
    draw = random.Random(kills)
    policy = llm_server.Improver(spaces.named("nasbench201:cifar100"))
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    for place in (whole, torn):
        place.mkdir()
    undisturbed = Assassin(policy)
    with llm_server.served(undisturbed) as (url, _, _):
        assert run(undisturbed, url, whole, 0, None) == 0
    assassin = Assassin(policy)
    deaths = 0
    with llm_server.served(assassin, sent=assassin.sent) as (url, _, _):
        while deaths < kills:
            known = kept(torn)
            left = max(1, (LAST - len(known)) // (kills - deaths))
            delay = draw.choice([None, None, 0.0, draw.uniform(0, 0.004)])
            assassin.asked.append([])
            status = run(assassin, url, torn, draw.randint(1, min(left, 3)), delay)
            assert not known & set(assassin.asked[-1])
            if status == 0:
                break
            deaths += 1
        assassin.asked.append([])
        assert run(assassin, url, torn, 0, None) == 0
    assert deaths == kills
    requests = sum(map(len, assassin.asked))
    assert requests <= len(undisturbed.asked[-1]) + deaths
    for name in ("record.json", "transcript.jsonl"):
        assert (torn / name).read_bytes() == (whole / name).read_bytes()
