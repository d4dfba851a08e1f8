"""What a unit is called, ordered by and kept as. Truth: JSON and names written out by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.errors import DamagedError
from harness.files import content_hash
from harness.identity import content
from harness.identity.code import closure, combined, module_file
from harness.identity.schema import Schema
from harness.identity.unit import Read, Spec, Unit, UnitKind, called, unit_folder, unit_from_json, unit_name


class Pair(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Plain:
    name: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Inner(Schema):
    a: int = 1
    b: int = 2


@dataclass(frozen=True, kw_only=True)
class Outer(Schema):
    must: int
    text: str = ""
    inner: Inner = field(default_factory=Inner)
    pair: Pair = field(default_factory=lambda: Pair(0.0, 1.0))
    plain: Plain = field(default_factory=lambda: Plain("x"))
    several: tuple[Inner, ...] = ()
    named: dict[str, Inner] = field(default_factory=dict)


def test_what_is_at_its_default_is_left_out_and_everything_is_read_back() -> None:
    assert Outer(must=0).to_json() == {"must": 0}
    full = Outer(
        must=1,
        text="a",
        inner=Inner(b=3),
        pair=Pair(0.5, 1.0),
        plain=Plain("y", (1, 2)),
        several=(Inner(), Inner(a=5)),
        named={"one": Inner(a=7)},
    )
    told = {
        "must": 1,
        "text": "a",
        "inner": {"b": 3},
        "pair": {"low": 0.5, "high": 1.0},
        "plain": {"name": "y", "sizes": [1, 2]},
        "several": [{}, {"a": 5}],
        "named": {"one": {"a": 7}},
    }
    assert full.to_json() == told
    assert Outer.from_json(told) == full


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "must is .*, where Outer says: Field required"),
        ({"must": 1, "text": 3, "inner": 4}, "text is 3, where Outer says"),
        ({"must": 1, "inner": {"a": "x"}}, r"inner.*\.a is 'x', where Outer says"),
        ({"must": 1, "more": 1}, "more is 1, where Outer says"),
        (3, "it is 3, where Outer says"),
    ],
)
def test_another_form_is_told_by_the_first_place_that_is_wrong(wrong: Any, words: str) -> None:
    with pytest.raises(DamagedError, match=f"^{words}"):
        Outer.from_json(wrong)


@dataclass(frozen=True, kw_only=True)
class RowSpec(Spec):
    task: str = ""
    domain: str = ""
    table: str = ""
    method: str = ""
    space: str | None = None
    seed: int | None = None
    report_seed: int | None = None
    modality: str = ""

    def reads(self) -> Iterator[Read]:
        yield Read("space", self.space or "")
        yield Read("floor", self.modality)


KIND = UnitKind(name="row", spec=RowSpec, result=Inner, work="harness.seeds:stream", seconds=1.0)


def test_a_unit_has_the_names_that_people_know_it_by() -> None:
    spec = RowSpec(task="digits", domain="figlet", method="tuned", space="hybrid", seed=0, report_seed=3)
    assert (spec.of, spec.words) == ("digits/figlet", ["digits", "tuned", "hybrid", "figlet", "seed 0"])
    assert RowSpec(task="digits", table="t").of == "digits"
    assert RowSpec(domain="figlet").of == "figlet"
    assert (RowSpec(table="t", report_seed=3).of, RowSpec(table="t", report_seed=3).words) == (
        "t",
        ["t", "seed 3"],
    )
    assert RowSpec().row == ()
    assert spec.row == ("None", "tuned", "None", "None", "None", "hybrid", "digits", "")
    assert spec.order == tuple(
        f"{one:>12}" for one in ("digits", "tuned", "None", "hybrid", "figlet", "0", "None", "3")
    )
    assert RowSpec(seed=9).order < RowSpec(seed=10).order
    unit = Unit(kind=KIND, spec=spec)
    assert (unit.told, unit.label) == (
        "row of digits/figlet",
        "row · digits · tuned · hybrid · figlet · seed 0",
    )


def test_a_unit_is_its_kind_parameters_code_and_needs() -> None:
    spec = RowSpec(task="digits", method="tuned", seed=1)
    told = {"task": "digits", "method": "tuned", "seed": 1}
    unit = Unit(kind=KIND, spec=spec, needs=("n1", "n2"), code={"engine": "e"})
    assert unit.hash == content_hash(["row", told, {"engine": "e"}, ["n1", "n2"]])
    assert unit.own == content_hash(["row", told, {"engine": "e"}])
    assert unit.name == unit_name("row", told) == f"row-{content_hash(['row', told])}"
    assert unit.input_key({"a": "1"}) == content_hash(["row", told, {"engine": "e"}, {"a": "1"}])
    assert unit_folder(Path("run"), unit) == Path("run") / "units" / f"row-{unit.hash}"
    kept = unit.to_json()
    assert kept == {
        "kind": "row",
        "hash": unit.hash,
        "spec": told,
        "needs": ["n1", "n2"],
        "code": {"engine": "e"},
    }
    again = unit_from_json(kept, {"row": KIND})
    assert (again.hash, again.spec, again.needs) == (unit.hash, spec, ("n1", "n2"))
    with pytest.raises(DamagedError):
        unit_from_json({**kept, "spec": {"tasks": 1}}, {"row": KIND})
    assert called("harness.files:content_hash") is content_hash


def test_the_code_of_a_unit_is_the_engines_and_that_of_each_entry_less_the_engines() -> None:
    engine = closure(Path(str(module_file("harness.seeds"))))
    alone = content.parts_of(KIND, RowSpec())
    assert alone == {"engine": engine}, "nothing is read for an empty name"
    found = content.parts_of(KIND, RowSpec(space="hybrid", modality="bytes"))
    assert set(found) == {"engine", "space hybrid", "floor of bytes"}
    assert "harness.catalog.search_spaces.hybrid" in found["space hybrid"]
    assert any("floor" in name or "baselines" in name for name in found["floor of bytes"])
    assert not {*found["space hybrid"], *found["floor of bytes"]} & set(engine)
    codes = content.code_of(KIND, RowSpec(space="hybrid"))
    assert codes == {"engine": combined(engine), "space hybrid": combined(found["space hybrid"])}
