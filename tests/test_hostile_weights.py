"""Files of weights and checkpoints that attack their reader.

Truth: headers that say what is not so, written here byte by byte, and damaged files of the libraries' own.
"""

import json
import logging
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import nn

from harness import catalog
from harness.errors import HarnessError
from harness.learn.baseline import Opening
from harness.learn.checkpoint import Checkpoint, Training, _digest
from harness.nn.pretrained import read_weights
from harness.task.signature import Signature

TENSORS = {"a.weight": torch.arange(12.0).reshape(3, 4), "b": torch.ones(2, dtype=torch.int64)}
EIGHT = {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}


def written(header: Any, data: bytes = bytes(8), size: int | None = None) -> bytes:
    """Returns a file of safetensors of any header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


LIES = {
    "a header of half the address space": written({}, size=2**63),
    "a header of a gigabyte": written({}, size=2**30),
    "a header longer than the file": written({"a": EIGHT}, size=4096),
    "no header": b"",
    "a shape of a million million": written({"a": {**EIGHT, "shape": [10**6, 10**6]}}),
    "a shape whose size overflows": written({"a": {**EIGHT, "shape": [2**32, 2**32, 2**32]}}),
    "a negative shape": written({"a": {**EIGHT, "shape": [-1]}}),
    "data behind the end": written({"a": {**EIGHT, "data_offsets": [0, 800], "shape": [100]}}),
    "data before the start": written({"a": {**EIGHT, "data_offsets": [-8, 0]}}),
    "an end before the start": written({"a": {**EIGHT, "data_offsets": [8, 0]}}),
    "two tensors of the same bytes": written({"a": EIGHT, "b": EIGHT}),
    "a hole": written({"a": {**EIGHT, "data_offsets": [8, 16]}}, bytes(16)),
    "no such type": written({"a": {**EIGHT, "dtype": "O8"}}),
    "many levels": written(b'{"a":' * 10_000 + b"1" + b"}" * 10_000),
    "no JSON": written(b"\xff\xfe{}"),
    "a list": written([EIGHT]),
    "more than it says": written({"a": EIGHT}, bytes(80)),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_one_sentence(tmp_path: Path, lie: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(LIES[lie])
    with pytest.raises(HarnessError, match=r"a.safetensors does not hold weights in safetensors") as caught:
        read_weights(tmp_path / "a.safetensors")
    assert "\n" not in str(caught.value)


@settings(max_examples=150)
@given(st.sampled_from(["zip", "old", "safetensors"]), st.data())
def test_damaged_weights_are_read_or_one_sentence(tmp_path: Path, kind: str, draw: st.DataObject) -> None:
    path = tmp_path / ("a.safetensors" if kind == "safetensors" else "a.pth")
    if kind == "safetensors":
        path.write_bytes(save(TENSORS))
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=kind == "zip")
    data = bytearray(path.read_bytes())
    for at in draw.draw(st.lists(st.integers(0, min(len(data), 700) - 1), min_size=1, max_size=5)):
        data[at] = draw.draw(st.integers(0, 255))
    path.write_bytes(data)
    told = str(path)
    try:
        read_weights(path)
    except HarnessError as error:
        told = str(error)
    assert str(path) in told
    assert "\n" not in told


@pytest.mark.parametrize(
    "data",
    [
        *(b"\x80\x02.", b"\x80\x02}(u.", b"\x80\x02cos\nsystem\n(X\x04\0\0\0truetR.", b"0."),
        pickle.dumps({"a": 1}),
    ],
)
def test_a_pickle_that_is_no_state_dict_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(HarnessError, match=r"a.pth (is not a checkpoint of weights|has no state dict)"):
        read_weights(tmp_path / "a.pth")


def test_weights_of_a_model_of_a_file_are_read_by_the_same_code(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from torch import nn\ndef build(signature):\n    return nn.Linear(2, 2)\n"
    )
    (tmp_path / "a.safetensors").write_bytes(LIES["a header of a gigabyte"])
    made = catalog.load("baseline", f"file:{tmp_path / 'mine.py'}:build?weights={tmp_path / 'a.safetensors'}")
    with pytest.raises(HarnessError, match="does not hold weights in safetensors"):
        made.open(Signature(kind="image", classes=2), Opening(data=tmp_path))


def told_by(text: str) -> bytes:
    """Returns a file whose header is any text, with its right digest."""
    return save(TENSORS, metadata={"header": text, "sha256": _digest(text, TENSORS)})


CHECKPOINTS = {
    "a header without a digest": save(TENSORS, metadata={"header": "{}"}),
    "a header of many levels": told_by("[" * 100_000),
    "a header that is a list": told_by("[]"),
    "a header that says nothing": told_by("{}"),
}


@pytest.mark.parametrize("lie", [*LIES, *CHECKPOINTS])
def test_a_checkpoint_that_lies_is_as_good_as_none(
    tmp_path: Path, lie: str, caplog: pytest.LogCaptureFixture
) -> None:
    module = nn.Linear(2, 2)
    training = Training(module=module, optimizer=torch.optim.SGD(module.parameters()), recipe={})
    path = tmp_path / "a.safetensors"
    path.write_bytes((LIES | CHECKPOINTS)[lie])
    with caplog.at_level(logging.WARNING):
        assert Checkpoint(path=path).resume(training) == 0
    assert "is not used, training starts anew" in caplog.text
