"""Speed of networks: measured, kept beside a run, and shown. Truth: networks that sleep for a known time."""

import tarfile
from dataclasses import replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
import torch
from command import harness
from torch import Tensor, nn

from harness.checks.section import RECORDED
from harness.errors import HarnessError
from harness.nn.measure import LEAST_CALLS, call_seconds, threads_of
from harness.report.page import write_report
from harness.run.loaded import load_run
from harness.run.record import Speed
from harness.run.stored import write_speeds
from harness.study.formats import board_json
from harness.study.study import build_board, load_study
from harness.study.trained import speed
from harness.task.signature import Signature

IMAGES = Signature(kind="image", classes=2, height=4, width=4)


class Sleeper(nn.Module):
    """Takes so many seconds a call, and as many more every tenth call."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.seconds, self.calls = seconds, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        sleep(self.seconds * (1 + (self.calls % 10 == 0)))
        return images.flatten(1)[:, :2] * self.scale


def test_a_network_that_sleeps_longer_takes_longer_and_rare_delays_show_in_the_tail() -> None:
    quick, slow = (call_seconds(Sleeper(each), IMAGES, 1, seconds=0.0) for each in (0.002, 0.02))
    assert len(slow) == LEAST_CALLS
    assert 0.02 <= np.median(slow) < 0.04 <= np.percentile(slow, 95)
    assert np.median(quick) < np.median(slow) / 2


def test_calls_that_are_not_timed_come_first() -> None:
    class Cold(Sleeper):
        def forward(self, images: Tensor) -> Tensor:
            sleep(0.2 if self.calls == 0 else 0)
            return super().forward(images)

    assert call_seconds(Cold(0.0), IMAGES, 1, seconds=0.0).max() < 0.2


def test_a_batch_of_twice_the_size_has_twice_the_throughput_where_calls_take_as_long() -> None:
    one, two = (size / np.median(call_seconds(Sleeper(0.02), IMAGES, size, seconds=0.0)) for size in (8, 16))
    assert two / one == pytest.approx(2, rel=0.25)


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    with threads_of(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with tarfile.open(RECORDED / "trained.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return next(path.parent for path in tmp_path.rglob("plan.json"))


def test_latency_is_measured_beside_a_run_and_the_slow_row_is_shown_and_leaves_the_front(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_run(run)
    kept = board_json(build_board(before))
    monkeypatch.setattr(speed, "LOOKED", 0.0)
    assert harness("latency", run, "--batch-size", 2).returncode == 0
    found = load_run(run)
    assert all(one.p95 >= one.p50 > 0 and one.throughput > 0 for one in found.speeds)
    assert board_json(build_board(found)) == kept

    board = build_board(found)
    task = board.tasks[0]  # type: ignore[attr-defined]
    [(_, rows)] = speed.row_speeds(found, task).items()
    assert set(rows) == {row.key for row in task.rows if not row.is_floor}
    chosen = task.row("default")
    best = max((row for row in task.rows if row.key in rows), key=lambda row: row.held_out.value)
    slow = [_with(one, p50=9.0, p95=9.9) for one in rows[chosen.key]]
    fast = [_with(one, p50=1e-6) for one in rows[best.key] if one not in rows[chosen.key]]
    write_speeds(run, [*slow, *fast])
    found = load_run(run)
    lines = harness("leaderboard", run, "--format", "md").stdout.splitlines()
    line = next(one for one in lines if "| default |" in one and "e+03" in one)
    assert "9.9e+03" in line
    assert "**" not in line
    assert "median milliseconds" in write_report(run, ["cost"]).read_text()


def _with(one: Speed, **changes: float) -> Speed:
    return replace(one, **changes)  # type: ignore[arg-type]


def test_a_busy_machine_is_told() -> None:
    one = Speed(
        network="0" * 16,
        device="a processor",
        threads=1,
        p50=1.0,
        p95=1.0,
        calls=20,
        batch_size=1,
        throughput=1.0,
        busy=1.5,
        processors=2,
    )
    assert one.is_disturbed
    assert not _with(one, busy=0.9).is_disturbed


def test_a_run_without_networks_and_a_device_that_is_not_there_are_told_in_a_sentence(run: Path) -> None:
    loaded = load_run(run)
    study = load_study(loaded.study)
    with pytest.raises(HarnessError, match="There is no device 'tpu' on this machine"):
        next(study.measure(loaded, device="tpu", threads=1, batch_size=1))
    with pytest.raises(HarnessError, match="has no networks to measure"):
        load_study("lookup").measure(loaded, device="cpu", threads=1, batch_size=1)
