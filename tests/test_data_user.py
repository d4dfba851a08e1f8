"""Truth: small files written by the test itself, read back through the whole preparation."""

import json
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from harness.data.load import load_split
from harness.data.prepare import prepare_domain, prepared_folder
from harness.data.user import Columns, csv_file, hub_dataset, image_folder, jsonl, text_folder
from harness.errors import DataUnavailableError
from harness.task import SPLITS, Domain, Sample, Signature, Task

GREY = Signature(kind="image", classes=2, height=4, width=4)
CLASSES = ("cat", "dog")


def samples(domain: Domain) -> list[Sample]:
    return list(domain.read({}))


def draw_images(root: Path, *, count: int = 4, mode: str = "L", first: int = 0) -> None:
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            value = first + 10 * number + label
            Image.new("L", (4, 4), value).convert(mode).save(root / name / f"{number}.png")


def test_a_folder_of_images_is_split_by_image(tmp_path: Path) -> None:
    draw_images(tmp_path / "images", count=10)
    domain = image_folder(tmp_path / "images", "mine", GREY, classes=CLASSES)
    card = prepare_domain("task", domain, tmp_path, offline=True)
    assert card.classes == {"0": 10, "1": 10}
    assert sum(card.groups.values()) == 20
    task = Task(
        summary="toy",
        signature=GREY,
        metric="accuracy",
        chance=0.5,
        domains=(domain,),
        sources=("mine",),
        held_out=(),
    )
    split = load_split("task", task, domain, "train", tmp_path)
    assert (split.images[:, 0, 0, 0] % 10).tolist() == split.labels.tolist()


def test_folders_of_splits_are_kept(tmp_path: Path) -> None:
    for place, split in enumerate(SPLITS):
        draw_images(tmp_path / "images" / split, count=2, first=50 * place)
    domain = image_folder(tmp_path / "images", "mine", GREY, classes=CLASSES)
    card = prepare_domain("task", domain, tmp_path, offline=True)
    assert card.samples == {"train": 4, "validation": 4, "test": 4}


def test_images_are_turned_to_the_channels_and_size_of_the_task(tmp_path: Path) -> None:
    draw_images(tmp_path, count=1, mode="RGBA")
    colour = Signature(kind="image", classes=2, channels=3, height=6, width=5)
    first = samples(image_folder(tmp_path, "mine", colour, classes=CLASSES))[1]
    pixels = np.frombuffer(first.data, np.uint8)
    assert pixels.shape == (3 * 6 * 5,)
    assert set(pixels.tolist()) == {1}


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_missing_split_folder_is_named(tmp_path: Path, missing: str) -> None:
    for split in SPLITS:
        if split != missing:
            draw_images(tmp_path / split)
    with pytest.raises(DataUnavailableError, match=f"no {missing} folder"):
        samples(image_folder(tmp_path, "mine", GREY, classes=CLASSES))


def test_an_unknown_class_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    draw_images(tmp_path)
    with pytest.raises(DataUnavailableError, match="dog is not a class of the task; there are cat, cow"):
        samples(image_folder(tmp_path, "mine", GREY, classes=("cat", "cow")))
    (tmp_path / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(DataUnavailableError, match=r"0\.png is not a picture"):
        samples(image_folder(tmp_path, "mine", GREY, classes=CLASSES))


def test_a_missing_folder_or_file_fails_only_when_read(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    for domain in (
        image_folder(gone, "mine", GREY, classes=CLASSES),
        text_folder(gone, "mine"),
        jsonl(gone, "mine"),
        csv_file(gone, "mine"),
    ):
        with pytest.raises(DataUnavailableError, match=f"There is no (folder|file) {gone}"):
            samples(domain)


def test_text_files_are_documents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("first")
    (tmp_path / "two.txt").write_text("zweitens: ä")
    (tmp_path / "empty.txt").write_text("")
    assert samples(text_folder(tmp_path, "mine")) == [
        Sample(b"first", 0, "a/one.txt"),
        Sample("zweitens: ä".encode(), 0, "two.txt"),
    ]


def test_jsonl_columns_say_what_is_what(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"body": f"text {number}", "kind": CLASSES[number % 2], "who": "ann"} for number in range(2)]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    columns = Columns(data="body", label="kind", group="who")
    assert samples(jsonl(path, "mine", columns=columns, classes=CLASSES)) == [
        Sample(b"text 0", 0, "ann"),
        Sample(b"text 1", 1, "ann"),
    ]


def test_csv_may_name_the_split(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,split,label\n" + "".join(f"row {split},{split},1\n" for split in SPLITS))
    domain = csv_file(path, "mine", columns=Columns(label="label", split="split"))
    card = prepare_domain("task", domain, tmp_path, offline=True)
    assert card.samples == {"train": 1, "validation": 1, "test": 1}
    assert card.classes == {"1": 3}


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("a,b\n1,2\n", Columns(), "row 1 has no text; its columns are a, b"),
        ("text,kind\nx,cow\n", Columns(label="kind"), "label 'cow'; the task has cat, dog"),
        ("text\nx\n", Columns(label="kind", group="who"), "row 1 has no kind and no who"),
    ],
)
def test_wrong_columns_and_labels_are_named(tmp_path: Path, text: str, columns: Columns, words: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(DataUnavailableError, match=words):
        samples(csv_file(path, "mine", columns=columns, classes=CLASSES))


@pytest.mark.parametrize(
    ("text", "words"), [("{}\n{", "line 2 is not JSON"), ("[1]", "line 1 is not a JSON object")]
)
def test_a_line_that_is_not_json_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(text if text[0] == "[" else '{"text": "x"}\n{')
    with pytest.raises(DataUnavailableError, match=words):
        samples(jsonl(path, "mine"))


def test_a_changed_file_is_prepared_anew(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\none\n")
    before = prepared_folder("task", csv_file(path, "mine"), tmp_path)
    path.write_text("text\none\ntwo\n")
    assert prepared_folder("task", csv_file(path, "mine"), tmp_path) != before


def saved(folder: Path) -> Path:
    columns = {
        split: {"text": [f"{split} {row}" for row in range(3)], "label": [0, 1, 1]} for split in SPLITS
    }
    tables = {split: datasets.Dataset.from_dict(rows) for split, rows in columns.items()}
    datasets.DatasetDict(tables).save_to_disk(str(folder))
    return folder


def test_a_local_dataset_folder_keeps_its_splits(tmp_path: Path) -> None:
    folder = saved(tmp_path / "rows")
    signature = Signature(kind="bytes", classes=256)
    domain = hub_dataset(str(folder), "mine", signature, revision=None, columns=Columns(label="label"))
    card = prepare_domain("task", domain, tmp_path, offline=True)
    assert card.samples == {"train": 3, "validation": 3, "test": 3}
    pooled = hub_dataset(str(folder), "mine", signature, revision=None, fixed_splits=False)
    assert sum(prepare_domain("task", pooled, tmp_path, offline=True).groups.values()) == 9


def test_images_of_a_dataset_folder_are_decoded(tmp_path: Path) -> None:
    pictures = [Image.new("L", (8, 8), value) for value in (0, 100)]
    columns = {"image": pictures, "label": [0, 1]}
    labels = datasets.ClassLabel(names=list(CLASSES))
    features = datasets.Features({"image": datasets.Image(), "label": labels})
    datasets.Dataset.from_dict(columns, features=features).save_to_disk(str(tmp_path / "rows"))
    wanted = Columns(data="image", label="label")
    domain = hub_dataset(
        str(tmp_path / "rows"), "mine", GREY, revision=None, columns=wanted, fixed_splits=False
    )
    assert samples(domain)[1] == Sample(bytes([100] * 16), 1, "all:00000002")


def test_a_hub_id_needs_a_revision_and_a_whole_dataset_its_splits(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="'owner/name' has no revision; pin a commit"):
        hub_dataset("owner/name", "mine", GREY, revision=None)
    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(str(tmp_path / "rows"))
    with pytest.raises(DataUnavailableError, match="has the splits all; with fixed_splits it needs train"):
        samples(hub_dataset(str(tmp_path / "rows"), "mine", GREY, revision=None))
