"""The CUDA path, where there is a GPU. Truth: the same on the CPU, and the same bits again."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from spaces import named
from torch import Tensor, nn

from harness.guard.threads import same_bits
from harness.learn.checkpoint import Checkpoint
from harness.learn.fit import Batch, Recipe, cross_entropy, fit, seeded
from harness.learn.predictors import predictor
from harness.nn.counts import FAMILIES
from harness.task.signature import Signature

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
BYTES = Signature(kind="bytes", classes=256, context=64)
IMAGE = Signature(kind="image", classes=4, height=8, width=8)
TEXT = (b"The quick brown fox jumps over the lazy dog. " * 200)[:8000]


def drawn(signature: Signature, size: int = 12, seed: int = 0):
    draw = np.random.default_rng(seed)
    text = np.frombuffer(TEXT, np.uint8).astype(np.int64)
    while True:
        if signature.kind == "bytes":
            first = draw.integers(len(text) - 65, size=size)
            windows = torch.from_numpy(text[first[:, None] + np.arange(65)])
            yield windows[:, :-1], windows[:, 1:]
        else:
            labels = torch.from_numpy(draw.integers(4, size=size))
            noise = torch.from_numpy(draw.standard_normal((size, 1, 8, 8), dtype=np.float32))
            yield noise * 0.3 + labels.view(-1, 1, 1, 1) - 1.5, labels


def built(signature: Signature, family: str) -> nn.Module:
    space = named("hybrid:micro", signature)
    shape = space.to_json(space.default())
    with seeded(0):
        return space.networks.build(space.from_json({**shape, "mixers": [family] * len(shape["mixers"])}))


def trained(
    signature: Signature, family: str, device: str, *, checkpoint: Checkpoint | None = None, **more
) -> tuple[nn.Module, list[float]]:
    same_bits(device)
    module = built(signature, family).to(device)
    losses = []

    def loss(batch: Batch, step: int) -> Tensor:
        value = cross_entropy(module(batch[0]), batch[1])
        losses.append(float(value.detach()))
        return value

    until = more.pop("until", None)
    settings = {"steps": 30, "batch_size": 12, "learning_rate": 3e-3, **more}
    fit(module, Recipe(**settings), drawn(signature), loss, checkpoint=checkpoint, until=until)
    return module, losses


def assert_same_bits(one: nn.Module, other: nn.Module) -> None:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    assert [name for (name, a), (_, b) in pairs if not torch.equal(a, b)] == []


CASES = [(BYTES, family) for family in FAMILIES if family != "pooling"] + [(IMAGE, one) for one in FAMILIES]


@pytest.mark.parametrize(("signature", "family"), CASES, ids=lambda one: getattr(one, "kind", one))
def test_a_training_gives_the_same_bits_again_and_learns_as_on_the_cpu(signature, family) -> None:
    first, losses = trained(signature, family, "cuda")
    again, _ = trained(signature, family, "cuda")
    assert_same_bits(first, again)
    _, reference = trained(signature, family, "cpu")
    assert losses[0] == pytest.approx(reference[0], rel=0.01)
    assert np.mean(losses[-5:]) == pytest.approx(np.mean(reference[-5:]), rel=0.1, abs=0.01)
    assert np.mean(losses[-5:]) < 0.9 * losses[0]


def test_a_network_scores_as_on_the_cpu() -> None:
    documents = [TEXT[:700], b"", TEXT[900:941]]
    for family in ("attention", "recurrence", "local"):
        module = built(BYTES, family)
        here = predictor(module, BYTES).bits(documents)
        there = predictor(module.to("cuda"), BYTES).bits(documents)
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-3)


def test_a_training_that_was_cut_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    def kept() -> Checkpoint:
        return Checkpoint(path=tmp_path / "run.safetensors", owner="cut", steps=10)

    whole, _ = trained(BYTES, "attention", "cuda")
    trained(BYTES, "attention", "cuda", checkpoint=kept(), until=20)
    assert kept().path.is_file()

    module = built(BYTES, "attention").to("cuda")
    seen = []

    def loss(batch: Batch, step: int) -> Tensor:
        seen.append(step)
        return cross_entropy(module(batch[0]), batch[1])

    batches = drawn(BYTES)
    for _ in range(20):
        next(batches)
    fit(module, Recipe(steps=30, batch_size=12, learning_rate=3e-3), batches, loss, checkpoint=kept())
    assert seen == list(range(20, 30))
    assert_same_bits(whole, module)


def test_a_compiled_training_learns_the_same() -> None:
    _, plain = trained(BYTES, "attention", "cuda")
    _, compiled = trained(BYTES, "attention", "cuda", compiled=True)
    np.testing.assert_allclose(compiled, plain, rtol=0.05)


def test_a_batch_in_parts_gives_the_step_of_the_whole() -> None:
    _, whole = trained(IMAGE, "convolution", "cuda", steps=6)
    _, parts = trained(IMAGE, "convolution", "cuda", steps=6, accumulate=3)
    assert len(parts) == 18
    np.testing.assert_allclose(np.reshape(parts, (6, 3)).mean(axis=1), whole, rtol=0.02)


def test_what_has_no_repeatable_form_is_trained_and_told(caplog: pytest.LogCaptureFixture) -> None:
    same_bits("cuda")
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4)).to(
        "cuda"
    )
    recipe = Recipe(steps=3, batch_size=12, learning_rate=1e-3)
    try:
        with pytest.warns(UserWarning, match="deterministic"):
            fit(module, recipe, drawn(IMAGE), lambda batch, _: cross_entropy(module(batch[0]), batch[1]))
        assert "will not give the same bits again" in caplog.text
    finally:
        torch.use_deterministic_algorithms(True)


def test_a_suite_runs_and_is_reproduced(tmp_path: Path) -> None:
    common = [sys.executable, "-m", "harness"]
    ran = subprocess.run(
        [*common, "eval", "toy", "--out", str(tmp_path / "run"), "--device", "cuda", "--workers", "2"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]
    made = [json.loads(path.read_text()) for path in (tmp_path / "run").glob("units/*/provenance.json")]
    assert any("NVIDIA" in one["device"] for one in made)
    again = subprocess.run(
        [*common, "reproduce", str(tmp_path / "run"), "--device", "cuda"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert again.returncode == 0, again.stdout[-2000:] + again.stderr[-2000:]
