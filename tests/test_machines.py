"""What a plan takes elsewhere. Truth: small graphs by hand, and sums that any order keeps."""

from pathlib import Path
from typing import Any

import pytest
from command import harness
from hypothesis import given
from hypothesis import strategies as st
from sharing import KIND, Link

from harness.cli.running.machines import Machines, machines, makespan
from harness.errors import HarnessError
from harness.identity.unit import Unit


def chains(lengths: list[int]) -> list[Unit[Any, Any]]:
    units: list[Unit[Any, Any]] = []
    for chain, length in enumerate(lengths):
        needs: tuple[str, ...] = ()
        for place in range(length):
            units.append(Unit(kind=KIND, spec=Link(chain=chain, place=place), needs=needs))
            needs = (units[-1].hash,)
    return units


def test_chains_take_what_the_longest_takes_where_there_are_devices_for_all() -> None:
    units = chains([3, 1, 1])
    seconds = {unit.hash: 10.0 for unit in units}
    assert makespan(units, seconds, 1) == 50
    assert makespan(units, seconds, 2) == 30
    assert makespan(units, seconds, 99) == 30
    assert makespan([], {}, 3) == 0


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(1, 8), st.data())
def test_it_lies_between_what_no_order_beats_and_what_any_order_keeps(
    lengths: list[int], count: int, data: st.DataObject
) -> None:
    units = chains(lengths)
    seconds = {unit.hash: float(data.draw(st.integers(1, 50))) for unit in units}
    work = sum(seconds.values())
    longest = max(
        sum(seconds[unit.hash] for unit in units if unit.spec.chain == chain) for chain in range(len(lengths))
    )
    found = makespan(units, seconds, count)
    assert max(work / count, longest) <= found + 1e-9
    assert found <= work / count + longest + 1e-9  # Graham, 1966


def test_machines_are_named_by_count_and_kind() -> None:
    assert machines("8xh100") == Machines(8, "H100")
    for text in ("H100", "0xH100", "8xB2", "-1xA100", "8 x"):
        with pytest.raises(HarnessError, match="such as 8xH100"):
            machines(text)


def test_a_dry_run_tells_hours_storage_and_money(tmp_path: Path) -> None:
    words = ("eval", "toy", "--out", tmp_path / "run", "--dry-run")
    done = harness(*words, "--on", "4xA100", "--price", "1000000")
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split() for line in done.stdout.splitlines() if line[:1].isdigit()}
    assert list(rows)[:2] == ["1", "4"]
    assert float(rows["4"][1]) <= float(rows["1"][1])
    assert int(rows["4"][3].replace(",", "")) >= int(rows["1"][3].replace(",", ""))
    assert "Storage" in done.stdout
    assert not (tmp_path / "run").exists()
    assert harness(*words, "--price", "2").returncode == 2
    assert harness("eval", "toy", "--on", "4xA100").returncode == 2


def test_a_small_step_on_a_gpu_takes_what_its_launches_take(tmp_path: Path) -> None:
    """A thousand times fewer multiply-accumulates a step leave the time of the launches."""
    suite = tmp_path / "small.toml"
    text = (Path(__file__).parents[1] / "leaderboards" / "diversity_language_smoke.toml").read_text()
    suite.write_text(text.replace("steps = 120", "steps = 60_000"))
    done = harness("eval", suite, "--dry-run", "--on", "1xH200")
    assert done.returncode == 0, done.stderr
    row = next(line.split() for line in done.stdout.splitlines() if line.startswith("1 "))
    trainings = 5 + 7
    steps = 60_000 * (1 + 0.2 * 0.75)  # two decays beside
    assert float(row[1]) == pytest.approx(trainings * steps * 0.015 / 3600, rel=0.1)
