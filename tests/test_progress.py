"""What runs now, on a terminal. Truth: the bytes that a pseudo-terminal was sent."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.progress import Clock
from harness.identity.schema import Schema
from harness.identity.unit import Spec, Unit, UnitKind
from harness.study.plan import Plan

BAR = """
import sys
from pathlib import Path
from harness.guard.inert import shield_streams
from harness.run.stored import write_record
from harness.study.plan import Plan
from harness.cli.progress import progress
from harness.identity.unit import Unit, UnitKind
from harness.study.work.units import Preparation, PrepareSpec
shield_streams()
kind = UnitKind(name="score", spec=PrepareSpec, result=Preparation, work="", seconds=1.0)
spec = PrepareSpec(task="\\x1b]0;evil\\x07", domain="a\\nb [red]c", archives=())
unit = Unit(kind=kind, spec=spec)
plan = Plan(name="p", suite=None, table={}, limit=None, units=(unit,))
run = Path(sys.argv[1])
write_record(run, unit, "failed", reason="no \x1b[2J such file.")
with progress(plan, 1, run) as on_event:
    on_event("started", unit, "")
    on_event("finished", unit, "failed")
"""


def test_a_live_bar_draws_and_shows_names_and_reasons_visibly(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-c", BAR, str(tmp_path)], stderr=theirs, timeout=120)
    os.close(theirs)
    drawn = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0, drawn
    assert "\x1b[?25l" in drawn, "rich hides the cursor"
    words = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).split())
    assert "failed: score · \\u001b]0;evil\\u0007 · a b [red]c: no \\u001b[2J such file." in words
    assert "\x1b]0" not in drawn


def test_a_unit_that_is_made_again_is_counted_again() -> None:
    kind: UnitKind[Spec, Schema] = UnitKind(name="score", spec=Spec, result=Schema, work="", seconds=60.0)
    unit = Unit(kind=kind, spec=Spec())
    clock = Clock(Plan(name="p", suite=None, table={}, limit=None, units=(unit,)), 1)  # type: ignore[arg-type]
    clock.note("reused", unit)
    assert clock.left["score"] == 0
    clock.note("started", unit)
    assert clock.text() == "about 60 s left"
    clock.note("finished", unit)
    assert clock.left["score"] == 0
