"""Trainings that are cut off end as if they had not been. Truth: the bytes of an undisturbed training."""

import random
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save
from spaces import named
from torch import Tensor, nn
from working import done, planned, units

from harness.learn.checkpoint import Checkpoint, Training
from harness.learn.fit import Batch, Recipe, cross_entropy, fit, seeded
from harness.learn.supernet import STRATEGIES, train_supernet
from harness.space.choices import SearchSpace
from harness.study.work import alone as training_alone
from harness.task.signature import Signature

IMAGE = Signature(kind="image", classes=4, height=8, width=8)
CELLS, HYBRID = (named(f"{name}:micro", IMAGE) for name in ("nasbench201", "hybrid"))
RECIPE = Recipe(steps=12, batch_size=8, learning_rate=5e-3)


class CutOff(Exception):
    """Stands for a power cut in tests that need no second process."""


def drawn(order: np.random.Generator, until: int | None = None) -> Iterator[Batch]:
    """Yields noise with labels from `order`, and is cut off at batch `until`."""
    count = 0
    while True:
        if count == until:
            raise CutOff
        count += 1
        labels = torch.from_numpy(order.integers(0, 4, 8))
        noise = torch.from_numpy(order.standard_normal((8, 1, 8, 8)).astype(np.float32))
        yield noise + labels.view(-1, 1, 1, 1), labels


def noisy_network() -> nn.Module:
    """Returns a network with BatchNorm and with dropout, which draws from torch's generator."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3), nn.Flatten(), nn.Linear(4 * 6 * 6, 4)
    )


def alone(path: Path, until: int | None = None, *, recipe: Recipe = RECIPE, every: int = 5) -> nn.Module:
    order = np.random.default_rng(0)
    checkpoint = Checkpoint(path=path, streams={"batches": order}, steps=every)
    with seeded(3):
        module = noisy_network()
        data = drawn(order, until)
        fit(module, recipe, data, lambda batch, _: loss_of(module, batch), checkpoint=checkpoint)
    return module


def loss_of(module: nn.Module, batch: Batch) -> Tensor:
    return cross_entropy(module(batch[0]), batch[1])


def shared(path: Path, space: SearchSpace, strategy: str, until: int | None = None) -> nn.Module:
    order = np.random.default_rng(0)
    checkpoint = Checkpoint(path=path, streams={"batches": order}, steps=5)
    with seeded(3):
        module = space.networks.supernet()
        draw = random.Random(1)
        train_supernet(module, space, strategy, RECIPE, drawn(order, until), draw, checkpoint)
    return module


def weights(module: nn.Module) -> bytes:
    return save({name: value.contiguous() for name, value in module.state_dict().items()})


def cut_off(train: Callable[[], nn.Module]) -> None:
    with pytest.raises(CutOff):
        train()


@pytest.mark.parametrize("until", [3, 5, 7, 11])
def test_a_training_that_is_cut_off_ends_in_the_same_bytes(tmp_path: Path, until: int) -> None:
    whole = weights(alone(tmp_path / "whole"))
    cut_off(lambda: alone(tmp_path / "kept", until))
    assert weights(alone(tmp_path / "kept")) == whole


def test_a_training_that_is_cut_off_goes_on_from_where_it_was_kept(tmp_path: Path) -> None:
    cut_off(lambda: alone(tmp_path / "kept", 7))
    alone(tmp_path / "kept", 12 - 5)  # seven batches are enough for the steps after the fifth
    with pytest.raises(CutOff):
        alone(tmp_path / "new", 12 - 5)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("space", [CELLS, HYBRID], ids=["cells", "hybrid"])
def test_a_supernet_that_is_cut_off_ends_in_the_same_bytes(
    tmp_path: Path, space: SearchSpace, strategy: str
) -> None:
    whole = weights(shared(tmp_path / "whole", space, strategy))
    cut_off(lambda: shared(tmp_path / "kept", space, strategy, 7))
    cut_off(lambda: shared(tmp_path / "kept", space, strategy, 6))  # step 11, kept at step 10
    assert weights(shared(tmp_path / "kept", space, strategy)) == whole


def test_a_checkpoint_changes_no_byte_of_a_training(tmp_path: Path) -> None:
    with seeded(3):
        module = noisy_network()
        fit(module, RECIPE, drawn(np.random.default_rng(0)), lambda batch, _: loss_of(module, batch))
    assert weights(alone(tmp_path / "kept")) == weights(module)


def broken(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "empty":
        data = bytearray()
    elif how == "cut":
        data = data[: len(data) // 2]
    elif how == "a bit of a weight":
        data[-40] ^= 1
    elif how == "a digit of the header":
        index = data.index(b'"step\\":5') + len(b'"step\\":')
        data[index : index + 1] = b"6"
    elif how == "another format":
        data = bytearray(save({"weight": torch.zeros(2)}))
    path.write_bytes(data)


@pytest.mark.parametrize(
    "how", ["empty", "cut", "a bit of a weight", "a digit of the header", "another format"]
)
def test_a_damaged_checkpoint_is_as_good_as_none(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = weights(alone(tmp_path / "whole"))
    cut_off(lambda: alone(tmp_path / "kept", 7))
    broken(tmp_path / "kept", how)
    assert weights(alone(tmp_path / "kept")) == whole
    assert "training starts anew" in caplog.text


LONGER = Recipe(steps=14, batch_size=8, learning_rate=5e-3)


@pytest.mark.parametrize(
    ("train", "other"),
    [
        (lambda path: alone(path, recipe=LONGER), lambda path: alone(path, 7)),
        (
            lambda path: shared(path, HYBRID, "fair"),
            lambda path: shared(path, HYBRID, "progressive_shrinking", 7),
        ),
    ],
    ids=["recipe", "strategy"],
)
def test_a_checkpoint_of_another_training_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, train: Any, other: Any
) -> None:
    whole = weights(train(tmp_path / "whole"))
    cut_off(lambda: other(tmp_path / "kept"))
    assert weights(train(tmp_path / "kept")) == whole
    assert "it is of another training" in caplog.text


@pytest.mark.parametrize(("seconds", "names"), [({}, []), ({"seconds": 1e-9}, ["kept"])])
def test_a_checkpoint_is_written_when_its_seconds_have_passed_and_not_before(
    tmp_path: Path, seconds: dict[str, float], names: list[str]
) -> None:
    order = np.random.default_rng(0)
    checkpoint = Checkpoint(path=tmp_path / "kept", streams={"batches": order}, **seconds)
    module = noisy_network()
    fit(module, RECIPE, drawn(order), lambda batch, _: loss_of(module, batch), checkpoint=checkpoint)
    assert [file.name for file in tmp_path.iterdir()] == names
    checkpoint.delete()
    checkpoint.delete()
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_diverges_leaves_no_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(path=tmp_path / "kept", steps=1)
    module = noisy_network()

    def loss(batch: Batch, step: int) -> Tensor:
        return loss_of(module, batch) * (float("inf") if step == 3 else 1.0)

    with pytest.raises(FloatingPointError, match="step 3"):
        fit(module, RECIPE, drawn(np.random.default_rng(0)), loss, checkpoint=checkpoint)
    assert list(tmp_path.iterdir()) == []


class Fragile(Checkpoint):
    """Keeps every second step, and is cut off at the third unless it went on from a kept one."""

    def resume(self, training: Training) -> int:
        self.steps = 2
        self.first = super().resume(training)
        return self.first

    def offer(self, training: Training, step: int) -> None:
        super().offer(training, step)
        if step == 3 and not self.first:
            raise CutOff


@pytest.mark.parametrize(
    ("suite", "kind"), [("toy", "supernet"), ("toy_canary", "final"), ("toy_quality", "scratch")]
)
def test_a_unit_that_is_cut_off_leaves_the_same_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suite: str, kind: str
) -> None:
    plan = planned(suite)
    unit = next(one for one in units(plan, kind) if getattr(one.spec, "method", "default") == "default")

    def performed(run: Path) -> dict[str, bytes]:
        result = done(plan, unit, run).result
        files = {file.name: file.read_bytes() for file in (run / "units" / unit.folder).iterdir()}
        return {**files, "result": repr(result).encode()}

    whole = performed(tmp_path / "whole")
    monkeypatch.setattr(training_alone, "Checkpoint", Fragile)
    with pytest.raises(CutOff):
        performed(tmp_path / "cut")
    assert list((tmp_path / "cut").glob("units/*/checkpoint*"))
    assert performed(tmp_path / "cut") == whole


VICTIM = """
    import os, random, signal, sys
    from pathlib import Path
    import torch
    from harness import catalog, seeds
    from harness.learn.checkpoint import Checkpoint
    from harness.learn.supernet import train_supernet
    from harness.task.signature import Signature
    from harness.learn.fit import Recipe, seeded
    from safetensors.torch import save_file

    folder, last = Path(sys.argv[1]), int(sys.argv[2])
    signature = Signature(kind="image", classes=4, height=8, width=8)
    space = catalog.load("space", "hybrid").space("micro", signature)
    order = seeds.generator(0, "batches")

    def data():
        while True:
            yield torch.from_numpy(order.standard_normal((4, 1, 8, 8))).float(), torch.arange(4)

    class Mortal(Checkpoint):
        def offer(self, training, step):
            if step == last:
                os.kill(os.getpid(), signal.SIGKILL)
            super().offer(training, step)

    torch.set_num_threads(1)
    with seeded(0):
        supernet = space.networks.supernet()
        checkpoint = Mortal(path=folder / "checkpoint.safetensors", streams={"batches": order}, steps=4)
        recipe = Recipe(steps=15, batch_size=4, learning_rate=1e-2)
        train_supernet(supernet, space, "progressive_shrinking", recipe, data(), random.Random(0), checkpoint)
    save_file(supernet.state_dict(), folder / "weights.safetensors")
"""


@pytest.mark.slow
@pytest.mark.ci
def test_a_killed_process_and_its_successor_leave_the_same_bytes(tmp_path: Path) -> None:
    def run(folder: str, last: int) -> int:
        (tmp_path / folder).mkdir(exist_ok=True)
        command = [sys.executable, "-c", textwrap.dedent(VICTIM), str(tmp_path / folder), str(last)]
        return subprocess.run(command, timeout=120).returncode

    assert run("whole", 0) == 0
    assert run("killed", 10) == -9
    assert run("killed", 14) == -9
    assert run("killed", 0) == 0
    whole, killed = (tmp_path / name / "weights.safetensors" for name in ("whole", "killed"))
    assert whole.read_bytes() == killed.read_bytes()
