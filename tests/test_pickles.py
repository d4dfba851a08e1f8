"""Pickled tables of packages: read without running anything.

Truth: what an ordinary pickler wrote, and commands that must not run.
"""

import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.foreign.pickles import read_members, unpickled
from harness.errors import DataUnavailableError


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


def wheel(folder: Path, **members: Any) -> Path:
    with zipfile.ZipFile(folder / "made.whl", "w") as archive:
        for name, value in members.items():
            archive.writestr(f"made/{name}.bench", pickle.dumps(value))
    return folder / "made.whl"


def test_members_of_a_package_become_columns(tmp_path: Path) -> None:
    graphs = {7: {"perf": np.float64(0.5)}, 12: {"perf": 0.75}}
    path = wheel(tmp_path, cora=graphs, pubmed={12: {"perf": 0.1}, 7: {"perf": {"mean": 0.2}}})
    frame = read_members(path, {"cora": "made/cora.bench"}, [])
    assert frame.to_dict("list") == {"key": [7, 12], "cora.perf": [0.5, 0.75]}
    with pytest.raises(DataUnavailableError, match=r"made/photo.bench cannot be opened"):
        read_members(path, {"photo": "made/photo.bench"}, [])


def test_members_with_other_keys_are_refused(tmp_path: Path) -> None:
    path = wheel(tmp_path, cora={1: {"perf": 1.0}, 2: {"perf": 2.0}}, pubmed={1: {"perf": 1.0}}, odd=[1])
    with pytest.raises(DataUnavailableError, match="differ in 1 keys, as in 2"):
        read_members(path, {"cora": "made/cora.bench", "pubmed": "made/pubmed.bench"}, [])
    with pytest.raises(DataUnavailableError, match="holds list, not a mapping of architectures"):
        read_members(path, {"odd": "made/odd.bench"}, [])
