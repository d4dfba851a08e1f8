"""Pickles that attack their reader: read in a child that can do nothing else.

Truth: the attacks of benchmarks/hostile_pickles.py, half of which crashed, hung or filled the memory of
Python's own unpickler when it was given numpy's functions, and limits that the child itself reports.
"""

import ast
import importlib.util
import json
import os
import pickle
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.data.foreign import confined, pickle_machine, pickles
from harness.data.foreign.confined import Confined
from harness.data.foreign.pickles import answer, read_members, unpickled
from harness.errors import DataUnavailableError

_spec = importlib.util.spec_from_file_location(
    "hostile_pickles", Path(__file__).parents[1] / "benchmarks" / "hostile_pickles.py"
)
assert _spec is not None
assert _spec.loader is not None
hostile: ModuleType = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = hostile
_spec.loader.exec_module(hostile)

REASONS = {
    "array with a buffer of its choice": "wants to call what is no function",
    "object at an address of its choice": "wants to call what is no function",
    "object in a number": "wants numpy arrays of objects",
    "array made by its class": "wants to call what is no function",
    "field outside of its item": "of the type 'V8'",
    "type of another size": "fields, offsets or another size",
    "array larger than its data": "more than 2000000 numbers",
    "array of a negative size": "shape is no list of sizes",
    "array of a billion dimensions": "more than 2000000 numbers",
    "text of a gigabyte": "of the type 'S1000000000'",
    "key that is hashed for ever": "a key of more than 1000 parts",
    "set that is hashed for ever": "a key of more than 1000 parts",
    "mappings that are written for ever": "too many mappings in one another",
    "mapping that holds itself": "it holds itself",
    "list that holds itself": "it holds itself",
    "tuples in tuples": "in one another more than 100 times",
    "tuples in tuples as a key": "a key of more than 1000 parts",
    "lists in lists": "in one another more than 100 times",
    "place that is not in the memo": "it is damaged",
    "bytes of a terabyte": "expected 1099511627776 bytes",
    "bytearray by its class": "wants builtins.bytearray",
    "number of 5,000 digits": "it is damaged",
    "number of a megabyte": "more than 64 bits",
    "keys of one hash": "more than 64 bits",
    "half of a pair": "surrogates not allowed",
    "a million marks": "takes more than there is",
    "codec of its choice": "wants the codec 'zip'",
    "system": "wants posix.system",
    "the classes of numpy": "not what it makes",
    "buffers from outside": "wants the opcode NEXT_BUFFER",
    "what lies outside": "wants the opcode BINPERSID",
    "registered extensions": "wants the opcode EXT1",
    "state of a function": "sets the state of what has none",
    "state twice": "or has one already",
    "state of a text": "sets the state of what has none",
    "items into a list": "adds to list what belongs into dict",
    "a type as a key": "it has Made as a key",
    "items without a mark": "takes more than there is",
    "a name that is a number": "by other things than texts",
    "a key without a value": "a key without a value",
    "an object of arguments": "of 1 arguments, not of its attributes",
    "an object without names": "whose attributes have no names",
    "a set of a number": "a set of something else than a list",
    "the state of a number": "sets the state of a number",
    "an array of another start": "an array of something else than numpy's class",
    "an array without its state": "an array without its state",
    "a number without its type": "numbers without their type",
    "an array without its type": "numbers without their type",
    "a number of an array": "numbers that are no bytes",
    "a number of three things": "makes scalar of 3 things, not of 2",
    "a type without a name": "numbers without their type",
    "a type with a state of its own": "a state that no type of numbers has",
    "a text of no bytes": "numpy texts of no bytes",
    "a type itself": "a type of numpy's, not a number",
    "bytes with a state": "wants the codec",
}


@pytest.fixture(scope="module")
def child() -> Iterator[Confined]:
    with closing(Confined(answer)) as started:
        yield started


@pytest.mark.parametrize("name", REASONS)
def test_an_attack_is_one_sentence_of_a_child_that_lives(child: Confined, name: str) -> None:
    question = json.dumps([name, hostile.CLASS]).encode() + b"\n" + hostile.attacks()[name]
    told = json.loads(child.ask(question, name))
    assert isinstance(told, str)
    assert told.startswith(f"{name} is a pickle")
    assert re.search(REASONS[name], told)


def test_hundreds_of_damaged_pickles_end_as_a_value_or_a_sentence() -> None:
    counts = hostile.read_all(600, seed=1)
    assert counts.lost == []
    assert counts.values + counts.refused == counts.tried == 600
    assert counts.values > 20
    assert counts.memory < 500


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f2", "<f4", ">f8", "i1", "<i2", ">i4", "<u8", "?", "<U3", "S2"])
def test_arrays_are_what_numpy_makes_of_them(protocol: int, order: Any, kind: str) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4) % 2, dtype=kind, order=order)
    found = unpickled(pickle.dumps({"all": array, "one": array[0, 1, 1], "none": array[:0]}, protocol), "a")
    wanted = np.char.decode(array, "latin1") if kind[0] == "S" else array
    assert found == {"all": wanted.tolist(), "one": wanted[0, 1, 1].item(), "none": []}


def test_what_is_shared_is_read_once_and_a_large_memo_costs_nothing() -> None:
    row = [1.5, 2.5]
    found = unpickled(pickle.dumps(dict.fromkeys(range(1000), (row, "name"))), "a")
    assert all(one[0] is found[0][0] for one in found.values())


@pytest.mark.parametrize(
    ("limit", "reason"), [("LARGEST_BYTES", "at most 10 are read"), ("MOST_STEPS", "over 10 steps")]
)
def test_a_pickle_over_a_limit_is_refused(monkeypatch: pytest.MonkeyPatch, limit: str, reason: str) -> None:
    monkeypatch.setattr(pickle_machine, limit, 10)
    with pytest.raises(DataUnavailableError, match=reason):
        unpickled(pickle.dumps({"a": 1, "b": 2, "c": 3}), "a")


def asked(code: str) -> Any:
    with closing(Confined(eval)) as started:
        return ast.literal_eval(started.ask(f"repr({code}).encode()".encode(), "it").decode())


def test_the_child_has_no_environment_and_limits_on_memory_time_and_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HARNESS_LLM_API_KEY", "planted")
    assert "planted" not in str(asked("dict(__import__('os').environ)"))
    names = ("AS", "CPU", "NOFILE", "FSIZE", "CORE")
    read = f"(lambda kit: [kit.getrlimit(getattr(kit, 'RLIMIT_' + name))[0] for name in {names}])"
    limits = asked(f"{read}(__import__('resource'))")
    assert limits[0] == confined.MEMORY_BYTES
    assert confined.CPU_SECONDS <= limits[1] <= confined.CPU_SECONDS + 5
    assert limits[2:] == [3, 0, 0]


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        ("__import__('os').abort()", "signal 6"),
        ("open('/etc/passwd')", "exit status 1"),
        ("bytes(2**32)", "exit status 1"),
        ("__import__('os').write(1, b'x' * 8)", "signal|exit status"),
    ],
)
def test_a_child_that_dies_is_one_sentence_and_the_next_one_answers(code: str, ended: str) -> None:
    with closing(Confined(eval)) as started:
        with pytest.raises(DataUnavailableError, match=f"it is not read: its reader ended with {ended}"):
            started.ask(code.encode(), "it")
        assert started.ask(b"b'alive'", "it") == b"alive"


def test_a_child_that_answers_with_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "ANSWER_BYTES", 10)
    with closing(Confined(eval)) as started:
        assert started.ask(b"b'x' * 10", "it") == b"x" * 10
        with pytest.raises(DataUnavailableError, match="it is not read"):
            started.ask(b"b'x' * 11", "it")


def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "WAITED_SECONDS", 0.5)
    with closing(Confined(eval)) as started, pytest.raises(DataUnavailableError, match="ended with signal 9"):
        started.ask(b"[0 for _ in iter(int, 1)]", "it")


def test_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pickle.dumps({1: {"a": 1, "b": 2}, 2: {"a": 1, "b": 2}})
    assert json.loads(answer(b'["it"]\n' + data)) == [[1, 2], {"a": [1, 1], "b": [2, 2]}]
    monkeypatch.setattr(pickles, "MOST_CELLS", 3)
    assert "at most 1000 columns and 3 values are read" in json.loads(answer(b'["it"]\n' + data))


def wheel(folder: Path, **members: Any) -> Path:
    with zipfile.ZipFile(folder / "made.whl", "w") as archive:
        for name, value in members.items():
            archive.writestr(f"made/{name}.bench", pickle.dumps(value))
    return folder / "made.whl"


WIDE = {number: {f"{number} {column}": 1 for column in range(60)} for number in range(20)}


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (WIDE, "1000 columns"),
        ({b"a": 1}, "a key is not made of numbers"),
        ({(1,): 1, "[1]": 2}, "the same when written as text"),
        (7, "holds int, not a"),
        ([1], "holds list, not a mapping of architectures"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, kept: Any, reason: str) -> None:
    with pytest.raises(DataUnavailableError, match=reason):
        read_members(wheel(tmp_path, odd=kept), {"a": "made/odd.bench"}, [])


class Hostile:
    """Runs a command when an ordinary unpickler reads it."""

    def __init__(self, call: Callable[..., Any], *words: Any) -> None:
        self.made = (call, words)

    def __reduce__(self) -> Any:
        return self.made


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "made",
    [
        (os.system, "touch owned"),
        (eval, "open('owned', 'w')"),
        (getattr, "", "join"),
        (subprocess.Popen, ["ls"]),
    ],
    ids=["system", "eval", "getattr", "popen"],
)
def test_a_hostile_pickle_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, made: tuple[Any, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (Hostile(*made), {"a": [1, Hostile(*made)]}, np.array([Hostile(*made)], dtype=object)):
        with pytest.raises(DataUnavailableError, match=r"evil.bench is a pickle that is not read: it wants"):
            unpickled(pickle.dumps(value, protocol), "evil.bench")
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_a_card_names_gives_its_attributes_and_runs_nothing() -> None:
    record = f"{Hostile.__module__}.Hostile"
    data = pickle.dumps({1: Plain(3)}).replace(b"Plain", b"Other")
    found = unpickled(data, "a", [f"{Plain.__module__}.Other"])
    assert found[1].__dict__ == {"value": 3}
    with pytest.raises(DataUnavailableError, match="is a pickle that is not read"):
        unpickled(pickle.dumps(Hostile(os.system, "true")), "a", [record])


class Plain:
    def __init__(self, value: int) -> None:
        self.value = value


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_numbers_arrays_and_containers_are_read(protocol: int) -> None:
    value = {"a": (1, 2.5, None), "b": {3, 4}, "c": np.float32(0.5), "d": np.arange(6.0).reshape(2, 3)}
    found = unpickled(pickle.dumps(value, protocol), "a")
    assert (found["a"], found["b"], found["c"]) == (value["a"], value["b"], value["c"])
    assert np.array_equal(found["d"], value["d"])


@pytest.mark.parametrize("data", [b"", b"not a pickle", pickle.dumps([1, 2])[:-3]])
def test_a_damaged_pickle_is_told_in_one_sentence(data: bytes) -> None:
    with pytest.raises(DataUnavailableError, match="is a pickle that is not read"):
        unpickled(data, "a")


def test_members_of_a_package_become_columns(tmp_path: Path) -> None:
    graphs = {7: {"perf": np.float64(0.5)}, 12: {"perf": 0.75}}
    path = wheel(tmp_path, cora=graphs, pubmed={12: {"perf": 0.1}, 7: {"perf": {"mean": 0.2}}})
    frame = read_members(path, {"cora": "made/cora.bench"}, [])
    assert frame.to_dict("list") == {"key": [7, 12], "cora.perf": [0.5, 0.75]}
    with pytest.raises(DataUnavailableError, match=r"made/photo.bench cannot be opened"):
        read_members(path, {"photo": "made/photo.bench"}, [])


def test_members_with_other_keys_are_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, cora={1: {"perf": 1.0}, 2: {"perf": 2.0}}, pubmed={1: {"perf": 1.0}})
    with pytest.raises(DataUnavailableError, match="differ in 1 keys, as in 2"):
        read_members(path, {"cora": "made/cora.bench", "pubmed": "made/pubmed.bench"}, [])
