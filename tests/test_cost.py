"""Estimates of --dry-run. Truth: products of counts that are known exactly."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest
from command import harness
from spaces import named
from working import first, planned

from harness.cli import progress
from harness.identity import memory
from harness.study import pace
from harness.study.cost import Costs
from harness.study.pace import Paced
from harness.study.plan import Plan


def test_a_step_of_single_path_is_three_passes_of_the_mean_architecture() -> None:
    plan = planned("paper_spos")
    unit = first(plan, "supernet")
    found = Costs(plan.units).macs(unit) / (150_000 * 1024 * 3)
    space = named("shufflenet:paper")
    assert 0.9 * 300e6 < found < 1.1 * 330e6
    smallest, largest = (space.macs((choice,) * 20) for choice in (0, 3))
    assert smallest < found < largest


def test_a_baseline_costs_what_its_network_is_measured_to_cost() -> None:
    plan = planned("paper_spos")
    unit = first(plan, "final", method="timm:mobilenetv2_100")
    assert Costs(plan.units).macs(unit) == 300_774_272 * (3 * 300_000 * 1024 + 10_000)


def test_a_search_pays_for_validation_and_for_the_statistics_of_each_candidate() -> None:
    plan = planned("paper_spos")
    costs = Costs(plan.units)
    step = costs.macs(first(plan, "supernet")) / (150_000 * 1024 * 3)
    assert abs(costs.macs(first(plan, "search")) / step / (1000 * (10_000 + 400 * 64)) - 1) < 1e-9
    plan = planned("paper_autoformer")
    costs = Costs(plan.units)
    step = costs.macs(first(plan, "supernet")) / (625_500 * 1024 * 3)
    assert abs(costs.macs(first(plan, "search")) / step / (1000 * 10_000) - 1) < 1e-9


def test_more_paths_a_step_cost_more() -> None:
    plan = planned("toy_quality")
    costs = Costs(plan.units)
    names = sorted({unit.spec.strategy for unit in plan.units if unit.kind.name == "supernet"})
    found = {name: costs.macs(first(plan, "supernet", strategy=name)) for name in names}
    assert found["single_path"] == min(found.values())
    assert len(set(found.values())) == len(found) > 1


@pytest.mark.parametrize("task", ["digits", "byte_domains"])
def test_trials_of_the_quickstart_cost_what_its_searches_do(task: str) -> None:
    plan = planned("quickstart")
    costs = Costs(plan.units)
    searched = sum(costs.macs(first(plan, kind, task=task)) for kind in ("supernet", "search"))
    tune = first(plan, "tune", task=task)
    each = costs.macs(tune) / tune.spec.evaluations
    assert tune.spec.evaluations >= 3, "fewer choose the default every time"
    assert 0 <= costs.macs(tune) - searched < each


def test_a_document_is_read_window_by_window() -> None:
    plan = planned("quickstart")
    costs = Costs(plan.units)
    score = first(plan, "score", task="byte_domains", method="default")
    final = first(plan, "final", task="byte_domains", method="default")
    per_window = costs.macs(final) / (3 * 60 * 16 + 30 * 2 * 7)
    assert costs.macs(score) == round(per_window) * 120 * 7  # 256 bytes in windows of 64 that overlap by half


def rows(plan: Plan) -> tuple[dict[tuple[str, str], list[str]], str]:
    lines = progress.planned(plan, workers=2, width=None).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("──")) + 1
    end = lines.index("", start)
    found = [re.split(r" {2,}", line.strip()) for line in lines[start:end]]
    return {(row[0], row[1]): row[2:] for row in found}, " ".join(map(str.strip, lines[end:]))


def test_a_plan_is_told_by_task_and_kind_and_the_assumptions_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "USUAL", 2e-12)  # the networks of this suite are too large to be measured here
    plan = planned("paper_ofa")
    found, notes = rows(plan)
    counted = Counter((unit.spec.of.partition("/")[0], unit.kind.name) for unit in plan.units)
    assert {key: int(row[0].replace(",", "")) for key, row in found.items()} == counted
    costs = Costs(plan.units)
    for (of, kind), (_, minutes, *macs) in found.items():
        units = [one for one in plan.units if one.spec.of.startswith(of) and one.kind.name == kind]
        summed = sum(map(costs.macs, units))
        assert macs == ([f"{summed / 1e12:,.3g}"] if summed else [])
        if summed and kind != "search":
            wanted = (summed * 2e-12 + pace.OVERHEAD * len(units)) / 60
            assert float(minutes.replace(",", "")) == pytest.approx(wanted, rel=0.02)
    assert f"{len(plan.units)} units: " in notes
    assert "at 5e+12 of them a second" in notes


def test_a_look_up_has_no_products() -> None:
    found, notes = rows(planned("toy_lookup"))
    assert all(len(row) == 2 for row in found.values())
    assert "TMACs" not in notes


def test_a_network_that_takes_longer_is_told_to_and_what_was_measured_is_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = planned("toy_quality")
    unit = first(plan, "supernet", strategy="single_path")
    taken = iter((0.5, 1.0))
    monkeypatch.setattr(pace, "_each", lambda act: next(taken))
    known: dict[str, float] = {}

    def remembered(key: object, compute: Callable[[], float]) -> float:
        return known.setdefault(repr(key), compute()) if repr(key) not in known else known[repr(key)]

    monkeypatch.setattr(pace, "remembered", remembered)
    steps = unit.spec.steps
    usual = pace._usual(Costs(plan.units).space(unit.spec))
    share = Costs(plan.units).mean(unit.spec) / Costs(plan.units).space(unit.spec).macs(usual)
    for _ in range(2):  # the second time nothing is measured
        found = Paced(plan.units).seconds(unit)
        assert found == pytest.approx(0.5 * steps * share + pace.OVERHEAD)
    known.clear()
    assert Paced(plan.units).seconds(unit) == pytest.approx(1.0 * steps * share + pace.OVERHEAD)


def test_a_search_by_the_embedded_model_takes_longer_and_one_by_an_endpoint_is_told() -> None:
    plan = planned("quickstart")
    paced = Paced(plan.units)
    asking, silent = (
        first(plan, "search", task="digits", searcher=one) for one in ("collm_nas", "random_search")
    )
    assert paced.seconds(asking) - paced.seconds(silent) == pytest.approx(pace.ANSWER * 16)
    assert "endpoint" not in rows(plan)[1]


@pytest.mark.parametrize("slow", [1, 4])
def test_what_is_measured_is_the_time_of_one_call(slow: int) -> None:
    def act(times: int) -> None:
        end = process_time() + 0.004 * slow * times
        while process_time() < end:
            pass

    assert pace._each(act) == pytest.approx(0.004 * slow, rel=0.25)


def test_what_a_dry_run_measured_is_remembered_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, each = [], pace._each
    monkeypatch.setattr(pace, "_each", lambda act: measured.append(act) or each(act))

    def dry_run() -> str:
        monkeypatch.setattr(memory._memory, "values", {})
        done = harness("eval", "toy", "--dry-run", HARNESS_DATA=str(tmp_path))
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = dry_run()
    count = len(measured)
    assert count
    assert dry_run() == first
    assert len(measured) == count
