"""Tuned fixed baselines, and defaults of spaces. Truth: the plain baseline's own training, closed forms.

A trial is compared with the final of the same network on the same seed, a killed tuning with an undisturbed
one, and widths with a search over all of them.
"""

import json
import os
import random
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command import python
from spaces import named
from working import all_done, done, first, plan_of

from harness import catalog
from harness.cli.progress import label
from harness.data import load
from harness.errors import HarnessError, UnknownNameError
from harness.files import write_atomically
from harness.identity.unit import AnyUnit, unit_folder
from harness.learn.baseline import FixedBaseline
from harness.report.page import write_report
from harness.run.loaded import load_run
from harness.run.record import read_record
from harness.search.halving import Halving
from harness.study.cost import Costs
from harness.study.plan import Plan
from harness.study.study import build_board
from harness.study.work import alone
from harness.task.selection import ORACLE, SELECTIONS
from harness.task.signature import Signature

TRIALS = 4
USUAL = {"tuning": "whole", "steps": 4}
ROWS = ("default", "tuned:default", "default:mobilenet:micro", "tuned:default:mobilenet:micro")
BYTES = Signature(kind="bytes", classes=256)
IMAGES = Signature(kind="image", classes=10)
TEXTS = Signature(kind="text", classes=4)
DEPTHS = (1, 2, 3, 4, 5, 6, 8)


def tuning(
    folder: Path, baselines: Iterable[str] = ROWS, *, task: str = "toy_patterns", **changed: Any
) -> Plan:
    settings = {
        "rates": [3e-3, 1e-2],
        "trials": TRIALS,
        "rules": [SELECTIONS[0]],
        "tuning": "whole",
        "steps": 4,
    }
    settings |= changed
    names = list(baselines)
    text = (
        f'extends = "toy"\nspaces = []\nsearchers = []\nbaselines = {json.dumps(names)}\n'
        f'reference = "{names[0]}"\nselection = {json.dumps(settings["rules"])}\n'
        f'[claim]\nmethod = "{names[0]}"\nspace = ""\n[search]\ntrials = {settings["trials"]}\n'
        f'tuning = "{settings["tuning"]}"\n'
        f'[[tasks]]\nname = "{task}"\nvalidation_samples = 40\ntest_samples = 60\n'
        f"[tasks.training]\nsteps = {settings['steps']}\nbatch_size = 8\n"
        f"learning_rates = {settings['rates']}\n"
    )
    return plan_of(text, folder)


def result(plan: Plan, unit: AnyUnit, run: Path) -> dict[str, Any]:
    found: dict[str, Any] = done(plan, unit, run).result.to_json()
    return found


def parameters(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


class Ran:
    """A plan of every rule of selection, all of whose units were performed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "run"
        self.plan = tuning(folder, rules=list(SELECTIONS))
        self.results = all_done(self.plan, self.plan.units, self.folder)
        write_atomically(self.folder / "plan.json", self.plan.to_json())

    def result(self, kind: str, **spec: Any) -> dict[str, Any]:
        return self.results[first(self.plan, kind, **spec).hash]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return Ran(tmp_path_factory.mktemp("tuned"))


@pytest.fixture
def prepared(ran: Ran, tmp_path: Path) -> tuple[Plan, AnyUnit]:
    """Returns a plan whose data is prepared, and its first tuning."""
    plan = tuning(tmp_path, ["default", "tuned:default"])
    return plan, first(plan, "tune", seed=0)


@pytest.mark.parametrize("name", ["default", "default:mobilenet:micro"])
def test_the_first_trials_are_the_plain_baseline_at_each_rate_on_the_selecting_seed(
    ran: Ran, name: str
) -> None:
    for seed in (0, 1):
        plain = ran.result("final", method=name, report_seed=seed)
        pilot = ran.result("tune", method=f"tuned:{name}", seed=seed)["trials"][:2]
        assert {repr(one["learning_rate"]): one["validation"] for one in pilot} == plain["rates"]
        assert [one["learning_rate"] for one in pilot] == [3e-3, 1e-2]
        assert all(one["architecture"] is None for one in pilot)
        assert {one["parameters"] for one in pilot} == {plain["parameters"]}


def test_there_are_as_many_trials_as_the_suite_says(ran: Ran) -> None:
    found = ran.result("tune", method="tuned:default", seed=0)
    assert found["evaluations"] == len(found["trials"]) == TRIALS
    rates = [trial["learning_rate"] for trial in found["trials"][2:]]
    assert len(set(rates)) == TRIALS - 2
    assert all(1e-2 / 4 <= rate <= 1e-2 * 4 for rate in rates), "around the middle one"
    assert all(trial["architecture"]["depth"] in DEPTHS for trial in found["trials"][2:])


def test_a_family_of_one_shape_is_tuned_in_its_recipe_alone(ran: Ran) -> None:
    deep = ran.result("tune", method="tuned:default", seed=0)["trials"]
    flat = ran.result("tune", method="tuned:default:mobilenet:micro", seed=0)["trials"]
    assert [trial["learning_rate"] for trial in flat] == [trial["learning_rate"] for trial in deep]
    assert [trial["recipe"] for trial in flat] == [trial["recipe"] for trial in deep]
    assert {trial["architecture"] for trial in flat} == {None}


def test_the_best_trial_is_chosen_and_trained_again_on_the_other_seed(ran: Ran) -> None:
    for name in ("tuned:default", "tuned:default:mobilenet:micro"):
        for select, report in ((0, 1), (1, 0)):
            tuned = ran.result("tune", method=name, seed=select)
            final = ran.result("final", method=name, select_seed=select, report_seed=report)
            assert tuned["validation"] == max(trial["validation"] for trial in tuned["trials"])
            kept = ("learning_rate", "architecture", "parameters")
            assert {key: final[key] for key in kept} == {key: tuned[key] for key in kept}
            assert list(final["rates"]) == [repr(tuned["learning_rate"])]


def test_a_final_on_the_selecting_seed_would_be_the_trial_itself(ran: Ran, tmp_path: Path) -> None:
    unit = first(ran.plan, "final", method="tuned:default", select_seed=0, selection=SELECTIONS[0])
    same = replace(unit, spec=replace(unit.spec, report_seed=0))
    found = result(ran.plan, same, ran.folder)
    assert found["validation"] == ran.result("tune", method="tuned:default", seed=0)["validation"]
    files = [unit_folder(ran.folder, one) / "weights.safetensors" for one in (unit, same)]
    assert files[0].read_bytes() != files[1].read_bytes()


def test_a_final_takes_over_recipe_and_shape_of_a_trial_that_was_not_the_plain_one(tmp_path: Path) -> None:
    rates = [0.1]  # too high for the plain one
    plan = tuning(tmp_path, ["default", "tuned:default"], rates=rates, trials=6)
    tuned = result(plan, first(plan, "tune", seed=1), tmp_path)
    assert tuned["architecture"] is not None
    assert tuned["recipe"], "it differs from the suite's, which is the usual one"
    unit = first(plan, "final", method="tuned:default", select_seed=1)
    same = result(plan, replace(unit, spec=replace(unit.spec, report_seed=1)), tmp_path)
    kept = ("learning_rate", "architecture", "parameters", "validation")
    assert {key: same[key] for key in kept} == {key: tuned[key] for key in kept}
    (tried,) = (one for one in tuned["trials"] if one["validation"] == tuned["validation"])
    assert same["macs"] == tried["macs"] > 0
    assert same["compute"] == pytest.approx(tuned["compute"] / 6, rel=0.5)


def test_no_rule_of_selection_changes_what_the_trials_chose(ran: Ran) -> None:
    tuned = ran.result("tune", method="tuned:default", seed=0)
    domains = ("clean", "grainy", "rough")
    scores = [
        [
            ran.result("score", method="tuned:default", select_seed=0, selection=rule, domain=domain)
            for domain in domains
        ]
        for rule in SELECTIONS
    ]
    assert scores[0] == scores[1]
    assert scores[0][:2] == scores[2][:2], "an oracle chose on a part of what else is held out"
    assert {score["learning_rate"] for score in scores[0]} == {tuned["learning_rate"]}
    assert ran.result("final", method="tuned:default", selection=ORACLE)["learning_rate"] is None


def test_a_tuned_row_reads_its_sources_alone_before_it_is_scored(
    prepared: tuple[Plan, AnyUnit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.data import view as protocol

    read: set[tuple[str, str]] = set()
    real = load.load_split

    def watched(task_name, task, domain, name, folder, *, limit=None):
        read.add((domain.name, name))
        return real(task_name, task, domain, name, folder, limit=limit)

    monkeypatch.setattr(protocol, "load_split", watched)
    plan, tune = prepared
    done(plan, tune, tmp_path)
    done(plan, first(plan, "final", method="tuned:default", select_seed=0), tmp_path)
    assert read == {(source, name) for source in ("clean", "grainy") for name in ("train", "validation")}


def left(run: Path, unit: AnyUnit) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in unit_folder(run, unit).iterdir()}


def test_a_killed_tuning_goes_on_with_its_next_trial_to_the_same_bytes(
    ran: Ran, prepared: tuple[Plan, AnyUnit], tmp_path: Path
) -> None:
    plan, unit = prepared
    code = (
        "import os, sys, runpy; from pathlib import Path\n"
        "from harness.study.trained.work import tune as module\n"
        "real, calls = module.RowTraining.at, []\n"
        "def dying(*given, until=None):\n"
        "    calls.append(1)\n"
        f"    if len(calls) == 3: os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        "    return real(*given)\n"
        "module.RowTraining.at = dying\n"
        "here = runpy.run_path(sys.argv[1])\n"
        "plan = here['tuning'](Path(sys.argv[2]), ['default', 'tuned:default'])\n"
        "here['done'](plan, here['first'](plan, 'tune', seed=0), Path(sys.argv[2]))\n"
    )
    path = str(Path(__file__).parent)
    killed = python(code, __file__, tmp_path, PYTHONPATH=os.pathsep.join([path, *filter(None, sys.path)]))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    path = unit_folder(tmp_path, unit) / "trials.jsonl"
    kept = path.read_bytes()
    assert kept.count(b"\n") == 2
    path.write_bytes(kept + b'{"learning_rate":0.0')  # what a kill may leave of a line
    done(plan, unit, tmp_path)
    whole = first(ran.plan, "tune", method="tuned:default", seed=0)
    assert whole.hash == unit.hash
    assert left(tmp_path, unit) == left(ran.folder, whole)
    assert set(left(tmp_path, unit)) == {"trials.jsonl", "record.json"}


def test_a_trial_is_promoted_where_it_is_among_the_best_third_of_its_rung() -> None:
    scores = {0: 0.1, 1: 0.3, 2: 0.2, 3: 0.0, 4: 0.5, 5: 0.4, 6: 0.6, 7: float("-inf"), 8: 0.0}
    halving, jobs = Halving(3), []
    for _ in range(14):
        job = halving.next()
        assert job == halving.next()
        jobs.append(tuple(job))
        halving.tell(job, scores[job.trial])
    # By hand, after algorithm 2: 1 is the best of 3 trials, 4 of 5, 5 the second of 6, and 6 of 7.
    news = [(index, 0) for index in range(9)]
    order = [*news[:3], (1, 1), *news[3:5], (4, 1), news[5], (5, 1), (4, 2), news[6], (6, 1), (6, 2), news[7]]
    assert jobs == order


def test_successive_halving_goes_on_from_checkpoints_and_spends_no_more_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    real = alone.cross_entropy
    monkeypatch.setattr(alone, "cross_entropy", lambda *given: taken.append(1) or real(*given))
    plan = tuning(tmp_path, ["default", "tuned:default"], tuning="asha", trials=4, steps=18)
    unit = first(plan, "tune", seed=0)
    for one in (unit for unit in plan.units if unit.kind.name == "prepare"):
        done(plan, one, tmp_path)
    found = result(plan, unit, tmp_path)
    trials = found["trials"]
    assert len(taken) == sum(trial["steps"] for trial in trials) <= 4 * 18
    assert {trial["steps"] for trial in trials} == {2, 6, 18}
    best = [trial for trial in trials if trial["steps"] == 18]
    assert found["validation"] == max(trial["validation"] for trial in best)
    assert set(left(tmp_path, unit)) == {"trials.jsonl", "record.json"}
    # A trial that was paused twice ends where a whole training of the same draw ends.
    (tmp_path / "whole").mkdir()
    index = trials.index(best[0])
    whole = tuning(tmp_path / "whole", ["default", "tuned:default"], trials=index + 1, steps=18)
    for one in (unit for unit in whole.units if unit.kind.name == "prepare"):
        done(whole, one, tmp_path / "whole")
    same = result(whole, first(whole, "tune", seed=0), tmp_path / "whole")["trials"][index]
    assert same == {key: value for key, value in best[0].items() if key != "steps"}


def test_a_trial_that_fails_counts_and_has_a_reason(
    prepared: tuple[Plan, AnyUnit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.study.trained.work import tune as module

    values = iter([None, 0.25, float("nan"), 0.75])
    patterns = catalog.load("task", "toy_patterns").signature

    def scripted(*given: Any, until: None = None) -> tuple[torch.nn.Module, float]:
        value = next(values)
        if value is None:
            raise FloatingPointError("The gradient is not finite at step 3.")
        return catalog.load("baseline", "default").build(patterns, 9_000), value

    monkeypatch.setattr(module.RowTraining, "at", scripted)
    found = result(*prepared, tmp_path)
    assert [trial["validation"] for trial in found["trials"]] == [None, 0.25, None, 0.75]
    assert "at step 3" in found["trials"][0]["reason"]
    assert "not finite" in found["trials"][2]["reason"]
    assert (found["evaluations"], found["validation"]) == (4, 0.75)


def test_a_tuning_without_any_score_fails(ran: Ran, tmp_path: Path) -> None:
    plan = tuning(tmp_path, ["default", "tuned:default"], rates=[1e20], trials=2)
    with pytest.raises(HarnessError, match=r"None of the 2 trials of tuned:default has a score.*not finite"):
        done(plan, first(plan, "tune", seed=0), tmp_path)


def test_boards_and_reports_tell_trials(ran: Ran) -> None:
    board = build_board(load_run(ran.folder))
    for task in board.tasks:
        rows = {row.method: row for row in task.rows}
        assert set(rows) == set(ROWS)
        assert all(row.is_complete and row.rank for row in task.rows)
        assert rows["tuned:default"].evaluations == (TRIALS, TRIALS)
        assert rows["default"].evaluations is None
        assert any("Trials of tuned:default, tuned:default:mobilenet:micro" in note for note in task.notes)
    write_report(ran.folder)
    twin = (ran.folder / "report.md").read_text()
    assert "every tuning of a fixed baseline" in twin
    space = named("mobilenet:micro", catalog.load("task", "toy_patterns").signature)
    size = space.parameters(space.default())
    assert rows["default:mobilenet:micro"].parameters == (size, size)


def test_trials_cost_what_as_many_finals_would(tmp_path: Path) -> None:
    plan = tuning(tmp_path, rates=[3e-3])
    costs = Costs(plan.units)
    one = costs.macs(first(plan, "final", method="default"))
    assert costs.macs(first(plan, "tune", method="tuned:default")) == TRIALS * one
    assert costs.macs(first(plan, "final", method="tuned:default")) == one
    unit = first(plan, "tune", method="tuned:default", seed=1)
    assert label(unit) == "tune · toy_patterns · tuned:default · seed 1"


def test_llama_is_tuned_on_bytes_in_bits_where_less_is_better(tmp_path: Path) -> None:
    plan = tuning(tmp_path, ["floor", "tuned:llama", "default:mobilenet:micro"], task="toy_bytes")
    assert "default:mobilenet:micro" not in {getattr(unit.spec, "method", None) for unit in plan.units}
    found = result(plan, first(plan, "tune", seed=0), tmp_path)
    assert found["validation"] == min(trial["validation"] for trial in found["trials"])
    sizes = [trial["parameters"] for trial in found["trials"]]
    assert max(sizes) < 1.15 * min(sizes)


@pytest.mark.parametrize("target", [20_000, 80_000])
@pytest.mark.parametrize(
    ("name", "signature", "within"),
    [
        *(("default", IMAGES, 0.01), ("default", BYTES, 0.01), ("default", TEXTS, 0.01)),
        *(("vit", IMAGES, 0.11), ("gpt", BYTES, 0.11), ("llama", BYTES, 0.11)),
    ],
)
def test_every_shape_has_the_same_parameters(
    name: str, signature: Signature, within: float, target: int
) -> None:
    baseline: FixedBaseline = catalog.load("baseline", name)
    assert baseline.vary is not None
    for seed in range(30 if name == "default" else 6):
        shape = baseline.vary(random.Random(seed), signature, target)
        size = parameters(baseline.build(signature, target, **shape))
        assert size == pytest.approx(target, rel=within), shape


def test_a_tuned_transformer_varies_every_part_of_its_shape() -> None:
    baseline: FixedBaseline = catalog.load("baseline", "tuned")
    assert baseline.vary is not None
    drawn = [baseline.vary(random.Random(seed), IMAGES, 80_000) for seed in range(60)]
    for key in ("width", "depth", "hidden", "head_width", "learns_positions", "averages"):
        assert len({shape[key] for shape in drawn}) > 1, key
    images = torch.randint(0, 256, (2, 1, 28, 28)).float()
    outputs = [baseline.build(IMAGES, 80_000, **shape)(images).shape for shape in drawn[:8]]
    assert {tuple(shape) for shape in outputs} == {(2, 10)}


@pytest.mark.parametrize("learns", [False, True])
def test_no_form_of_positions_lets_a_byte_see_what_comes_after_it(learns: bool) -> None:
    shape = {"width": 32, "depth": 2, "hidden": 40, "head_width": 8, "learns_positions": learns}
    module = catalog.load("baseline", "default").build(BYTES, 0, **shape).eval()
    torch.nn.init.normal_(module.get_parameter("head"))
    first = torch.randint(1, 256, (1, 64))
    second = first.clone()
    second[0, 40:] = 7
    with torch.no_grad():
        one, other = module(first), module(second)
    assert torch.equal(one[0, :40], other[0, :40])
    assert not torch.equal(one[0, 41], other[0, 41])
    moved = module(first.roll(1, dims=1))[0, 1:] - one[0, :-1]
    assert moved.abs().max() > 0.1, "positions matter"


@pytest.mark.parametrize("signature", [IMAGES, BYTES, TEXTS])
@pytest.mark.parametrize("preset", ["micro-attention", "mini-attention", "small-attention"])
def test_the_plain_transformer_is_the_default_of_the_attention_rung(
    signature: Signature, preset: str
) -> None:
    space = catalog.load("space", "hybrid").space(preset, signature)
    built = []
    for make in (
        lambda: space.networks.build(space.default()),
        lambda: catalog.load("baseline", "default").build(signature, space.parameters(space.default())),
    ):
        torch.manual_seed(3)
        built.append(make().state_dict())
    assert built[0].keys() == built[1].keys()
    assert all(torch.equal(built[0][name], built[1][name]) for name in built[0])


@pytest.mark.parametrize(("name", "signature"), [("vit", IMAGES), ("gpt", BYTES)])
def test_a_transformer_of_others_has_the_nearest_of_all_its_widths(name: str, signature: Signature) -> None:
    from harness.catalog.baselines import gpt, vit

    made = {"vit": vit, "gpt": gpt}[name]._made
    with torch.device("meta"):
        sizes = [parameters(made(signature, width, 3, width // 16)) for width in range(16, 160, 16)]
    for target in (1_000, 60_000, 80_000, 101_000):
        nearest = min(sizes, key=lambda size: abs(size - target))
        assert parameters(catalog.load("baseline", name).build(signature, target)) == nearest


def test_widths_are_met_from_both_sides() -> None:
    from harness.nn.heads import HEADS, nearest_width

    for target in (1, 9, 12, 13, 14, 15, 16, 30, 99):
        assert nearest_width([3, 4, 5], lambda width: width**2, target) == min(
            (3, 4, 5), key=lambda width: abs(width**2 - target)
        )
    assert all(width % heads == 0 and width // heads % 2 == 0 for width, heads in HEADS.items())
    assert HEADS[48] == 3


@pytest.mark.parametrize("name", catalog.names("space"))
def test_the_default_of_a_space_has_its_closed_form_size(name: str) -> None:
    family = catalog.load("space", name)
    for preset in (one for one in family.presets if one.startswith("micro")):
        baseline = catalog.load("baseline", f"default:{name}:{preset}")
        signature = IMAGES if "image" in family.kinds else BYTES
        space = family.space(preset, signature)
        assert baseline.kinds == family.kinds
        assert not baseline.is_matched
        assert parameters(baseline.build(signature, 1)) == space.parameters(space.default())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("default:nothing", "There is no space named 'nothing'"),
        ("default:mobilenet:nano", "There is no preset named 'nano'"),
        ("tuned:nothing", "There is no baseline named 'nothing'"),
    ],
)
def test_an_unknown_member_is_answered_with_what_there_is(name: str, sentence: str) -> None:
    with pytest.raises(UnknownNameError, match=sentence):
        catalog.load("baseline", name)


@pytest.mark.parametrize("name", ["floor", "tuned", "smollm2", "tuned:llama", "efficientnet_lite0:head"])
def test_what_is_not_trained_or_tuned_already_is_not_tuned(name: str) -> None:
    with pytest.raises(HarnessError, match="no learning rate to tune"):
        catalog.load("baseline", f"tuned:{name}")


def test_a_space_says_what_it_cannot_read() -> None:
    build: Callable[[Signature, int], Any] = catalog.load("baseline", "default:mobilenet:micro").build
    with pytest.raises(HarnessError, match="reads image, the task gives bytes"):
        build(BYTES, 1)


def test_a_tuned_baseline_describes_and_checks_itself(tmp_path: Path) -> None:
    from harness.checks.entries import check_entry
    from harness.cli.cards import describe

    for name in ("tuned:llama", "default:mobilenet:micro"):
        assert describe("baseline", name, tmp_path)["summary"] == catalog.load("baseline", name).summary
        findings = check_entry("baseline", name, tmp_path, offline=True)
        assert findings
        assert all(finding.holds for finding in findings)
    assert "recipe and shape" in catalog.load("baseline", "tuned:llama").summary
    assert read_record(tmp_path / "record.json") is None
