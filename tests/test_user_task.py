"""A task of one TOML file, from the command line. Truth: small files that the test writes itself."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from command import Ended, harness
from PIL import Image

from harness import catalog
from harness.checks.entries import check_entry
from harness.checks.machine import doctor
from harness.cli.cards import describe
from harness.cli.data import prepare_all
from harness.data.own.task import read_task
from harness.errors import DataUnavailableError, HarnessError
from harness.task.task import Task

PETS = """\
kind = "image"
summary = "Cats and dogs by camera."
sources = ["phone", "camera"]
held_out = ["webcam"]
size = 8

[data]
folder = "pets/{domain}"
licence = "CC0-1.0"
"""
REVIEWS = """\
kind = "text"
summary = "Whether a review is good."
sources = ["books", "films"]
held_out = ["games"]

[data]
file = "reviews.jsonl"
columns = { text = "body", label = "stars", group = "author", domain = "shop" }
"""
LETTERS = """\
kind = "bytes"
summary = "Letters of two people."
sources = ["ann"]
held_out = ["ben"]
context = 32

[data]
folder = "letters/{domain}"
"""
QUIZ = """\
kind = "choice"
summary = "A quiz in two languages."
sources = ["english"]
held_out = ["german"]

[data]
file = "quiz.csv"
columns = { choices = ["a", "b", "c"], domain = "language" }
"""
SUITE = """\
title = "Mine"
study = "trained"
seeds = [0, 1]
spaces = ["hybrid:micro-attention"]
searchers = ["random_search"]
baselines = ["tuned", "floor"]
tuned_space = "hybrid:micro-attention"
reference = "tuned"
claim = { method = "random_search", space = "hybrid:micro-attention" }
search = { evaluations = 2, parameter_tolerance = 0.05 }
"""
SETTINGS = """
[[tasks]]
name = "{}"
validation_samples = 20
test_samples = 20
supernet = {{ strategy = "single_path", steps = 2, batch_size = 8 }}
training = {{ steps = 2, batch_size = 8, learning_rates = [3e-3] }}
"""


def draw_pets(root: Path, domains: Sequence[str], *, count: int = 30) -> None:
    draw = np.random.default_rng(0)
    for domain in domains:
        for label, name in enumerate(("cat", "dog")):
            (root / domain / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 120, (10, 12, 3))
                pixels[:, label * 6 : label * 6 + 6] += 100
                Image.fromarray(pixels.astype(np.uint8)).save(root / domain / name / f"{number}.png")


def write_reviews(path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = []
    for number in range(360):
        label = number % 2
        kept = "good fine" if label else "bad poor"
        words = " ".join(f"w{word}" for word in draw.integers(0, 10**6, 12))
        shop = ("books", "films", "games")[number // 120]
        rows.append({"body": f"{kept} {words}", "stars": label, "author": number // 2, "shop": shop})
    path.write_text("\n".join(map(json.dumps, rows)))


def write_letters(root: Path) -> None:
    draw = np.random.default_rng(0)
    for name in ("ann", "ben"):
        (root / name).mkdir(parents=True)
        for number in range(20):
            words = " ".join(f"w{word}" for word in draw.integers(0, 10**6, 40))
            (root / name / f"{number}.txt").write_text(words)


def write_quiz(path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = ["question,a,b,c,answer,language"]
    for number in range(400):
        words = " ".join(f"w{word}" for word in draw.integers(0, 10**6, 10))
        third = f"z{number:03}" if number % 4 else ""
        answer = draw.integers(0, 3 if third else 2)
        lines.append(
            f"{words}?,x{number:03},y{number:03},{third},{answer},{('english', 'german')[number // 200]}"
        )
    path.write_text("\n".join(lines))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a catalog folder with a task of each kind and a suite of one."""
    root = tmp_path_factory.mktemp("mine")
    tasks = root / "tasks"
    tasks.mkdir()
    for name, text in (("pets", PETS), ("reviews", REVIEWS), ("letters", LETTERS), ("quiz", QUIZ)):
        (tasks / f"{name}.toml").write_text(text)
    draw_pets(tasks / "pets", ("phone", "camera", "webcam"))
    write_reviews(tasks / "reviews.jsonl")
    write_letters(tasks / "letters")
    write_quiz(tasks / "quiz.csv")
    (root / "leaderboards").mkdir()
    trained = "".join(map(SETTINGS.format, ("pets", "reviews", "letters")))
    (root / "leaderboards" / "mine.toml").write_text(SUITE + trained)
    return root


def called(mine: Path, data: Path, *words: object) -> Ended:
    return harness(*words, HARNESS_CATALOG=str(mine), HARNESS_DATA=str(data))


def loaded(text: str, folder: Path, datasets: Path | None = None) -> Task:
    path = folder / "mine.toml"
    path.write_text(text)
    return read_task(path, datasets)


def test_a_task_is_told_from_a_table_by_its_kind(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalog.names("table")
    monkeypatch.setenv("HARNESS_CATALOG", str(mine))
    assert {"pets", "reviews", "letters", "quiz"} <= set(catalog.names("task"))
    assert set(catalog.names("table")) <= set(before)
    assert not set(catalog.names("task")) & set(catalog.names("table"))


@pytest.mark.parametrize(
    ("name", "inputs", "metric", "chance"),
    [
        ("pets", "images 3x8x8, 2 classes", "balanced_accuracy", 0.5),
        ("reviews", "text, windows of 64 bytes, 2 classes", "balanced_accuracy", 0.5),
        ("letters", "bytes, windows of 32", "bits_per_byte", 8.0),
        ("quiz", "questions with at most 3 answers", "accuracy", pytest.approx(0.75 / 3 + 0.25 / 2)),
    ],
)
def test_every_kind_is_described_and_passes_its_checks(
    mine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    inputs: str,
    metric: str,
    chance: float,
) -> None:
    monkeypatch.setenv("HARNESS_CATALOG", str(mine))
    card = describe("task", name, tmp_path)
    assert (card["inputs"], card["metric"], card["chance"]) == (inputs, metric, chance)
    findings = check_entry("task", name, tmp_path, offline=True)
    assert [finding for finding in findings if not finding.holds] == []
    assert describe("task", name, tmp_path)["sample"] is not None


def test_a_task_of_a_file_is_prepared_from_the_command_line(mine: Path, tmp_path: Path) -> None:
    assert "pets" in called(mine, tmp_path, "list", "tasks").stdout
    done = called(mine, tmp_path, "data", "prepare", "pets", "quiz", "--offline")
    assert (done.returncode, done.stdout.count("ok   ")) == (0, 5), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["pets", "reviews", "letters"])
def test_a_record_holds_no_path_and_changed_data_are_another_unit(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from harness.data.view import DataPlace
    from harness.run.place import Place
    from harness.study.trained.plan import prepare_unit
    from harness.workers.perform import perform

    copied = tmp_path / "mine"
    shutil.copytree(mine, copied)
    monkeypatch.setenv("HARNESS_CATALOG", str(mine))
    domain = catalog.load("task", name).sources[0]
    unit = prepare_unit(name, domain)
    done = perform(unit, {}, Place(run=tmp_path, data=DataPlace(folder=tmp_path / "data")))
    assert str(mine) not in json.dumps([done.result.to_json(), dict(done.about), unit.spec.to_json()])
    assert done.about["origin"].endswith(unit.spec.version)
    monkeypatch.setenv("HARNESS_CATALOG", str(copied))
    assert prepare_unit(name, domain).hash == unit.hash
    text = (copied / "tasks" / f"{name}.toml").read_text()
    (copied / "tasks" / f"{name}.toml").write_text(text.replace("[data]", "[data]\nis_test = true"))
    assert prepare_unit(name, domain).hash != unit.hash


@pytest.mark.slow
@pytest.mark.ci
def test_a_suite_evaluates_tasks_of_files(mine: Path, tmp_path: Path) -> None:
    done = called(mine, tmp_path, "eval", "mine", "--out", str(tmp_path / "run"), "--offline")
    assert done.returncode == 0, done.stderr + done.stdout
    texts = [path.read_text() for path in (tmp_path / "run" / "units").rglob("record.json")]
    assert {json.loads(text)["status"] for text in texts} == {"ok"}
    assert not any(str(mine) in text for text in texts)


def test_a_wrong_row_is_the_users_mistake(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "rated.toml").write_text(
        REVIEWS.replace('domain = "shop"', 'domain = "shop", split = "part"')
    )
    write_reviews(tmp_path / "tasks" / "reviews.jsonl")
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    assert prepare_all(["rated"], tmp_path, offline=True) == 2


def test_a_wrong_file_ends_in_one_sentence_and_leaves_the_others_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    (tasks / "broken.toml").write_text(PETS.replace("size = 8", "sizes = 8"))
    done = called(tmp_path, tmp_path, "describe", "task", "broken")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"harness: {tasks / 'broken.toml'}, line 5: the top level has no key 'sizes'; did you mean size?\n"
    )
    (tasks / "letters.toml").write_text(LETTERS)
    write_letters(tasks / "letters")
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    monkeypatch.setattr(catalog, "names", lambda kind: ["broken", "letters"])
    assert prepare_all([], tmp_path, offline=True) == 1
    told = capsys.readouterr().out
    assert "FAIL broken: " in told
    assert "ok   letters/ann: 20 samples" in told
    checked = called(tmp_path, tmp_path, "check", "tasks")
    assert checked.returncode == 1
    assert "FAIL task broken: loads and runs. " in checked.stdout
    assert checked.stdout.count("FAIL") == 1
    findings = {finding.claim: finding.holds for finding in doctor(tmp_path, None)}
    assert not findings["task broken loads"]
    assert findings["data of letters"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            PETS.replace('"image"', '"images"'),
            "kind must be 'bytes' or 'choice' or 'image' or 'text', not 'images'",
        ),
        (
            PETS.replace('"webcam"', '"phone"'),
            "sources and held_out need a domain each and share none; phone is",
        ),
        (PETS + "[domains.web]\n", "domains.web is neither among the sources nor held out"),
        (
            PETS + "[domains.webcam]\nfoldr = 'x'\n",
            r"\[domains.webcam\] has no key 'foldr'; did you mean folder?",
        ),
        (
            PETS.replace("pets/{domain}", "pets"),
            "every domain would be the same folder; write {domain} in it",
        ),
        (
            PETS.replace('folder = "pets/{domain}"', ""),
            "needs one of folder, file, dataset, images, and has none",
        ),
        (PETS.replace("folder =", 'file = "x.csv"\nfolder ='), "dataset, images, not folder and file"),
        (PETS.replace("folder", "images"), r"images, not images \(images need labels\)"),
        (
            PETS.replace("size = 8", "size = [8]"),
            r"size must be pixels of one side or of height and width, not \[8\]",
        ),
        (PETS.replace("size = 8", "channels = 2"), "channels must be 1 or 3, not 2"),
        (
            PETS.replace("size = 8", "classes = 1"),
            "classes must be different names, or their number, 2 or more",
        ),
        (
            PETS.replace("size = 8", 'metric = "loss"'),
            "must be balanced_accuracy or .*, not 'loss'",
        ),
        (LETTERS.replace("context = 32", "context = 0"), "context must be 1 byte or more, not 0"),
        (LETTERS.replace("context = 32", "context = 9999999"), "context .* not 9999999, and at most 1048576"),
        (PETS.replace("size = 8", "size = 99999"), "size must be .* not 99999, and at most 8192"),
        (PETS.replace("size = 8", "classes = 9999999999"), "not 9999999999, and at most 100000"),
        (LETTERS.replace("context = 32", "size = 32"), "a task of kind bytes has no size"),
        (REVIEWS.replace("file", "folder"), "kind text needs one of file, dataset, not folder"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(HarnessError, match=rf"mine\.toml.*{words}"):
        loaded(text, tmp_path)


def test_classes_are_those_of_the_sources_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    rows = [{"text": str(n), "label": n, "domain": "ab"[n % 2]} for n in (10, 9, 2, 3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    text = (
        'kind = "text"\nsummary = "Numbers."\nsources = ["a"]\nheld_out = ["b"]\n'
        '[data]\nfile = "rows.jsonl"\ncolumns = { domain = "domain" }\n'
    )
    assert loaded(text, tmp_path).class_names == ("2", "10")
    both = text.replace('["b"]', '["c"]').replace('["a"]', '["a", "b"]')
    assert loaded(both, tmp_path).class_names == ("2", "3", "9", "10")
    with pytest.raises(HarnessError, match="needs 3 classes and the sources have 2: 2, 10"):
        loaded(text.replace("[data]", "classes = 3\n[data]"), tmp_path)


def test_classes_that_cannot_be_read_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"There is no folder .*pets/phone"):
        loaded(PETS, tmp_path)
    repository = PETS.replace("folder", "dataset").replace("[data]", f'[data]\nrevision = "{"0" * 40}"')
    with pytest.raises(DataUnavailableError, match=r"it has no `classes`.*say how many there are"):
        loaded(repository, tmp_path)
    task = loaded(repository.replace("size", "classes = 2\nsize"), tmp_path)
    assert task.class_names == ("class 0", "class 1")
    assert [domain.repository for domain in task.domains] == ["pets/phone", "pets/camera", "pets/webcam"]


def test_a_repository_without_a_revision_waits_and_names_of_branches_are_refused(tmp_path: Path) -> None:
    text = PETS.replace('folder = "pets/{domain}"', 'dataset = "owner/name"\nconfiguration = "{domain}"')
    text = text.replace("size", "classes = 2\nsize")
    task = loaded(text, tmp_path)
    assert "mine.toml has no revision of owner/name; write the commit" in task.awaits
    with pytest.raises(DataUnavailableError, match=r"Domain 'phone' is not here: .* has no revision"):
        list(task.domain("phone").read({}))
    with pytest.raises(
        HarnessError, match="revision 'main' of domain 'phone' is not the 40 hexadecimal digits"
    ):
        loaded(text + 'revision = "main"\n', tmp_path)


def test_what_waits_or_is_a_repository_is_passed_over_unless_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tasks").mkdir()
    text = PETS.replace("folder", "dataset").replace("size", "classes = 2\nsize")
    (tmp_path / "tasks" / "waits.toml").write_text(text)
    (tmp_path / "tasks" / "hub.toml").write_text(text + f'revision = "{"0" * 40}"\n')
    monkeypatch.setenv("HARNESS_CATALOG", str(tmp_path))
    monkeypatch.setattr(catalog, "names", lambda kind: ["hub", "waits"])
    assert prepare_all([], tmp_path, offline=False) == 0
    told = capsys.readouterr().out
    assert "wait hub/phone: `harness data prepare hub` fetches pets/phone" in told
    assert "wait waits: " in told
    assert prepare_all(["hub"], tmp_path, offline=True) == 1
    assert "--offline forbids fetching pets/phone" in capsys.readouterr().out
    for name in ("hub", "waits"):
        findings = check_entry("task", name, tmp_path, offline=False)
        assert [one for one in findings if not one.holds] == []
        assert any("waits for its data" in one.claim for one in findings)
