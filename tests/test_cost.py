"""Estimates of --dry-run. Truth: products of counts that are known exactly."""

from spaces import named
from working import first, planned

from harness.cli import progress
from harness.study.cost import MACS_PER_SECOND, Costs


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


def test_a_document_is_read_window_by_window() -> None:
    plan = planned("quickstart")
    costs = Costs(plan.units)
    score = first(plan, "score", task="byte_domains", method="default")
    final = first(plan, "final", task="byte_domains", method="default")
    per_window = costs.macs(final) / (3 * 80 * 16 + 30 * 2 * 7)
    assert costs.macs(score) == round(per_window) * 120 * 7  # 256 bytes in windows of 64 that overlap by half


def test_every_unit_is_printed_and_the_assumption_stated() -> None:
    plan = planned("paper_ofa")
    *lines, total, stated = progress.planned(plan).splitlines()
    assert [line.split()[0] for line in lines] == [unit.hash for unit in plan.units]
    assert all(("EMACs" in line) == (" prepare " not in f" {line} ") for line in lines)
    costs = Costs(plan.units)
    summed = sum(costs.macs(unit) for unit in plan.units)
    assert total == f"46 units  {summed / 1e18:.3g} EMACs, {summed / MACS_PER_SECOND / 3600:.3g} GPU-hours"
    assert "5e+12" in stated


def test_a_look_up_costs_nothing() -> None:
    assert "EMACs" not in progress.planned(planned("toy_lookup"))
