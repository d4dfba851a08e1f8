"""What of a run folder is believed. Truth: small graphs whose results are known here."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.files import SCHEMA, read_sealed, sealed
from harness.identity.schema import Schema
from harness.identity.unit import Spec, Unit, UnitKind, unit_folder
from harness.run.kept import SUPERSEDED
from harness.run.order import Order
from harness.run.record import Record
from harness.run.standing import Belief, Standing
from harness.run.stored import inputs_of, unit_record, write_record


@dataclass(frozen=True, kw_only=True)
class Of(Spec):
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Value(Schema):
    value: int


PREPARE, FINAL, SCORE, OTHER = (
    UnitKind(name=name, spec=Of, result=Value, work="", seconds=1.0)
    for name in ("prepare", "final", "score", "other")
)


def chain(code: Mapping[str, str], *, of: str = "a") -> list[Unit[Of, Value]]:
    """Returns data, a training on it and a score of that, whose code is given by kind."""
    data = Unit(kind=PREPARE, spec=Of(of=of), code={"task": code.get("prepare", "1")})
    final = Unit(kind=FINAL, spec=Of(of=of), needs=(data.hash,), code={"engine": code.get("final", "1")})
    needs = (final.hash, data.hash)
    score = Unit(kind=SCORE, spec=Of(of=of), needs=needs, code={"engine": code.get("score", "1")})
    return [data, final, score]


def run(folder: Path, units: list[Unit], results: Mapping[str, Any] | None = None, **more: Any) -> list[str]:
    """Does what does not stand, and returns the kinds of what ran."""
    state = Standing(folder, units, **more)
    ran = []
    for _ in range(100):
        state.settle()
        unit = state.ready()
        if unit is None and not state.waiting:
            break
        if unit is None:
            continue
        place = unit_folder(folder, unit)
        place.mkdir(parents=True, exist_ok=True)
        (place / "artifact").write_text(str((results or {}).get(unit.kind.name, unit.kind.name)))
        write_record(
            folder,
            unit,
            "ok",
            result=Value(value=(results or {}).get(unit.kind.name, 0)),
            inputs=inputs_of(folder, unit, [state.units[need] for need in unit.needs]),
        )
        state.finished(unit, "ok")
        ran.append(unit.kind.name)
    assert not state.waiting
    state.tidy()
    return ran


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "units").rglob("*"))
        if path.is_file()
    }


def test_what_is_finished_does_not_run_again(tmp_path: Path) -> None:
    assert run(tmp_path, chain({})) == ["prepare", "final", "score"]
    assert run(tmp_path, chain({})) == []


@pytest.mark.parametrize(
    ("code", "results", "expected"),
    [
        ({"prepare": "2"}, {}, ["prepare"]),
        ({"prepare": "2"}, {"prepare": 5}, ["prepare", "final", "score"]),
        ({"final": "2"}, {}, ["final"]),
        ({"final": "2"}, {"final": 5}, ["final", "score"]),
        ({"score": "2"}, {}, ["score"]),
    ],
)
def test_a_need_that_comes_out_the_same_makes_nothing_else_stale(
    tmp_path: Path, code: dict[str, str], results: dict[str, int], expected: list[str]
) -> None:
    run(tmp_path / "a", chain({}))
    assert run(tmp_path / "a", chain(code), results) == expected
    run(tmp_path / "b", chain(code), results)
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")


def test_what_is_superseded_comes_back_when_the_edit_is_undone(tmp_path: Path) -> None:
    run(tmp_path, chain({}))
    before = bytes_of(tmp_path)
    run(tmp_path, chain({"prepare": "2"}), {"prepare": 5})
    assert (tmp_path / SUPERSEDED).is_dir()
    assert run(tmp_path, chain({})) == []
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("name", ["artifact", "record.json"])
@pytest.mark.parametrize("kind", ["prepare", "final", "score"])
@pytest.mark.parametrize("how", ["flip", "cut", "empty", "delete"])
def test_what_is_damaged_is_done_again(tmp_path: Path, name: str, kind: str, how: str) -> None:
    run(tmp_path, chain({}))
    before = bytes_of(tmp_path)
    (path,) = (tmp_path / "units").glob(f"{kind}-*/{name}")
    text = path.read_bytes()
    if how == "delete":
        path.unlink()
    else:
        cut = {"flip": bytes([text[0] ^ 1]) + text[1:], "cut": text[: len(text) // 2], "empty": b""}
        path.write_bytes(cut[how])
    assert run(tmp_path, chain({})) == [kind]
    assert bytes_of(tmp_path) == before


def test_two_records_or_files_in_each_others_places_are_not_believed(tmp_path: Path) -> None:
    units = [*chain({}), *chain({}, of="b")]
    run(tmp_path, units, {"final": 1})
    before = bytes_of(tmp_path)
    for name in ("artifact", "record.json"):
        one, other = sorted((tmp_path / "units").glob(f"score-*/{name}"))
        one.write_bytes(other.read_bytes() + b"" if name == "record.json" else b"x")
        assert run(tmp_path, units, {"final": 1}) in (["score"], ["score", "score"])
        assert bytes_of(tmp_path) == before


def test_a_need_that_is_damaged_while_it_is_needed_is_made_again_first(tmp_path: Path) -> None:
    units = chain({})
    run(tmp_path, units)
    before = bytes_of(tmp_path)
    state = Standing(tmp_path, [*units, Unit(kind=OTHER, spec=Of(), needs=(units[1].hash,))])
    state.settle()
    (unit_folder(tmp_path, units[1]) / "artifact").write_text("damaged")
    assert state.ready() is None
    again = state.ready()
    assert again.kind.name == "final"
    assert "is damaged" in state.damaged[0]
    assert run(tmp_path, units) == ["final"]
    assert bytes_of(tmp_path) == before


def test_a_product_elsewhere_that_is_gone_is_made_again_where_something_waits_for_it(tmp_path: Path) -> None:
    there = {"prepare": True}

    def is_intact(unit: Unit, record: Record) -> bool:
        return there.get(unit.kind.name, True)

    run(tmp_path, chain({}), is_intact=is_intact)
    there["prepare"] = False
    assert run(tmp_path, chain({}), is_intact=is_intact) == []
    state = Standing(tmp_path, chain({"score": "2"}), is_intact=is_intact)
    state.settle()
    assert state.ready() is None
    again = state.ready()
    assert again.kind.name == "prepare"


def test_what_is_damaged_as_soon_as_it_is_made_ends_the_run(tmp_path: Path) -> None:
    def is_intact(unit: Unit, record: Record) -> bool:
        return unit.kind.name != "prepare"

    with pytest.raises(HarnessError, match="It was made again 2 times; check the disk"):
        run(tmp_path, chain({}), is_intact=is_intact)


def test_stale_results_that_are_kept_are_told_by_their_own_code(tmp_path: Path) -> None:
    run(tmp_path, chain({}))
    edited = chain({"final": "2"})
    assert run(tmp_path, edited, belief=Belief(keep_stale=True)) == []
    record = unit_record(tmp_path, edited[1])
    assert dict(record.code) != dict(edited[1].code)
    assert run(tmp_path, edited, {"final": 5}) == ["final", "score"]


def test_what_an_ended_process_left_half_written_is_gone_in_the_end(tmp_path: Path) -> None:
    units = chain({})
    run(tmp_path, units)
    before = bytes_of(tmp_path)
    (unit_folder(tmp_path, units[1]) / ".part-17-timing.json").write_text("half")
    run(tmp_path, units)
    assert bytes_of(tmp_path) == before


def test_what_changed_and_what_it_costs_is_told(tmp_path: Path) -> None:
    run(tmp_path, chain({}))
    state = Standing(tmp_path, chain({"final": "2"}))
    state.settle()
    told = "engine changed since 2 of 3 units ran: they run again, "
    told += "but for up to 1 whose inputs may come out the same"
    assert [line.partition(" (")[0] for line in state.told()] == [told]
    state = Standing(tmp_path, chain({}))
    state.settle()
    assert state.told() == []
    state = Standing(tmp_path, chain({"final": "2"}), belief=Belief(keep_stale=True))
    state.settle()
    assert state.told() == ["engine changed since 1 of 3 units ran: they are kept, marked †."]


def test_what_stands_is_not_told_to_be_kept_where_an_ended_process_left_an_older_one_beside_it(
    tmp_path: Path,
) -> None:
    plans = {name: chain({"score": name}) for name in "12"}
    for name, other in ("12", "21"):  # as folders are read in the order of their names
        for one in (other, name):
            run(tmp_path / name, plans[one])
        older = unit_folder(tmp_path / name, plans[other][-1])
        shutil.move(tmp_path / name / SUPERSEDED / older.name, older)
        state = Standing(tmp_path / name, plans[name])
        state.settle()
        assert not state.waiting
        assert state.told() == []


def test_records_of_another_schema_are_refused(tmp_path: Path) -> None:
    units = chain({})
    run(tmp_path, units)
    path = unit_folder(tmp_path, units[0]) / "record.json"
    path.write_text(sealed({**read_sealed(path, ""), "schema": SCHEMA + 1}))
    with pytest.raises(
        HarnessError, match=f"has schema {SCHEMA + 1}, this version reads {SCHEMA}; take another --out"
    ):
        Standing(tmp_path, units)
    path.write_text('{"schema": 1, "kind": "prepare"}')
    with pytest.raises(HarnessError, match="has schema 1, this version reads"):
        Standing(tmp_path, units)


@pytest.mark.parametrize("again", [False, True])
def test_what_is_done_for_a_unit_does_not_grow_with_the_plan(tmp_path: Path, again: bool) -> None:
    calls: list[int] = []
    for count in (20, 80):
        units = [unit for index in range(count) for unit in chain({}, of=str(index))]
        if again:
            write_all(tmp_path / str(count), units)
        counted = 0

        def count_one(frame: object, event: str, argument: object) -> None:
            nonlocal counted
            counted += event in ("call", "c_call")

        sys.setprofile(count_one)
        state = Standing(tmp_path / str(count), units)
        state.settle()
        while state.waiting:
            assert not state.blocked()
            unit = state.ready()
            sys.setprofile(None)
            write_all(tmp_path / str(count), [unit], units)
            sys.setprofile(count_one)
            state.finished(unit, "ok")
            state.settle()
        sys.setprofile(None)
        calls.append(counted)
    assert calls[1] < 4.2 * calls[0]


def write_all(folder: Path, units: list[Unit], plan: list[Unit] | None = None) -> None:
    """Writes the records of units, needs first."""
    known = {unit.hash: unit for unit in plan or units}
    for unit in units:
        inputs = inputs_of(folder, unit, [known[need] for need in unit.needs])
        write_record(folder, unit, "ok", result=Value(value=0), inputs=inputs)


def test_the_first_of_the_plan_that_can_run_runs_first(tmp_path: Path) -> None:
    units = [unit for of in "abc" for unit in chain({}, of=of)]
    order = Order(units)
    ran = []
    while (unit := order.next()) is not None:
        order.take(unit)
        order.end(unit, "ok")
        ran.append(unit)
    assert ran == units


def test_what_needs_what_is_lost_is_blocked_and_all_that_reads_it_after_that(tmp_path: Path) -> None:
    data, final, score = chain({})
    order = Order([data, final, score, *chain({}, of="b")])
    order.end(data, "failed")
    assert order.blocked() == [final, score]
    assert order.blocked() == [final, score]
    order.end(final, "skipped")
    assert order.blocked() == [score]
    order.wait(data)
    order.end(data, "ok")
    order.wait(final)
    assert not order.blocked()
    assert order.next() == final
