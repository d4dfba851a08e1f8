"""Short trainings along the way of one. Truth: the same steps written anew; trainings cut and damaged."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from command import harness
from torch import nn

from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.learn.checkpoint import Checkpoint
from harness.learn.fit import Batch, Recipe
from harness.run.loaded import load_run
from harness.study.diversity.units import CELL
from harness.study.diversity.work.short import ShortTrainings, trained

STEPS, DECAY, SHARES = 20, 0.25, (0.4, 1.0)
RECIPE = Recipe(steps=STEPS, batch_size=4, learning_rate=0.05, warmup=0.1, clip=0.0, weight_decay=0.0)


class Lines(ShortTrainings):
    """Trainings on made-up lines, so that nothing is read."""

    def _batches(self, order: np.random.Generator) -> Iterator[Batch]:
        while True:
            inputs = torch.tensor(order.normal(size=(4, 3)), dtype=torch.float32)
            yield inputs, (inputs.sum(dim=1) > 0).long()


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Linear(3, 2)


@pytest.fixture
def trainings(tmp_path: Path) -> Lines:
    view = SourceView.__new__(SourceView)  # nothing of it is read
    return Lines(view, RECIPE, SHARES, DECAY, 1, tmp_path)


def weights(trainings: ShortTrainings, steps: int) -> torch.Tensor:
    module = network()
    assert trainings.restore(module, steps)
    return torch.cat([one.detach().flatten() for one in module.parameters()])


def test_the_rate_rises_stays_and_falls_and_a_short_training_falls_from_where_it_is(trainings: Lines) -> None:
    heights = [trainings._height(step) for step in range(STEPS)]
    assert heights == pytest.approx([0.5, *[1.0] * 15, 0.8, 0.6, 0.4, 0.2])
    assert trainings.steps == [8, 20]
    assert trainings.taken == 20 + 2


def test_a_short_training_is_the_steps_of_the_long_one_and_a_fall_of_its_own(trainings: Lines) -> None:
    trained(trainings, network())
    module = network()
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.05, betas=(0.9, 0.98), weight_decay=0.0)

    def step(data: Iterator[Batch], height: float) -> None:
        optimizer.param_groups[0]["lr"] = 0.05 * height
        inputs, targets = next(data)
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(inputs), targets).backward()
        optimizer.step()

    from harness import seeds

    data = trainings._batches(seeds.generator(1, "cell", "batches"))
    for place in range(6):
        step(data, (0.5, 1.0)[min(place, 1)])
    fall = trainings._batches(seeds.generator(1, "cell", "decay", "8"))
    for height in (1.0, 0.5):
        step(fall, height)
    expected = torch.cat([one.detach().flatten() for one in module.parameters()])
    assert torch.allclose(weights(trainings, 8), expected, atol=1e-6)
    assert not torch.allclose(weights(trainings, 20), expected, atol=1e-3)


def test_the_long_training_is_not_disturbed_by_the_short_one(trainings: Lines, tmp_path: Path) -> None:
    trained(trainings, network())
    (tmp_path / "alone").mkdir()
    alone = Lines(trainings.view, RECIPE, (1.0,), DECAY, 1, tmp_path / "alone")
    trained(alone, network())
    assert torch.equal(weights(trainings, 20), weights(alone, 20))


Wrong = Callable[[Path], None]


def cut(path: Path) -> None:
    path.unlink()


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("wrong", [cut, flipped])
@pytest.mark.parametrize("steps", SHARES)
def test_what_is_lost_or_damaged_of_a_training_is_made_again(
    trainings: Lines, steps: float, wrong: Wrong
) -> None:
    trained(trainings, network())
    before = [weights(trainings, one) for one in trainings.steps]
    wrong(trainings.folder / f"after-{round(steps * STEPS)}.safetensors")
    trained(trainings, network())
    assert all(
        torch.equal(weights(trainings, one), was) for one, was in zip(trainings.steps, before, strict=True)
    )


@pytest.mark.parametrize("end", [3, 7, 15])
def test_a_training_that_is_cut_anywhere_ends_in_the_same_bytes(
    trainings: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int
) -> None:
    trained(trainings, network())
    (tmp_path / "cut").mkdir()
    other = Lines(trainings.view, RECIPE, SHARES, DECAY, 1, tmp_path / "cut")
    offer = Checkpoint.offer

    def every(self: Checkpoint, training: object, step: int) -> None:
        self.steps = 1
        offer(self, training, step)  # type: ignore[arg-type]
        if step == end:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "offer", every)
    with pytest.raises(KeyboardInterrupt):
        trained(other, network())
    monkeypatch.setattr(Checkpoint, "offer", offer)
    trained(other, network())
    for steps in trainings.steps:
        assert torch.equal(weights(other, steps), weights(trainings, steps))


def test_what_cannot_be_read_back_is_told(trainings: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lines, "_keep", lambda self, module, steps: None)
    with pytest.raises(HarnessError, match="What was trained for 8 steps cannot be read back; run it again"):
        trained(trainings, network())
    assert copy.deepcopy(trainings).steps == [8, 20]


@pytest.mark.slow
@pytest.mark.ci
def test_a_suite_of_pools_runs_is_finished_and_keeps_no_weights(tmp_path: Path) -> None:
    first = harness("eval", "toy_diversity", "--out", tmp_path / "run", "--workers", 1)
    assert first.returncode == 0, first.stderr
    assert "No arms are compared at equal in-domain score" in first.stdout
    assert "One family of domains is held out, and a comparison takes two." in first.stdout
    assert not list((tmp_path / "run").rglob("after-*"))
    run = load_run(tmp_path / "run")
    cells = [(unit, run.result(unit)) for unit in run.planned(CELL)]
    assert [len(cell.checkpoints) for _, cell in cells if cell] == [2] * 5
    for unit, cell in cells:
        assert cell is not None
        assert cell.checkpoints[-1].held_out == cell.whole
        assert (run.place(unit) / "sums.safetensors").is_file()
    again = harness("eval", "toy_diversity", "--out", tmp_path / "run", "--workers", 1)
    assert "nothing was run" in again.stderr
    assert again.stdout == first.stdout
    other = tmp_path / "other"
    taken = harness("eval", "toy_diversity", "--from", tmp_path / "run", "--out", other, "--workers", 1)
    assert "nothing was run" in taken.stderr
    assert taken.stdout.replace(str(other), str(tmp_path / "run")) == first.stdout
    unit = next(other.glob("units/cell-*/record.json"))
    data = bytearray(unit.read_bytes())
    data[len(data) // 2] ^= 1
    unit.write_bytes(bytes(data))
    damaged = harness("eval", "toy_diversity", "--from", other, "--out", tmp_path / "third", "--workers", 1)
    assert damaged.returncode == 0
    assert "It is made again" in damaged.stderr
    assert damaged.stdout.replace(str(tmp_path / "third"), str(tmp_path / "run")) == first.stdout
    nothing = harness("eval", "toy_diversity", "--from", tmp_path / "no", "--out", tmp_path / "fourth")
    assert nothing.returncode == 2
    assert "is not a run folder; give --from one that `harness eval` wrote" in nothing.stderr
