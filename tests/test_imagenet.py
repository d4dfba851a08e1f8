"""ImageNet and the recipes of papers. Truth: 40 images drawn here, read as a folder and as a dataset."""

import importlib.util
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import datasets
import numpy as np
import pytest
from command import harness
from llm_server import Answer, Improver, served
from PIL import Image
from spaces import named

from harness.data.prepare import prepare_domain
from harness.errors import DataUnavailableError
from harness.task.task import Sample

CLASSES = ("n01", "n02", "n03", "n04")
OFFICIAL = {"train": 7, "val": 3}
RECIPES = {"ofa": "mobilenet:w1.0", "spos": "shufflenet:paper", "autoformer": "autoformer:tiny"}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of 4 classes with 7 training and 3 validation images each, of odd sizes."""
    root = tmp_path_factory.mktemp("imagenet")
    draw = np.random.default_rng(0)
    for official, count in OFFICIAL.items():
        for name in CLASSES:
            (root / official / name).mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 256, (40 + number, 60, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(root / official / name / f"{number}.png")
    return root


def task_of(where: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Returns the task's file loaded anew, as a process with that variable loads it."""
    monkeypatch.setenv("HARNESS_IMAGENET", where)
    path = Path(__file__).parents[1] / "tasks" / "imagenet.py"
    spec = importlib.util.spec_from_file_location("imagenet_anew", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def samples(where: str, domain: str, monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    return list(task_of(where, monkeypatch).TASK.domain(domain).read({}))


def counts(found: list[Sample]) -> Counter[tuple[str, int]]:
    return Counter((sample.group.partition("/")[0], sample.label) for sample in found)


def test_every_class_gives_each_split_its_part(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = counts(samples(str(pictures), "imagenet", monkeypatch))
    assert train == {
        **{("train", label): 5 for label in range(4)},
        **{("validation", label): 1 for label in range(4)},
        **{("test", label): 1 for label in range(4)},
    }
    held_out = counts(samples(str(pictures), "imagenet_val", monkeypatch))
    assert held_out == {(split, label): 1 for split in ("train", "validation", "test") for label in range(4)}


def test_a_saved_dataset_gives_the_same_images_as_the_folder(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {}
    for official, split in (("train", "train"), ("val", "validation")):
        files = sorted((pictures / official).rglob("*.png"))
        columns = {
            "image": [str(file) for file in files],
            "label": [CLASSES.index(file.parent.name) for file in files],
        }
        kinds = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))}
        )
        tables[split] = datasets.Dataset.from_dict(columns, features=kinds)
    datasets.DatasetDict(tables).save_to_disk(str(tmp_path / "saved"))
    folder, saved = (
        sorted((sample.label, sample.data) for sample in samples(str(where), "imagenet", monkeypatch))
        for where in (pictures, tmp_path / "saved")
    )
    assert folder == saved


def test_the_shorter_side_is_resized_and_the_centre_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = np.zeros((50, 200, 3), np.uint8)
    wide[:, 75:125] = 255
    for official in OFFICIAL:
        (tmp_path / official / "n01").mkdir(parents=True)
        Image.fromarray(wide).save(tmp_path / official / "n01" / "a.png")
    (one,) = samples(str(tmp_path), "imagenet_val", monkeypatch)
    pixels = np.frombuffer(one.data, np.uint8).reshape(3, 224, 224)
    assert (pixels == 255).all()


@pytest.mark.parametrize("domain", ["imagenet", "imagenet_val"])
def test_the_domains_prepare(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    task = task_of(str(pictures), monkeypatch).TASK
    card = prepare_domain("imagenet", task.domain(domain), tmp_path, offline=True)
    assert sum(card.samples.values()) == 4 * (7 if domain == "imagenet" else 3)
    assert task.class_names[:5] == (*CLASSES, "class 4")
    assert len(task.class_names) == 1000


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("", "HARNESS_IMAGENET must name a folder"),
        ("owner/name", r"revision of `datasets`, and is 'owner/name'\.$"),
    ],
)
def test_a_copy_that_is_not_named_or_not_pinned_is_told(
    where: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataUnavailableError, match=message):
        samples(where, "imagenet", monkeypatch)


def test_an_origin_holds_no_path_and_a_repository_is_fetched_by_name_alone(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for where, repository in ((str(pictures), ""), ("owner/name@commit", "owner/name@commit")):
        for domain in task_of(where, monkeypatch).TASK.domains:
            assert str(pictures) not in domain.origin
            assert domain.repository == repository


def test_a_class_of_validation_alone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "train" / "n01").mkdir(parents=True)
    (tmp_path / "val" / "n02").mkdir(parents=True)
    with pytest.raises(DataUnavailableError, match=r"n02 is a class without training images\.$"):
        samples(str(tmp_path), "imagenet_val", monkeypatch)


def test_a_check_without_the_copy_waits_and_says_what_for() -> None:
    done = harness("check", "task", "imagenet", HARNESS_IMAGENET="")
    assert done.returncode == 0
    assert "ok   task imagenet: waits for its data. HARNESS_IMAGENET must name" in done.stdout


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_smoke_form_runs_every_line_of_a_recipe(recipe: str, pictures: Path, tmp_path: Path) -> None:
    answers = Improver(named(RECIPES[recipe]))
    with served(lambda number, asked: answers(number, asked) if number else Answer()) as (url, _, _):
        places = {"HARNESS_IMAGENET": str(pictures), "HARNESS_LLM_BASE_URL": url, "HARNESS_LLM_MODEL": "m"}
        done = harness("eval", f"paper_{recipe}_smoke", "--out", str(tmp_path / "run"), **places)
    assert done.returncode == 0, done.stderr + done.stdout
    records = [json.loads(path.read_bytes()) for path in (tmp_path / "run" / "units").rglob("record.json")]
    kinds = {"endpoint", "prepare", "supernet", "search", "final", "score"}
    assert {record["kind"] for record in records} == kinds
    assert all(record["status"] == "ok" for record in records)
    assert all("recipe" in record["spec"] for record in records if record["kind"] in ("supernet", "final"))
