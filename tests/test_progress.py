"""What runs now, on a terminal. Truth: the bytes that a pseudo-terminal was sent."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from working import planned

from harness.cli import progress
from harness.cli.progress import Clock
from harness.identity.schema import Schema
from harness.identity.unit import Spec, Unit, UnitKind
from harness.study.pace import Paced
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
with progress(plan, 1, run, run) as on_event:
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
    clock = Clock(Plan(name="p", suite=None, table={}, limit=None, units=(unit,)), 1, Path())  # type: ignore[arg-type]
    clock.note("reused", unit)
    assert not clock.left
    clock.note("started", unit)
    assert clock.text() == "about 60 s left"
    clock.note("finished", unit)
    assert not clock.left
    assert clock.text() == "about 0 s left"


def test_the_time_left_is_that_of_the_dry_run_by_what_units_took(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned("toy_quality")
    now = iter((0.0, 30.0))
    monkeypatch.setattr(progress, "perf_counter", lambda: next(now))
    clock = Clock(plan, 2, Path())
    scratch = [unit for unit in plan.units if unit.kind.name == "scratch"]
    clock.note("started", scratch[0])
    paced = Paced(plan.units, data=Path(), is_measuring=False)
    seconds = {unit.hash: paced.seconds(unit) for unit in plan.units}
    assert clock.left_seconds() == pytest.approx(sum(seconds.values()) / 2)
    clock.note("finished", scratch[0])
    slower = 30 / seconds[scratch[0].hash]
    rest = sum(
        seconds[unit.hash] * (slower if unit in scratch else 1)
        for unit in plan.units
        if unit is not scratch[0]
    )
    assert clock.left_seconds() == pytest.approx(rest / 2)
