"""YAML tasks of lm-eval that bring code, which runs if it is trusted. Truth: files that code would write."""

from pathlib import Path
from time import perf_counter

import pytest
from command import Ended, harness
from yaml_tasks import Uniform, write_rows

from harness import catalog
from harness.errors import HarnessError
from harness.language import task_folder
from harness.language.export import export_task
from harness.language.models import lm_eval_model
from harness.language.scores import lm_eval_scores, tasks_of
from harness.language.task_folder import check_folder

TASK = """
task: mine
dataset_path: json
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{text}"
doc_to_target: gold
doc_to_choice: choices
metric_list: [{{metric: acc}}]
{more}
"""
CODE = "open({place!r}, 'w').close()\ndef docs(rows):\n    return rows\n"
RUNS = {
    "process_docs: !function helper.docs": "runs the function 'helper.docs'",
    "fewshot_config: {samples: !function helper.docs}": "runs the function 'helper.docs'",
    "fewshot_config: {samples: [[!function helper.docs]]}": "runs the function 'helper.docs'",
    "custom_dataset: !function loader.read": "runs the function 'loader.read'",
    "description: !!python/object/apply:os.system [true]": "is no YAML|has the tag",
    "description: !other x": "has the tag '!other'",
    "class: helper.Task": "has the key 'class'",
    "use_prompt: promptsource:x": "has the key 'use_prompt'",
    "unsafe_code: true": "has the key 'unsafe_code'",
    "filter_list: [{name: x, trust_remote_code: true}]": "has the key 'trust_remote_code'",
    "metric_list: [{metric: ./evil.py}]": "which is no metric of lm-eval",
    "metric_list: [{metric: acc, hf_evaluate: true}]": "has the key 'hf_evaluate'",
    "dataset_path: pandas": "reads data by the reader 'pandas'",
    "include: /etc/x.yaml": "lies outside of its folder",
    "include: ../x.yaml": "lies outside of its folder",
    "include: [hidden.txt]": "hidden.txt runs the function 'helper.docs'",
}


def write(folder: Path, more: str = "", text: str = "{{text}}") -> Path:
    """Writes a folder of one task, beside code that leaves a file."""
    folder.mkdir(parents=True)
    rows = [{"text": f"{number} ab", "choices": ["abc", "d"], "gold": number % 2} for number in range(6)]
    write_rows(folder / "rows.jsonl", rows)
    keys = {line.partition(":")[0] for line in more.splitlines()}
    kept = [
        line
        for line in TASK.format(rows=folder / "rows.jsonl", text=text, more=more).splitlines()
        if line.partition(":")[0] not in keys or line in more.splitlines()
    ]
    (folder / "mine.yaml").write_text("\n".join(kept))
    (folder / "helper.py").write_text(CODE.format(place=str(folder.parent / "ran")))
    (folder / "loader.py").write_text(CODE.format(place=str(folder.parent / "ran")))
    (folder / "hidden.txt").write_text("process_docs: !function helper.docs\n")
    return folder


@pytest.mark.parametrize("more", RUNS)
def test_what_runs_code_is_refused_in_one_sentence(tmp_path: Path, more: str) -> None:
    folder = write(tmp_path / "tasks", more)
    with pytest.raises(HarnessError, match=RUNS[more]) as caught:
        lm_eval_scores(lm_eval_model(Uniform()), ["mine"], include_path=folder, offline=True)
    assert "\n" not in str(caught.value)
    assert "give --trust if it may" in str(caught.value) or "is no YAML" in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_plain_tasks_need_no_trust_and_trusted_code_runs(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain")
    model = lm_eval_model(Uniform())
    assert lm_eval_scores(model, ["mine"], include_path=plain, offline=True)["mine"].reason is None
    code = write(tmp_path / "code" / "tasks", "process_docs: !function helper.docs")
    found = lm_eval_scores(model, ["mine"], include_path=code, offline=True, is_trusted=True)
    assert found["mine"].reason is None
    assert (tmp_path / "code" / "ran").exists()


def test_what_export_task_writes_needs_no_trust_until_its_reader_is_another(tmp_path: Path) -> None:
    task = catalog.load("task", "toy_choice")
    done = export_task("toy_choice", task, tmp_path / "out", tmp_path / "data", offline=True)
    assert done.tasks
    check_folder(tmp_path / "out", is_trusted=False)
    with (tmp_path / "out" / "loader.py").open("a") as file:
        file.write("\nimport os\n")
    with pytest.raises(HarnessError, match=r"runs the function 'loader.read'"):
        check_folder(tmp_path / "out", is_trusted=False)


def test_a_template_reaches_nothing_but_its_document(tmp_path: Path) -> None:
    text = "{{ cycler.__init__.__globals__.os.mkdir('" + str(tmp_path / "ran") + "') }}"
    folder = write(tmp_path / "tasks", text=text)
    found = lm_eval_scores(lm_eval_model(Uniform()), ["mine"], include_path=folder, offline=True)
    assert "SecurityError" in str(found["mine"].reason)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: " + "[" * 100_000, "maximum nesting depth|nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        ("#" * 2_000_000, "is larger than 1048576 bytes"),
        ("a: 1\nb: [", "is no YAML"),
        ("\xff\0", "is no YAML"),
        ("a: &a [1]\n<<: *b", "is no YAML"),
        ("a: 2024-99-99", "is no YAML"),
        ("a: " + "9" * 5000, "is no YAML"),
    ],
)
def test_a_file_that_attacks_its_reader_is_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    folder = write(tmp_path / "tasks")
    (folder / "bad.yaml").write_text(text)
    started = perf_counter()
    with pytest.raises(HarnessError, match=rf"bad.yaml .*({reason})"):
        tasks_of(folder)
    assert perf_counter() - started < 5


def test_aliases_of_aliases_are_looked_at_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "tasks")
    lines = ["a0: &a0 [1, 2]", *(f"a{at}: &a{at} [*a{at - 1}, *a{at - 1}]" for at in range(1, 40))]
    (folder / "bad.yaml").write_text("\n".join(lines))
    started = perf_counter()
    check_folder(folder, is_trusted=False)
    assert perf_counter() - started < 2


@pytest.mark.parametrize(
    ("limit", "reason"), [("MOST_FILES", "over 1 YAML files"), ("MOST_EVENTS", "over 1 parts")]
)
def test_a_folder_over_a_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, reason: str
) -> None:
    folder = write(tmp_path / "tasks")
    (folder / "more.yaml").write_text("task: more\n")
    monkeypatch.setattr(task_folder, limit, 1)
    with pytest.raises(HarnessError, match=reason):
        check_folder(folder, is_trusted=True)


SUITE = """
extends = "toy"
title = "mine"
study = "trained"
spaces = []
searchers = []
baselines = ["default", "floor"]
reference = "floor"
claim = {{ method = "default", space = "" }}
[[tasks]]
name = "toy_bytes"
training = {{ steps = 2, batch_size = 4 }}
[[zero_shot]]
name = "asked"
trained_on = "toy_bytes"
lm_eval_tasks = "tasks"
held_out = [{held_out}]
"""


def evaluated(place: Path, held_out: str, *words: str) -> Ended:
    write(place / "tasks", "process_docs: !function helper.docs")
    (place / "suite.toml").write_text(SUITE.format(held_out=held_out))
    return harness("eval", place / "suite.toml", "--out", place / "run", "--offline", *words)


@pytest.mark.parametrize("held_out", ["", '"lm_eval:mine"'])
def test_eval_refuses_code_before_a_unit_runs(tmp_path: Path, held_out: str) -> None:
    done = evaluated(tmp_path, held_out)
    assert done.returncode == 2
    assert "mine.yaml runs the function 'helper.docs', so it runs code that came with it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.ci
def test_eval_runs_code_that_is_trusted(tmp_path: Path) -> None:
    done = evaluated(tmp_path, "", "--trust", "--limit", "4", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "ran").exists()
