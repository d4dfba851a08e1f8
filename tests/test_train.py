"""The training loop. Truth: the same step with the whole batch, in one process and without a compiler."""

import json
import logging
import os
import random
import socket
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from spaces import named
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.guard.threads import same_bits
from harness.learn import fit as train
from harness.learn.fit import Batch, Recipe, cross_entropy, fit, half_precision, seeded
from harness.learn.supernet import train_supernet
from harness.task.signature import Signature

IMAGE = Signature(kind="image", classes=4, height=8, width=8)
SPACE = named("hybrid:micro", IMAGE)


def drawn(size: int = 12) -> Iterator[Batch]:
    draw = torch.Generator().manual_seed(0)
    while True:
        labels = torch.randint(0, 4, (size,), generator=draw)
        noise = torch.randn(size, 1, 8, 8, generator=draw)
        yield noise * 0.3 + labels.view(-1, 1, 1, 1) - 1.5, labels


def trained(recipe: Recipe) -> tuple[nn.Module, list[float]]:
    with seeded(0):
        module = SPACE.networks.build(SPACE.default())
    losses = []

    def loss(batch: Batch, step: int) -> Tensor:
        value = cross_entropy(module(batch[0]), batch[1])
        losses.append(float(value.detach()))
        return value

    fit(module, recipe, drawn(recipe.batch_size), loss)
    return module, losses


def supernet(strategy: str, recipe: Recipe) -> nn.Module:
    with seeded(0):
        module = SPACE.networks.supernet()
    train_supernet(module, SPACE, strategy, recipe, drawn(recipe.batch_size), random.Random(0))
    return module


def assert_close(one: nn.Module, other: nn.Module) -> None:
    """Compares weights after a few steps; Adam divides tiny gradients, which rounding alone may turn."""
    for first, second in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("accumulate", [2, 3, 5])
def test_a_batch_in_parts_gives_the_step_of_the_whole(accumulate: int) -> None:
    whole, _ = trained(Recipe(steps=6, batch_size=12, learning_rate=1e-3))
    parts, losses = trained(Recipe(steps=6, batch_size=12, learning_rate=1e-3, accumulate=accumulate))
    assert len(losses) == 6 * accumulate
    assert_close(whole, parts)


@pytest.mark.parametrize("strategy", ["single_path", "sandwich", "progressive_shrinking"])
def test_the_parts_of_a_batch_run_the_same_architectures(strategy: str) -> None:
    whole = supernet(strategy, Recipe(steps=6, batch_size=12, learning_rate=1e-3))
    parts = supernet(strategy, Recipe(steps=6, batch_size=12, learning_rate=1e-3, accumulate=3))
    assert_close(whole, parts)


def test_more_parts_than_samples_are_refused() -> None:
    with pytest.raises(HarnessError, match="A batch of 2 cannot be cut into 3 parts"):
        trained(Recipe(steps=1, batch_size=2, learning_rate=1e-3, accumulate=3))


def test_products_are_halved_on_cuda_alone() -> None:
    assert half_precision(torch.device("cuda", 1)) is torch.bfloat16
    assert half_precision(torch.device("cpu")) is None


def test_training_in_bfloat16_keeps_float32_weights_and_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    _, full = trained(Recipe(steps=40, batch_size=12, learning_rate=5e-3))
    monkeypatch.setattr(train, "half_precision", lambda device: torch.bfloat16)
    module, half = trained(Recipe(steps=40, batch_size=12, learning_rate=5e-3))
    assert {weight.dtype for weight in module.parameters()} == {torch.float32}
    assert half != full
    assert half[0] == pytest.approx(full[0], abs=0.02)
    assert sum(half[-5:]) / 5 < 0.7 * half[0]


def test_batches_are_brought_to_the_device_of_the_network() -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).to("meta")
    seen = []

    def loss(batch: Batch, step: int) -> Tensor:
        seen.extend(tensor.device.type for tensor in batch)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(module, Recipe(steps=1, batch_size=12, learning_rate=1e-3), drawn(), loss)
    assert seen == ["meta", "meta"]


def test_a_compiler_that_fails_costs_one_line_and_no_byte(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(function: object, **options: object) -> object:
        def call(*inputs: object) -> None:
            raise RuntimeError("no C++ compiler\nand many lines more")

        return call

    plain, _ = trained(Recipe(steps=4, batch_size=12, learning_rate=1e-3))
    monkeypatch.setattr(torch, "compile", failing)
    with caplog.at_level(logging.WARNING):
        compiled, _ = trained(Recipe(steps=4, batch_size=12, learning_rate=1e-3, compiled=True))
    (record,) = caplog.records
    assert record.getMessage().endswith("goes on without it: RuntimeError: no C++ compiler")
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), compiled.parameters(), strict=True))


def test_a_compiled_network_runs_as_it_is_after_training(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counting(function, **options):
        def call(*inputs):
            calls.append(inputs)
            return function(*inputs)

        return call

    monkeypatch.setattr(torch, "compile", counting)
    module, _ = trained(Recipe(steps=4, batch_size=12, learning_rate=1e-3, compiled=True))
    assert len(calls) == 4
    module(torch.zeros(1, 1, 8, 8))
    assert len(calls) == 4


def test_an_error_of_the_network_is_not_blamed_on_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    module = nn.Sequential(nn.Flatten(), nn.Linear(63, 4))
    recipe = Recipe(steps=1, batch_size=12, learning_rate=1e-3, compiled=True)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit(module, recipe, drawn(), lambda batch, _: cross_entropy(module(batch[0]), batch[1]))


@pytest.mark.slow
def test_the_real_compiler_gives_the_same_training(caplog: pytest.LogCaptureFixture) -> None:
    def plain(recipe: Recipe) -> nn.Module:
        with seeded(0):
            module = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.GELU(), nn.Linear(16, 4))
        fit(module, recipe, drawn(), lambda batch, _: cross_entropy(module(batch[0]), batch[1]))
        return module

    eager = plain(Recipe(steps=4, batch_size=12, learning_rate=1e-3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the compiler's own
        compiled = plain(Recipe(steps=4, batch_size=12, learning_rate=1e-3, compiled=True))
    assert "torch.compile failed" not in caplog.text
    assert_close(eager, compiled)


PEER = """
    import random, sys
    import torch
    from safetensors.torch import save_file
    from harness import catalog
    from harness.learn.checkpoint import Checkpoint
    from harness.learn.supernet import train_supernet
    from harness.task.signature import Signature
    from harness.learn.peers import data_parallel
    from harness.learn.fit import Recipe, seeded
    from pathlib import Path

    folder, rank, strategy = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    torch.set_num_threads(1)
    signature = Signature(kind="image", classes=4, height=8, width=8)
    space = catalog.load("space", "hybrid").space("micro", signature)
    draw = torch.Generator().manual_seed(0)

    def data():
        while True:
            labels = torch.randint(0, 4, (12,), generator=draw)
            noise = torch.randn(12, 1, 8, 8, generator=draw)
            yield noise * 0.3 + labels.view(-1, 1, 1, 1) - 1.5, labels

    with seeded(0):
        module = space.networks.supernet()
    recipe = Recipe(steps=6, batch_size=12, learning_rate=1e-3, accumulate=2)
    kept = Checkpoint(path=folder / f"kept{rank}", steps=5)
    with data_parallel("cpu") as peers:
        assert peers == (rank, 2)
        train_supernet(module, space, strategy, recipe, data(), random.Random(0), kept)
    save_file(module.state_dict(), folder / f"{rank}.safetensors")
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def place_of(rank: int, port: int) -> dict[str, str]:
    """Returns what a launcher tells each of two processes."""
    told = {
        "RANK": rank,
        "LOCAL_RANK": rank,
        "WORLD_SIZE": 2,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    return {name: str(value) for name, value in told.items()}


@pytest.fixture(scope="module", params=["single_path", "sandwich"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Returns a strategy and the folder in which two processes left what they trained together."""
    folder = tmp_path_factory.mktemp("pair")
    command = [sys.executable, "-c", textwrap.dedent(PEER), str(folder)]
    both = [
        subprocess.Popen([*command, str(rank), request.param], env=os.environ | place_of(rank, port))
        for port in [free_port()]
        for rank in range(2)
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    return request.param, folder


@pytest.mark.slow
@pytest.mark.ci
def test_two_processes_give_the_supernet_of_one(pair: tuple[str, Path]) -> None:
    strategy, folder = pair
    alone = supernet(strategy, Recipe(steps=6, batch_size=12, learning_rate=1e-3))
    together = load_file(folder / "0.safetensors")
    for name, weight in alone.state_dict().items():
        torch.testing.assert_close(weight, together[name], rtol=1e-3, atol=2e-4)


@pytest.mark.slow
@pytest.mark.ci
def test_two_processes_hold_the_same_bytes(pair: tuple[str, Path]) -> None:
    _, folder = pair
    assert (folder / "0.safetensors").read_bytes() == (folder / "1.safetensors").read_bytes()


@pytest.mark.slow
@pytest.mark.ci
def test_only_the_first_process_writes_checkpoints(pair: tuple[str, Path]) -> None:
    _, folder = pair
    assert [file.name for file in sorted(folder.glob("kept*"))] == ["kept0"]


@pytest.mark.slow
@pytest.mark.ci
def test_a_launched_run_trains_together_and_keeps_the_records_of_one(tmp_path: Path) -> None:
    harness = [sys.executable, "-c", "from harness.cli.main import main; main()", "eval", "toy", "--out"]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    commands = {
        "one": [*harness, str(tmp_path / "one")],
        "two": [*launcher, str(free_port()), "--no-python", *harness, str(tmp_path / "two")],
    }
    records: dict[str, dict[str, dict[str, Any]]] = {}
    for name, command in commands.items():
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=300)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Report:") == 1
        found = sorted((tmp_path / name / "units").rglob("record.json"))
        records[name] = {path.parent.name: json.loads(path.read_bytes()) for path in found}
    assert records["one"].keys() == records["two"].keys()
    for folder, record in records["two"].items():
        made = json.loads((tmp_path / "two" / "units" / folder / "provenance.json").read_bytes())
        assert (record["status"], made["processes"]) == ("ok", 2)
        if record["kind"] == "supernet":
            one, two = (
                load_file(tmp_path / name / "units" / folder / "weights.safetensors") for name in records
            )
            for weight, value in one.items():
                torch.testing.assert_close(two[weight], value, rtol=1e-3, atol=2e-4)
    again = subprocess.run(commands["two"], capture_output=True, text=True, env=os.environ, timeout=300)
    assert again.returncode == 0, again.stderr
    assert "already finished" in again.stderr


def test_what_a_unit_had_to_do_without_the_next_one_has_again() -> None:
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    try:
        same_bits("cuda")
        torch.use_deterministic_algorithms(True, warn_only=True)  # as a training does that has no such form
        same_bits("cuda")
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
