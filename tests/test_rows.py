"""A row that fails alike twice is given up. Truth: which of some made-up units a run tried."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.data.view import DataPlace
from harness.errors import HarnessError
from harness.identity.schema import Schema
from harness.identity.unit import Spec, Unit, UnitKind
from harness.run.place import Done, Needs, Place
from harness.run.stored import unit_record
from harness.study.plan import Plan, planned
from harness.study.settings import Settings
from harness.workers.execute import Outcome, execute
from harness.workers.perform import carry_out
from harness.workers.pools.together import Together

Fault = Callable[["Try"], str]
tried: list["Try"] = []
faults: dict[str, Fault] = {}
"""Method -> what its units fail with; empty for those that do not."""


@dataclass(frozen=True, kw_only=True)
class Try(Spec):
    """One unit of a row; one without a method is of none."""

    method: str = ""
    seed: int = 0
    domain: str = ""


@dataclass(frozen=True, kw_only=True)
class Nothing(Schema):
    """No result."""


def work(unit: Unit[Try, Nothing], needs: Needs, folder: Path) -> Done:
    tried.append(unit.spec)
    fault = faults.get(unit.spec.method)
    if words := fault(unit.spec) if fault else "":
        raise HarnessError(words)
    return Done(result=Nothing())


KIND, LATER = (
    UnitKind(name=name, spec=Try, result=Nothing, work="test_rows:work", seconds=1.0)
    for name in ("try", "later")
)


class Alone(Together):
    """A pool of this process alone."""

    def stop(self) -> None:
        """There is nobody to let go."""


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "test_rows", sys.modules[__name__])  # and no second copy of it
    tried.clear()
    faults.clear()


def row(method: str, domain: str = "", seeds: int = 5) -> list[Unit[Any, Any]]:
    return [planned(KIND, Try(method=method, domain=domain, seed=seed)) for seed in range(seeds)]


def ran(folder: Path, units: list[Unit[Any, Any]]) -> tuple[Outcome, list[str]]:
    """Runs the units one after another in this process, and returns what was told."""
    suite = Settings(title="t", study="toy")
    plan = Plan(name="toy", suite=suite, table={}, limit=None, units=tuple(units))
    folder.mkdir(exist_ok=True)
    lines: list[str] = []
    place = Place(run=folder, data=DataPlace(folder=folder))
    done = execute(
        plan, place, lambda waiting: Alone(place, carry_out), on_event=lambda *words: None, tell=lines.append
    )
    return done, lines


def seeds_of(method: str, domain: str = "") -> list[int]:
    return [one.seed for one in tried if (one.method, one.domain) == (method, domain)]


def test_two_failures_alike_end_a_row_with_what_needs_it_and_the_same_command_tries_again(
    tmp_path: Path,
) -> None:
    faults["bad"] = lambda spec: f"Step {spec.seed + 10} broke (see try-{spec.seed}a/traceback.txt)."
    bad = row("bad")
    needing = planned(LATER, Try(method="bad"), needs=(bad[-1].hash,))
    outcome, lines = ran(tmp_path / "run", [*bad, *row("good"), needing])
    assert seeds_of("bad") == [0, 1]
    assert seeds_of("good") == [0, 1, 2, 3, 4]
    assert outcome == Outcome(reused=0, failed=2, skipped=4)
    why = "2 units of this row failed alike: Step 11 broke (see try-1a/traceback.txt)."
    assert {unit_record(tmp_path / "run", unit).reason for unit in (*bad[2:], needing)} == {why}
    assert lines == [f"try · bad · seed 1: {why} The rest of its row is skipped."]
    tried.clear()
    faults.clear()
    assert ran(tmp_path / "run", [*bad, *row("good"), needing])[0] == Outcome(reused=5, failed=0, skipped=0)
    assert seeds_of("good") == []


@pytest.mark.parametrize(
    "fault",
    [
        lambda spec: "once" if spec.seed == 1 else "",
        lambda spec: {1: "one reason", 3: "another reason"}.get(spec.seed, ""),
    ],
    ids=["one failure", "two that differ"],
)
def test_what_does_not_fail_alike_twice_goes_on(tmp_path: Path, fault: Fault) -> None:
    faults["odd"] = fault
    _, lines = ran(tmp_path / "run", row("odd"))
    assert seeds_of("odd") == [0, 1, 2, 3, 4]
    assert lines == []


def test_other_rows_and_units_of_no_row_are_not_ended(tmp_path: Path) -> None:
    faults.update({"bad": lambda spec: "broken", "worse": lambda spec: "broken", "": lambda spec: "broken"})
    ran(tmp_path / "run", [*row("bad", seeds=1), *row("worse", seeds=1), *row("good"), *row("")])
    assert seeds_of("good") == seeds_of("") == [0, 1, 2, 3, 4]


def test_a_domain_that_fails_ends_itself_and_a_second_one_the_row(tmp_path: Path) -> None:
    faults["bad"] = lambda spec: "The server is gone." if spec.domain != "c" else ""
    units = [unit for domain in "abcd" for unit in row("bad", domain)]
    ran(tmp_path / "run", [*units[:5], *units[10:15], *units[5:10], *units[15:]])
    assert seeds_of("bad", "a") == [0, 1], "the domain is given up"
    assert seeds_of("bad", "c") == [0, 1, 2, 3, 4], "another is not"
    assert seeds_of("bad", "b") == [0], "alike on a second domain"
    assert seeds_of("bad", "d") == []
