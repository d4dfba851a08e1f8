"""Models of the user's own as fixed rows. Truth: what a model that always answers the same must score."""

import json
from pathlib import Path

import filled
import pytest
from command import harness

from harness import catalog
from harness.errors import HarnessError
from harness.identity.content import code_of
from harness.learn.baseline import Opening, ReadyBaseline
from harness.run.loaded import load_run
from harness.study.formats import render
from harness.study.study import build_board, load_study
from harness.study.suite import load_suite
from harness.study.trained.boards.compare import compare_trained
from harness.study.trained.boards.values import Board
from harness.study.trained.settings import Suite
from harness.task.signature import Signature

IMAGES = Signature(kind="image", classes=4, channels=1, height=8, width=8)
OWN = """
import numpy as np
from torch import nn


def build(signature):
    pixels = signature.channels * signature.height * signature.width
    return nn.Sequential(nn.Flatten(), nn.Linear(pixels, signature.classes))


def predict(samples):
    if isinstance(samples, list):
        return [8.0 * len(document) for document in samples]
    return np.tile([0.0, 1.0, 0.0, 0.0], (len(samples), 1))


def wrong(signature):
    return "a network"
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


SUITE = """
extends = "toy"
title = "Fixed rows"
spaces = []
searchers = []
claim = { method = "tuned", space = "" }
"""


def run(suite: str, folder: Path, *models: str) -> Board:
    (folder / "mine.toml").write_text(suite)
    words = [word for model in models for word in ("--model", model)]
    done = harness("eval", folder / "mine.toml", "--out", folder / "run", *words)
    assert done.returncode == 0, done.stderr
    return build_board(load_run(folder / "run"))


@pytest.mark.slow
@pytest.mark.ci
def test_own_networks_and_predictors_join_the_board(own: Path, tmp_path: Path) -> None:
    board = run(SUITE, tmp_path, f"{own}:build", f"{own}:predict")
    trained, ready = (board.tasks[0].row(f"file:{own}:{name}") for name in ("build", "predict"))
    assert trained.rank is not None
    assert trained.parameters == (8 * 8 * 4 + 4,) * 2
    assert ready.rank is None
    assert ready.held_out.value == 0.25, "one class of four is always right"
    assert "§ had training data from outside" in render(board, "md")
    against = compare_trained(load_run(tmp_path / "run"), f"file:{own}:predict", "tuned").parts[0].overall
    row = board.tasks[0].row("tuned")
    assert against.difference.value == pytest.approx(0.25 - row.held_out.value)
    assert len(against.difference.by_seed) == 2, "one role is compared with both of the other"
    plan = json.loads((tmp_path / "run" / "plan.json").read_text())
    assert plan["command"] == f"harness eval mine --model {own}:build --model {own}:predict"


def test_a_predictor_of_bytes_gives_code_lengths(own: Path, tmp_path: Path) -> None:
    suite = SUITE.replace('"tuned"', '"floor"') + (
        'baselines = ["floor"]\nreference = "floor"\n'
        '[[tasks]]\nname = "toy_bytes"\nvalidation_samples = 10\ntest_samples = 10\n'
        "training = { steps = 2, batch_size = 4 }\n"
    )
    board = run(suite, tmp_path, f"{own}:predict")
    task = next(task for task in board.tasks if task.task == "toy_bytes")
    assert task.row(f"file:{own}:predict").held_out.value == pytest.approx(8.0)


def test_weights_are_loaded_and_the_row_is_ready(own: Path, tmp_path: Path) -> None:
    import numpy as np
    import torch
    from safetensors.torch import save_file

    file = tmp_path / "weights.safetensors"
    save_file({"1.weight": torch.zeros(4, 64), "1.bias": torch.tensor([0.0, 0, 9, 0])}, file)
    baseline = catalog.load("baseline", f"file:{own}:build?weights={file}")
    assert isinstance(baseline, ReadyBaseline)
    model = baseline.open(IMAGES, Opening(data=own.parent))
    assert set(model.predict(np.zeros((5, 1, 8, 8), np.uint8))) == {2}
    save_file({"weight": torch.zeros(4, 64)}, file)
    with pytest.raises(HarnessError, match="does not hold the weights"):
        baseline.open(IMAGES, Opening(data=own.parent))


def test_another_file_is_another_row(own: Path) -> None:
    unit = filled.unit("final", {"task": "toy_patterns", "method": f"file:{own}:build"})
    before = code_of(unit.kind, unit.spec)
    own.write_text(OWN + "\n# a remark\n")
    assert code_of(unit.kind, unit.spec) == before
    own.write_text(OWN + "\nCHANGED = 1\n")
    after = code_of(unit.kind, unit.spec)
    assert {label for label in after if after[label] != before.get(label)} == {"model own.py"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:build", "There is no file nowhere.py"),
        ("{own}:bild", "it has: build, predict, wrong"),
        ("{own}", "names no function"),
        ("{own}:build?weight=x", "write weights=FILE"),
        ("{own}:build?weights=gone.safetensors", "There is no file gone.safetensors"),
    ],
)
def test_what_is_wrong_with_a_model_is_said_in_a_sentence(own: Path, name: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        catalog.load("baseline", "file:" + name.format(own=own))


def test_a_function_that_builds_no_module_is_named(own: Path) -> None:
    baseline = catalog.load("baseline", f"file:{own}:wrong")
    with pytest.raises(HarnessError, match=r"where a torch\.nn\.Module is needed"):
        baseline.build(IMAGES, 0)


def test_a_model_of_lm_eval_reads_bytes_and_says_why_it_cannot_be_made(tmp_path: Path) -> None:
    baseline = catalog.load("baseline", f"lm_eval:hf?pretrained={tmp_path / 'none'}")
    assert isinstance(baseline, ReadyBaseline)
    assert baseline.kinds == ("bytes",)
    with pytest.raises(HarnessError, match="lm_eval:hf cannot be made"):
        baseline.open(Signature(kind="bytes", classes=256), Opening(data=tmp_path, offline=True))


def test_the_packaged_transformer_names_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    baseline = catalog.load("baseline", "smollm2")
    with pytest.raises(HarnessError, match=r"needs transformers and accelerate and gguf; run: pip install"):
        baseline.open(Signature(kind="bytes", classes=256), Opening(data=tmp_path, offline=True))


def test_a_model_of_the_command_line_is_a_baseline_or_a_function_of_a_file(own: Path) -> None:
    _, suite = load_suite("toy")
    study = load_study("trained")
    joined = study.with_models(suite, ["llama", "timm:resnet10t", f"{own}:build", "tuned"])
    assert isinstance(joined, Suite)
    assert joined.baselines == ["tuned", "floor", "llama", "timm:resnet10t", f"file:{own}:build"]
    with pytest.raises(HarnessError, match=r"did you mean llama.*A model of your own is PATH\.py:FUNCTION"):
        study.with_models(suite, ["lama"])
    with pytest.raises(HarnessError, match="joins suites that train"):
        load_study("lookup").with_models(load_suite("toy_lookup")[1], ["llama"])
