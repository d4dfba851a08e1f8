"""Networks of a byte task on questions and lm-eval's tasks. Truth: a byte-by-byte loop over each network."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import completion_server
import filled
import numpy as np
import pandas as pd
import pytest
import yaml_tasks
from command import apart
from safetensors.torch import load_file
from working import plan_of, units
from yaml_tasks import CHOOSE, ROLL, Uniform, log_probability, write_rows

from harness import catalog
from harness.data.load import Cap, load_part, load_split
from harness.data.text.questions import questions
from harness.errors import HarnessError
from harness.identity.unit import AnyUnit
from harness.nn.floors import NGram
from harness.run.loaded import Run, load_run
from harness.study.cost import Costs
from harness.study.study import build_board, load_study, make_plan
from harness.study.suite import load_suite
from harness.study.trained.boards.rescore import rescore
from harness.study.trained.boards.tables import domain_table
from harness.study.trained.boards.values import TaskBoard
from harness.study.work.specs import with_domains
from harness.task.split import Split
from harness.task.task import SPLITS

LIMIT = 12
SUITE = """
title = "Where nothing was trained for"
study = "trained"
seeds = [0, 1]
baselines = ["default", "floor", {ready}]
tuned_space = "hybrid:micro-attention"
reference = "floor"
claim = {{ method = "default" }}

[[tasks]]
name = "toy_bytes"
validation_samples = 10
test_samples = 10
training = {{ steps = 4, batch_size = 8 }}

[[zero_shot]]
name = "asked"
trained_on = "toy_bytes"
held_out = ["toy_choice/two", "toy_choice/four"]

[[zero_shot]]
name = "elsewhere"
trained_on = "toy_bytes"
lm_eval_tasks = "mine"
"""
ROWS = [
    {"text": f"{number} ab", "choices": ["abc", "d" * number, "é"], "gold": number % 3}
    for number in range(1, 10)
]


def write_tasks(folder: Path) -> None:
    folder.mkdir()
    rows = write_rows(folder / "rows.jsonl", ROWS)
    yaml_tasks.write(folder, "pick", rows, CHOOSE)
    yaml_tasks.write(folder, "absent", rows, CHOOSE, dataset="nobody/nothing")
    yaml_tasks.write(folder, "texts", rows, ROLL)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with completion_server.serving() as found:
        yield found


@pytest.fixture(scope="module")
def run(address: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("zero_shot")
    write_tasks(place / "mine")
    (place / "suite.toml").write_text(SUITE.format(ready=f'"{address}"'))
    words = ["eval", str(place / "suite.toml"), "--out", str(place / "run"), "--offline"]
    words += ["--limit", str(LIMIT), "--workers", "1"]
    home = {"HF_HOME": str(place / "home"), "HARNESS_LLM_API_KEY": "k", "NO_PROXY": "127.0.0.1"}
    done = apart(*words, **home)
    assert done.returncode == 1, done.stderr  # two tasks of the folder cannot be scored
    *lines, last = done.stderr.splitlines()
    assert last.startswith("8 units failed")
    assert [line for line in lines if not line.startswith("[")] == [], "no package speaks between our lines"
    return load_run(place / "run")


@pytest.fixture(scope="module")
def boards(run: Run) -> dict[str, TaskBoard]:
    board = build_board(run)
    return {task.task: task for task in board.tasks}


def asked(domain: str) -> Split:
    task = catalog.load("task", "toy_choice")
    data = Path(os.environ["HARNESS_DATA"])
    return load_part("toy_choice", task, task.domain(domain), SPLITS, data, Cap(samples=LIMIT)).split


def saved(model: NGram, before: bytes, after: bytes) -> float:
    """Returns the bits of a continuation, below zero."""
    of_both = model.bits([before, before + after])
    return float(of_both[0] - of_both[1])


def right(split: Split, cost: Callable[[bytes, bytes], float]) -> list[float]:
    """Returns 1 for each question whose right answer is the likeliest one."""
    return [
        float(
            int(np.argmax([cost(f"{one.question}\nAnswer:".encode(), f" {x}".encode()) for x in one.choices]))
            == one.gold
        )
        for one in questions(split)
    ]


def scores(run: Run, method: str, domain: str) -> list[tuple[pd.DataFrame]]:
    """Returns the units of a row on a domain of questions, each with its samples."""
    units = filled.units(run, "zero_shot", task="asked", method=method, domain=f"toy_choice/{domain}")
    folder = run.folder / "units"
    return [(unit, pd.read_parquet(folder / unit.folder / "samples.parquet")) for unit in units]


def final(run: Run, score: AnyUnit) -> Path:
    needed = run.needed(score, filled.KINDS["final"])
    return run.folder / "units" / f"final-{needed.hash}"


@pytest.mark.parametrize("domain", ["two", "four"])
def test_a_trained_network_is_right_where_a_loop_over_its_bytes_is(run: Run, domain: str) -> None:
    signature = catalog.load("task", "toy_bytes").signature
    found = scores(run, "default", domain)
    assert len(found) == 2
    for unit, samples in found:
        weights = load_file(final(run, unit) / "weights.safetensors")
        module = catalog.load("baseline", "default").build(signature, 80_000)
        module.load_state_dict(weights)
        expected = right(asked(domain), partial(log_probability, module.eval(), signature.context))
        assert (samples["prediction"] == samples["label"]).tolist() == expected
        result = run.result(unit)
        assert result.value == result.aggregates["acc,none"] == np.mean(expected)


@pytest.mark.parametrize("domain", ["two", "four"])
def test_the_floor_pays_for_an_answer_what_it_adds_to_the_question(run: Run, domain: str) -> None:
    for unit, samples in scores(run, "floor", domain):
        with np.load(final(run, unit) / "floor.npz") as state:
            model = NGram.from_state(dict(state))
        assert (samples["prediction"] == samples["label"]).tolist() == right(
            asked(domain), partial(saved, model)
        )


@pytest.mark.parametrize("domain", ["two", "four"])
def test_a_model_behind_an_endpoint_answers_as_its_network_does(run: Run, address: str, domain: str) -> None:
    module = completion_server.network()
    ((_, samples),) = scores(run, address, domain)
    expected = right(asked(domain), partial(log_probability, module, completion_server.CONTEXT))
    assert (samples["prediction"] == samples["label"]).tolist() == expected


def test_every_question_keeps_its_place_answer_and_group(run: Run) -> None:
    for domain in ("two", "four"):
        split = asked(domain)
        for method in ("default", "floor"):
            for _, samples in scores(run, method, domain):
                assert samples["position"].tolist() == split.positions.tolist()
                assert samples["digest"].tolist() == split.digests.tolist()
                assert samples["label"].tolist() == split.labels.tolist()
                assert samples["group"].tolist() == split.groups.tolist()


def test_questions_on_which_nothing_is_trained_are_scored_of_all_splits_the_same_in_every_row(
    run: Run, boards: dict[str, TaskBoard], tmp_path: Path
) -> None:
    task, data = catalog.load("task", "toy_choice"), Path(os.environ["HARNESS_DATA"])
    train, test = (
        load_split("toy_choice", task, task.domain("four"), one, data) for one in ("train", "test")
    )
    for method in ("default", "floor"):
        for unit, samples in scores(run, method, "four"):
            assert len(samples) == LIMIT
            assert set(samples["position"]) & set(train.positions)
            assert set(samples["position"]) & set(test.positions)
            assert run.result(unit).of.samples == 60
    assert "four: 12 of 60 groups, 12 of 60 samples" in str(domain_table(boards["asked"], "held_out").notes)
    ours, _, _ = SUITE.replace(", {ready}", "").partition('[[zero_shot]]\nname = "elsewhere"')
    (tmp_path / "suite.toml").write_text(ours.format())
    name, suite = load_suite(str(tmp_path / "suite.toml"))
    for wanted, chosen in ((1500, suite), (None, load_study(suite.study).whole(suite))):
        plan = make_plan(name, chosen)
        assert {unit.spec.samples for unit in plan.units if unit.kind.name == "zero_shot"} == {wanted}


def test_the_board_knows_chance_and_whose_networks_it_scores(boards: dict[str, TaskBoard], run: Run) -> None:
    board = boards["asked"]
    assert board.chance == pytest.approx((1 / 2 + 1 / 4) / 2)
    again = {task.task: task.chance for task in rescore(run, "worst_group_accuracy").tasks}
    assert again["asked"] is None, "the worst of groups has another one"
    assert board.trained_on == "toy_bytes"
    assert any("networks of toy_bytes" in note and "(acc)" in note for note in board.notes)
    for row in board.rows:
        trained = boards["toy_bytes"].row(row.method)
        assert (row.parameters, row.steps) == (trained.parameters, trained.steps)


def test_a_model_trained_elsewhere_is_marked_and_the_floor_is_not_ranked(
    boards: dict[str, TaskBoard], address: str
) -> None:
    rows = {row.method: row for row in boards["asked"].rows}
    assert {name: row.rank for name, row in rows.items()} == {address: None, "floor": None, "default": 1}
    assert rows[address].outside
    assert (rows["default"].in_domain, rows["default"].gap) == (None, None)


def test_nothing_is_trained_twice(run: Run) -> None:
    assert {unit.spec.task for unit in run.units if unit.kind.name == "final"} == {"toy_bytes"}
    for unit in filled.units(run, "zero_shot", task="asked", method="default"):
        needed = run.needed(unit, filled.KINDS["final"])
        assert needed in filled.units(run, "final", task="toy_bytes", method="default")


def test_tasks_that_cannot_be_scored_fail_alone(boards: dict[str, TaskBoard]) -> None:
    row = boards["elsewhere"].row("default")
    cells = {cell.domain.removeprefix("lm_eval:"): cell for cell in row.cells}
    assert {name: cell.state for name, cell in cells.items()} == {
        "pick": "ok",
        "absent": "failed",
        "texts": "failed",
    }
    assert "nobody/nothing" in str(cells["absent"].reason)
    assert "has bits_per_byte, and this board is of accuracy" in str(cells["texts"].reason)
    assert boards["elsewhere"].chance is None
    assert boards["asked"].row("default").is_complete


def test_a_task_of_a_folder_is_scored_whatever_its_letters(run: Run) -> None:
    for unit in filled.units(run, "zero_shot", task="elsewhere", method="default", domain="lm_eval:pick"):
        result = run.result(unit)
        assert (result.samples, result.chance) == (9, pytest.approx(1 / 3))


def test_the_report_says_where_questions_come_from(run: Run) -> None:
    text = (run.folder / "report.md").read_text()
    for part in ("those of toy\\_bytes", "toy\\_choice/two", "a task of lm-eval"):
        assert part in text


def hashes(folder: Path) -> dict[str, str]:
    return {
        f"{unit.spec.domain} {unit.spec.method} {unit.spec.report_seed}": unit.hash
        for unit in units(plan_of(SUITE.format(ready=""), folder), "score", "zero_shot")
    }


def test_an_edited_task_is_another_unit_and_leaves_the_rest(tmp_path: Path) -> None:
    write_tasks(tmp_path / "mine")
    before = hashes(tmp_path)
    with (tmp_path / "mine" / "rows.jsonl").open("a") as file:
        file.write(json.dumps(ROWS[0]) + "\n")
    after = hashes(tmp_path)
    changed = {name.split()[0] for name in before if before[name] != after[name]}
    assert changed == {"lm_eval:pick", "lm_eval:absent", "lm_eval:texts"}


def test_the_cost_of_a_question_is_that_of_its_answers(tmp_path: Path) -> None:
    write_tasks(tmp_path / "mine")
    plan = plan_of(SUITE.format(ready=""), tmp_path)
    costs = {
        (unit.spec.domain, unit.spec.method): Costs(plan.units).macs(unit)
        for unit in units(plan, "score", "zero_shot")
    }
    one_pass = costs["one", "default"] / (10 * 63)  # ten documents of 512 bytes, each in 63 windows of 16
    assert costs["toy_choice/two", "default"] == 1500 * 4 * one_pass
    assert costs["lm_eval:pick", "default"] == 1500 * 4 * one_pass
    assert costs["toy_choice/two", "floor"] == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('trained_on = "toy_bytes"', 'trained_on = "toy_patterns"', "which is no task of it"),
        ("toy_bytes", "toy_patterns", "name a byte task"),
        ('"toy_choice/two"', '"two"', "TASK/DOMAIN or lm_eval:NAME is needed"),
        ('"toy_choice/two"', '"toy_choice/tow"', "did you mean two"),
        ('"toy_choice/two"', '"toy_chioce/two"', "did you mean toy_choice"),
        ('"toy_choice/two"', '"toy_bytes/one"', "name a task that asks questions"),
        ('"toy_choice/two"', '"toy_choice/four"', "has a domain twice"),
        ('lm_eval_tasks = "mine"', "", "needs held_out or lm_eval_tasks"),
        ('lm_eval_tasks = "mine"', 'lm_eval_tasks = "none"', "There is no folder"),
        ('name = "elsewhere"', 'name = "asked"', "has the name of another board"),
        ('name = "elsewhere"', 'name = "toy_bytes"', "has the name of another board"),
        ('method = "default"', 'method = "default", space = "hybrid:micro"', "claim must name"),
        ('reference = "floor"', 'reference = "floor"\nsearchers = ["local_search"]', "belong together"),
    ],
)
def test_a_wrong_board_is_told_in_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "mine").mkdir()
    text = SUITE.format(ready="")
    assert old in text
    with pytest.raises(HarnessError, match=message):
        plan_of(text.replace(old, new), tmp_path)


def test_a_task_of_questions_that_a_suite_trains_names_the_remedy() -> None:
    (settings,) = load_suite("toy")[1].tasks
    with pytest.raises(HarnessError, match="zero_shot board"):
        with_domains(replace(settings, name="toy_choice"))


def test_code_lengths_alone_answer_no_task_that_asks_for_words(tmp_path: Path) -> None:
    from harness.language.models import lm_eval_model
    from harness.language.scores import lm_eval_scores

    folder = tmp_path / "mine"
    write_tasks(folder)
    made = CHOOSE | {"kind": "generate_until", "more": ""}
    yaml_tasks.write(folder, "made", folder / "rows.jsonl", made)
    model = lm_eval_model(Uniform())
    found = lm_eval_scores(model, ["made", "texts"], include_path=folder, offline=True)
    assert "asks what a model would write" in str(found["made"].reason)
    assert found["texts"].value() == pytest.approx(8.0)
    assert found["texts"].chance == 8.0


def test_what_a_continuation_of_nothing_costs_is_its_own_length() -> None:
    from harness.language.models import lm_eval_model

    requests = [SimpleNamespace(args=pair) for pair in (("", "abc"), ("ab", "c"), ("ab", ""))]
    nats = [one for one, _ in lm_eval_model(Uniform()).loglikelihood(requests)]
    assert nats == pytest.approx([-24 * np.log(2), -8 * np.log(2), 0.0])


def test_an_exported_task_of_questions_is_scored_as_a_group(tmp_path: Path) -> None:
    from harness.language.export import export_task
    from harness.language.models import lm_eval_model
    from harness.language.scores import lm_eval_scores

    task, data = catalog.load("task", "toy_choice"), Path(os.environ["HARNESS_DATA"])
    assert export_task("toy_choice", task, tmp_path / "out", data).failures == {}
    found = lm_eval_scores(
        lm_eval_model(Uniform()), ["crossdomain__toy_choice"], include_path=tmp_path / "out", offline=True
    )
    assert set(found) == {"crossdomain__toy_choice__two", "crossdomain__toy_choice__four"}
    shortest = [
        float(np.argmin([len(choice) for choice in one.choices]) == one.gold)
        for one in questions(load_split("toy_choice", task, task.domain("four"), "test", data))
    ]
    samples = found["crossdomain__toy_choice__four"].samples
    assert samples.numerator.tolist() == shortest
