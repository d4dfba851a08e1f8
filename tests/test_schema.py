"""JSON Schemas of files. Truth: the readers of the same files, and `jsonschema`, which knows none of them."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from command import harness, python
from working import plan_of

from harness import catalog
from harness.checks.section import recorded_runs
from harness.data.own.task import TaskFile
from harness.errors import HarnessError
from harness.report.submission import submission_text
from harness.study.formats import board_json

jsonschema = pytest.importorskip("jsonschema")
ROOT = Path(__file__).parents[1]
SUITES = sorted([*ROOT.glob("leaderboards/*.toml"), *ROOT.glob("tests/toy/leaderboards/*.toml")])
TASKS = sorted([*ROOT.glob("tasks/*.toml"), *ROOT.glob("tests/toy/tasks/*.toml")])
STUDIES = ("diversity", "lookup", "ranking", "trained")
WRONG = {
    "a misspelt key": ("toy", "seedz = [1, 2]"),
    "a misspelt key of a table": ("toy", "[search]\nevaluation = 3"),
    "another type": ("toy", 'seeds = ["a"]'),
    "no list": ("toy", "seeds = 3"),
    "too short a list": ("toy", "seeds = [1]"),
    "truth for a number": ("toy", "[search]\nevaluations = true"),
    "below its bound": ("toy", '[[tasks]]\nname = "toy_patterns"\ntest_bytes = 99'),
    "at a bound that it must not reach": (
        "toy",
        '[[tasks]]\nname = "toy_patterns"\n[tasks.recipe]\nwarmup = 1.0',
    ),
    "a rate of nothing": (
        "toy",
        '[[tasks]]\nname = "toy_patterns"\n[tasks.training]\nlearning_rates = [0.0]',
    ),
    "an unknown choice": ("toy", 'control = ["blur"]'),
    "an unknown rule": ("toy", 'selection = ["orakel"]'),
    "an unknown way to hold out": ("toy", '[[tasks]]\nname = "toy_patterns"\nheld_out = "all"'),
    "a limit below nothing": ("toy", "[limits.kinds.score]\nseconds = -1"),
    "a row that lacks its scores": ("toy_lookup", '[[published]]\nname = "a"\nsource = "b"'),
    "one repeat": ("toy_lookup", "repeats = 1"),
    "few architectures": ("toy_quality", "architectures = 3"),
    "an unknown study": ("toy", 'study = "trainde"'),
    "the keys of another study": ("toy", 'study = "lookup"\nbaselines = []'),
}


def validator(*words: str) -> Any:
    done = harness("schema", *words)
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    """Returns study -> validator of its suites; that of any suite under the empty name."""
    return {"": validator(), **{study: validator("suite", "--study", study) for study in STUDIES}}


@pytest.mark.parametrize("file", SUITES, ids=lambda file: file.stem)
def test_every_suite_keeps_to_the_schema_of_its_study_alone(schemas: dict[str, Any], file: Path) -> None:
    suite = tomllib.loads(file.read_text())
    assert schemas[""].is_valid(suite)
    fit = [study for study in STUDIES if schemas[study].is_valid(suite)]
    assert suite.get("study") in (None, *fit)
    assert len(fit) == 1 or "study" not in suite


@pytest.mark.parametrize(("suite", "text"), WRONG.values(), ids=WRONG)
def test_what_the_reader_refuses_the_schema_refuses(
    schemas: dict[str, Any], tmp_path: Path, suite: str, text: str
) -> None:
    with pytest.raises(HarnessError):
        plan_of(f'extends = "{suite}"\n{text}\n', tmp_path)
    wrong = {"extends": suite, **tomllib.loads(text)}
    assert not schemas[""].is_valid(wrong)


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_whole_suite_lacks_is_refused_and_what_extends_another_may_lack_it(
    schemas: dict[str, Any], study: str
) -> None:
    names = {"trained": "toy", "lookup": "toy_lookup", "ranking": "toy_quality", "diversity": "toy_diversity"}
    name = names[study]
    whole = tomllib.loads(catalog.files("suite")[name].read_text())
    assert "extends" not in whole
    own = {"trained": ["tasks"], "lookup": ["search"], "ranking": ["task"]}
    for key in ("title", "study", *own.get(study, [])):
        part = {other: value for other, value in whole.items() if other != key}
        assert not schemas[study].is_valid(part)
        assert not schemas[study].is_valid({**part, "extends": ""})
        assert schemas[study].is_valid({**part, "extends": name})
    if study == "trained":
        whole["tasks"][0].pop("training")
        assert not schemas[study].is_valid(whole)
        assert schemas[study].is_valid({**whole, "extends": name})


def told(schema: Any) -> list[tuple[str, bool]]:
    """Returns every key at any depth, and whether the schema says what it means."""
    found = []
    for value in schema if isinstance(schema, list) else schema.values() if isinstance(schema, dict) else ():
        found += told(value)
    if isinstance(schema, dict) and schema.get("additionalProperties") is False:
        found += [(name, "description" in one) for name, one in schema["properties"].items()]
    return found


def test_every_key_is_described_with_its_default(schemas: dict[str, Any]) -> None:
    keys = told(schemas[""].schema)
    assert len(keys) > 150
    assert [name for name, is_told in keys if not is_told] == []
    recipe = schemas["ranking"].schema["properties"]["task"]["properties"]["recipe"]["properties"]
    assert recipe["warmup"] == {
        "type": "number",
        "minimum": 0,
        "exclusiveMaximum": 1,
        "default": 0.05,
        "description": "share of the steps over which the rate rises from zero.",
    }


def test_tasks_and_tables_have_schemas(schemas: dict[str, Any]) -> None:
    task, table = validator("task"), validator("table")
    files = [tomllib.loads(file.read_text()) for file in TASKS]
    kinds = [(task.is_valid(one), table.is_valid(one)) for one in files]
    assert kinds == [("kind" in one, "kind" not in one) for one in files]
    assert {True, False} == {"kind" in one for one in files}
    assert not task.is_valid({**next(one for one in files if "kind" in one), "channels": 2})
    assert set(task.schema["properties"]) == set(TaskFile.__dataclass_fields__)


def left(schema: str, study: str = "") -> Any:
    validate = validator(schema, *(("--study", study) if study else ()))
    assert validate.schema["$schema"].endswith("2020-12/schema")
    return validate


@pytest.mark.parametrize("study", STUDIES)
def test_every_record_keeps_to_its_schema_and_a_damaged_one_does_not(study: str) -> None:
    run = next(one.run for one in recorded_runs() if one.told == f"a whole run of {study}")
    texts = [(run.place(unit) / "record.json").read_text() for unit in run.units]
    records = [json.loads(text) for text in texts]
    assert len({one["kind"] for one in records}) > 1
    own, other = left("record", study), left("record", "ranking" if study == "lookup" else "lookup")
    every = left("record")
    for record in records:
        assert [error.message for error in own.iter_errors(record)] == []
        assert every.is_valid(record)
        assert not other.is_valid(record) or record["kind"] in ("prepare", "supernet", "endpoint", "proxies")
        for key in record["spec"]:
            assert not own.is_valid({**record, "spec": {**record["spec"], key: {"no": "such"}}}) or (
                key in ("options", "recipe", "architecture")
            )
        for key in record["result"]:
            assert not own.is_valid({**record, "result": {**record["result"], key: {"no": ["such"]}}}) or (
                key in ("architecture", "report", "aggregates")
            )
        assert not own.is_valid({**record, "result": {**record["result"], "more": 1}})
        assert not own.is_valid({key: value for key, value in record.items() if key != "checksum"})
        assert not own.is_valid({**record, "status": "fine"})
        assert own.is_valid({**record, "status": "failed", "reason": "its disk was full", "result": {}})


@pytest.mark.parametrize("study", STUDIES)
def test_every_board_keeps_to_its_schema_and_a_damaged_one_does_not(study: str) -> None:
    own, other = left("board", study), left("board", "ranking" if study == "lookup" else "lookup")
    for one in recorded_runs():
        if one.run.study != study:
            continue
        board = json.loads(submission_text(one.run, one.board))
        assert [error.message for error in own.iter_errors(board)] == []
        assert left("board").is_valid(board)
        assert not other.is_valid(board)
        bare = json.loads(board_json(one.board))
        assert own.is_valid(bare)
        for key in bare:
            assert not own.is_valid({**board, key: {"no": "such"}})
        assert not own.is_valid({**board, "more": 1})
        assert not own.is_valid({**board, "run": {**board["run"], "more": 1}})


def test_a_schema_that_is_not_there_is_told() -> None:
    assert "kind of file named 'suit'; did you mean suite" in harness("schema", "suit").stderr
    assert "study named 'trainde'; did you mean trained" in harness("schema", "--study", "trainde").stderr
    assert "A table is of no study" in harness("schema", "table", "--study", "lookup").stderr


def test_a_schema_is_printed_without_torch() -> None:
    done = python(
        """
        import sys
        from harness.results.schema import file_schema
        assert file_schema("suite")["anyOf"]
        print(sorted({"torch", "pandas", "scipy"} & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr
