"""Truth: small files written by the test itself, read back through the whole preparation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import datasets
import filled
import numpy as np
import pytest
from PIL import Image

from harness.data.load import load_split
from harness.data.own.domain import user_domain
from harness.data.own.place import Columns, OwnPlace
from harness.data.prepare import prepare_domain, prepared_folder
from harness.errors import DataUnavailableError, WrongDataError
from harness.task.signature import Signature
from harness.task.task import SPLITS, Domain, Sample

GREY = Signature(kind="image", classes=2, height=4, width=4)
BYTES = Signature(kind="bytes", classes=256)
TEXT = Signature(kind="text", classes=2)
CHOICE = Signature(kind="choice", classes=3)
CLASSES = ("cat", "dog")


def made(place: OwnPlace, signature: Signature, name: str = "mine") -> Domain:
    return user_domain(place, name, signature, CLASSES if signature.kind in ("image", "text") else ())


def samples(place: OwnPlace, signature: Signature, name: str = "mine") -> list[Sample]:
    return list(made(place, signature, name).read({}))


def counts(found: Sequence[Sample]) -> dict[str, int]:
    return {split: sum(one.group.startswith(f"{split}/") for one in found) for split in SPLITS}


def draw_images(root: Path, *, count: int = 4, mode: str = "L", first: int = 0) -> None:
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            value = first + 10 * number + label
            Image.new("L", (4, 4), value).convert(mode).save(root / name / f"{number}.png")


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> OwnPlace:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return OwnPlace(file=str(path))


def test_a_folder_of_images_is_split_by_image(tmp_path: Path) -> None:
    draw_images(tmp_path / "images", count=10)
    domain = made(OwnPlace(folder=str(tmp_path / "images")), GREY)
    card = prepare_domain("task", domain, tmp_path, offline=True)
    assert card.classes == {"0": 10, "1": 10}
    assert sum(card.groups.values()) == 20
    task = filled.task([domain], GREY)
    split = load_split("task", task, domain, "train", tmp_path)
    assert (split.images[:, 0, 0, 0] % 10).tolist() == split.labels.tolist()


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train", "validation", "test"), {"train": 12, "validation": 12, "test": 12}),
        (("train", "val", "test"), {"train": 12, "validation": 12, "test": 12}),
        (("train", "test"), {"train": 11, "validation": 1, "test": 12}),
        (("train", "val"), {"train": 11, "validation": 1, "test": 12}),
        (("train",), {"train": 8, "validation": 1, "test": 3}),
    ],
)
def test_folders_of_splits_are_kept_and_lacking_ones_made(
    tmp_path: Path, folders: tuple[str, ...], expected: dict[str, int]
) -> None:
    for place, split in enumerate(folders):
        draw_images(tmp_path / split, count=6, first=60 * place)
    assert counts(samples(OwnPlace(folder=str(tmp_path)), GREY)) == expected


def test_a_set_that_only_evaluates_is_test_but_for_two_groups_of_a_class(tmp_path: Path) -> None:
    draw_images(tmp_path, count=5)
    found = samples(OwnPlace(folder=str(tmp_path), is_test=True), GREY)
    assert counts(found) == {"train": 2, "validation": 2, "test": 6}
    assert [one.label for one in found if one.group.startswith("train/")] == [0, 1]


def test_images_are_turned_to_the_channels_and_size_of_the_task(tmp_path: Path) -> None:
    draw_images(tmp_path, count=1, mode="RGBA")
    colour = Signature(kind="image", classes=2, channels=3, height=6, width=5)
    first = samples(OwnPlace(folder=str(tmp_path)), colour)[1]
    pixels = np.frombuffer(first.data, np.uint8)
    assert pixels.shape == (3 * 6 * 5,)
    assert set(pixels.tolist()) == {1}


def test_folders_may_be_numbers_of_classes(tmp_path: Path) -> None:
    draw_images(tmp_path)
    (tmp_path / "cat").rename(tmp_path / "1")
    (tmp_path / "dog").rename(tmp_path / "0")
    pairs = {(one.data[0] % 10, one.label) for one in samples(OwnPlace(folder=str(tmp_path)), GREY)}
    assert pairs == {(0, 1), (1, 0)}


def test_an_unknown_class_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    draw_images(tmp_path)
    place = OwnPlace(folder=str(tmp_path))
    (tmp_path / "dog").rename(tmp_path / "cow")
    with pytest.raises(WrongDataError, match="cow: 'cow' is not a class of the task; there are cat, dog"):
        samples(place, GREY)
    (tmp_path / "cat" / "0.png").write_bytes(b"no picture")
    with pytest.raises(WrongDataError, match=r"0\.png is not a picture"):
        samples(place, GREY)


def test_a_missing_folder_or_file_fails_only_when_read(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    for place, signature in (
        (OwnPlace(folder=gone), GREY),
        (OwnPlace(folder=gone), BYTES),
        (OwnPlace(file=f"{gone}.jsonl"), BYTES),
        (OwnPlace(file=f"{gone}.csv"), TEXT),
        (OwnPlace(images=f"{gone}.npy", labels=gone), GREY),
    ):
        with pytest.raises(DataUnavailableError, match=f"There is no (folder|file) {gone}"):
            samples(place, signature)


def test_text_files_are_documents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.txt").write_text("first")
    (tmp_path / "two.txt").write_text("zweitens: ä")
    (tmp_path / "three.txt").write_text("third")
    (tmp_path / "empty.txt").write_text("")
    found = samples(OwnPlace(folder=str(tmp_path)), BYTES)
    assert [(one.data, one.group.partition("/")[2]) for one in found] == [
        (b"first", "a/one.txt"),
        (b"third", "three.txt"),
        ("zweitens: ä".encode(), "two.txt"),
    ]
    assert counts(found) == {"train": 1, "validation": 1, "test": 1}


def test_columns_say_what_is_what(tmp_path: Path) -> None:
    rows = [
        {"meta": {"body": f"text {number}"}, "kind": CLASSES[number % 2], "who": f"ann {number // 2}"}
        for number in range(8)
    ]
    place = write_rows(tmp_path / "rows.jsonl", rows)
    found = samples(replace(place, columns=Columns(text="meta.body", label="kind", group="who")), TEXT)
    assert [(one.data, one.label) for one in found] == [(f"text {n}".encode(), n % 2) for n in range(8)]
    assert {one.group.partition("/")[2] for one in found} == {f"ann {number}" for number in range(4)}


def test_a_column_of_domains_chooses_the_rows(tmp_path: Path) -> None:
    rows = [{"text": f"{number}", "shop": "AB"[number % 2]} for number in range(6)]
    place = replace(write_rows(tmp_path / "rows.jsonl", rows), columns=Columns(domain="shop"))
    assert [one.data for one in samples(place, BYTES, "A")] == [b"0", b"2", b"4"]
    assert [one.data for one in samples(replace(place, value="B"), BYTES, "other")] == [b"1", b"3", b"5"]
    with pytest.raises(
        WrongDataError, match=r"rows\.jsonl has no row with 'C' as its shop; there is 'A', 'B'"
    ):
        samples(place, BYTES, "C")


def test_csv_may_name_the_split_and_the_class_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text,split,label\n" + "".join(f"row {split},{split},1\n" for split in SPLITS))
    card = prepare_domain("task", made(OwnPlace(file=str(path)), TEXT), tmp_path, offline=True)
    assert card.samples == {"train": 1, "validation": 1, "test": 1}
    assert card.classes == {"1": 3}


def test_a_table_may_name_files_of_pictures(tmp_path: Path) -> None:
    draw_images(tmp_path / "pictures")
    lines = [f"pictures/{name}/{number}.png,{name}" for name in CLASSES for number in range(4)]
    (tmp_path / "rows.csv").write_text("\n".join(["file_name,label", *lines]))
    place = OwnPlace(file=str(tmp_path / "rows.csv"), columns=Columns(image="file_name"))
    assert {(one.data[0] % 10, one.label) for one in samples(place, GREY)} == {(0, 0), (1, 1)}
    before = made(place, GREY).version
    (tmp_path / "pictures" / "other.png").write_bytes(b"named by no row")
    assert made(place, GREY).version == before
    (tmp_path / "pictures" / "cat" / "2.png").unlink()
    assert made(place, GREY).version != before
    with pytest.raises(WrongDataError, match=r"There is no picture .*cat/2\.png"):
        samples(place, GREY)


@pytest.mark.parametrize(
    ("text", "columns", "words"),
    [
        ("a,b\n1,2\n", Columns(), r"rows\.csv, row 1 has no label; its columns are a, b"),
        ("a,label\n1,cat\n", Columns(), r"rows\.csv, row 1 has no text; its columns are a, label"),
        ("text,label\nx,cat\n,dog\n", Columns(), r"rows\.csv, row 2 has no text"),
        ("text,kind\nx,cow\n", Columns(label="kind"), "row 1, column kind: 'cow' is not a class of the task"),
        ("text,label\nx,2\n", Columns(), "row 1, column label: '2' is not a class"),
        ("text,label\nx,cat\n", Columns(group="who"), "row 1 has no who"),
        ("text,label\nx,cat,y\n", Columns(), "row 1 has more cells than the first line names"),
        (
            "text,label,split\nx,cat,A\n",
            Columns(),
            "row 1 has 'A' as its split; it must be train, validation",
        ),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, text: str, columns: Columns, words: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(text)
    with pytest.raises(WrongDataError, match=words):
        samples(OwnPlace(file=str(path), columns=columns), TEXT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"text": "x"}\n{', "line 2 is not JSON"),
        (b"[1]", "line 1 is not a JSON object"),
        (b'{"text": "\xff"}', "is not UTF-8 text"),
    ],
)
def test_a_line_that_is_not_json_is_named(tmp_path: Path, text: bytes, words: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(text)
    with pytest.raises(WrongDataError, match=words):
        samples(OwnPlace(file=str(path)), BYTES)


def test_questions_say_the_right_answer_in_three_ways(tmp_path: Path) -> None:
    rows = [
        {
            "question": f"Which of these is number {number} of its kind?",
            "choices": ["x", "y", "z"],
            "answer": answer,
        }
        for number, answer in enumerate([0, "1", "C", "c", "y", 2])
    ]
    found = samples(write_rows(tmp_path / "rows.jsonl", rows), CHOICE)
    assert [one.label for one in found] == [0, 1, 2, 2, 1, 2]
    assert json.loads(found[0].data) == {"choices": ["x", "y", "z"], "question": rows[0]["question"]}


def test_answers_may_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("question,a,b,c,answer\nOne?,x,y,z,z\nTwo?,x,y,,B\nThree?,p,q,r,0\n")
    place = OwnPlace(file=str(path), columns=Columns(choices=["a", "b", "c"]))
    assert [(one.label, len(json.loads(one.data)["choices"])) for one in samples(place, CHOICE)] == [
        (2, 3),
        (1, 2),
        (0, 3),
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"choices": ["x", "y"], "answer": 2}, "line 1, column answer is 2; give the text of one of its 2"),
        ({"choices": ["x", "y"], "answer": "no"}, "column answer is 'no'"),
        (
            {"choices": ["x", "x"], "answer": 0},
            r"has the answers \['x', 'x'\]; give two or more, all different",
        ),
        ({"choices": "x or y", "answer": 0}, "column choices is not a list"),
        ({"choices": ["w", "x", "y", "z"], "answer": 0}, "has 4 answers, the task at most 3"),
    ],
)
def test_wrong_questions_are_named(tmp_path: Path, row: dict[str, object], words: str) -> None:
    with pytest.raises(WrongDataError, match=words):
        samples(write_rows(tmp_path / "rows.jsonl", [{"question": "Which?", **row}]), CHOICE)


def test_the_same_pictures_in_an_array_several_times_are_one_group(tmp_path: Path) -> None:
    pictures = np.arange(12 * 4 * 4, dtype=np.uint8).reshape(12, 4, 4, 1)
    np.save(tmp_path / "fog.npy", pictures)
    np.save(tmp_path / "labels.npy", np.arange(12) % 2)
    place = OwnPlace(
        images=str(tmp_path / "fog.npy"), labels=str(tmp_path / "labels.npy"), period=6, is_test=True
    )
    found = samples(place, GREY)
    assert [one.data for one in found] == [picture.tobytes() for picture in pictures]
    assert len({one.group for one in found}) == 6
    assert counts(found) == {"train": 4, "validation": 4, "test": 4}
    np.save(tmp_path / "labels.npy", np.zeros(5, np.int64))
    with pytest.raises(
        WrongDataError, match=r"fog\.npy holds uint8 of shape .* and its labels have shape \(5,\)"
    ):
        samples(place, GREY)


def test_a_changed_file_is_prepared_anew(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("text\none\n")
    place = OwnPlace(file=str(path))
    before = prepared_folder("task", made(place, BYTES), tmp_path)
    assert prepared_folder("task", made(place, BYTES), tmp_path) == before
    path.write_text("text\ntwo\n")
    assert prepared_folder("task", made(place, BYTES), tmp_path) != before


def test_another_size_or_other_classes_are_prepared_anew(tmp_path: Path) -> None:
    draw_images(tmp_path)
    place = OwnPlace(folder=str(tmp_path))
    domains = [
        user_domain(place, "mine", GREY, CLASSES),
        user_domain(place, "mine", replace(GREY, width=5), CLASSES),
        user_domain(place, "mine", GREY, CLASSES[::-1]),
        user_domain(replace(place, is_test=True), "mine", GREY, CLASSES),
    ]
    assert len({prepared_folder("task", domain, tmp_path) for domain in domains}) == 4


def test_an_origin_holds_no_path_and_is_the_same_in_another_place(tmp_path: Path) -> None:
    origins = []
    for root in ("here", "there"):
        folder = tmp_path / root / "photos"
        draw_images(folder)
        origins.append(made(OwnPlace(folder=str(folder), origin="Ann 2024"), GREY).origin)
        assert "/" not in origins[-1]
        assert origins[-1].startswith("Ann 2024: pictures in photos, version ")
    assert origins[0] == origins[1]


def saved(folder: Path, splits: Sequence[str] = SPLITS) -> OwnPlace:
    columns = {
        split: {"text": [f"{split} {row}" for row in range(3)], "label": [0, 1, 1]} for split in splits
    }
    tables = {split: datasets.Dataset.from_dict(rows) for split, rows in columns.items()}
    datasets.DatasetDict(tables).save_to_disk(str(folder))
    return OwnPlace(dataset=str(folder))


def test_a_saved_dataset_keeps_its_splits(tmp_path: Path) -> None:
    domain = made(saved(tmp_path / "rows"), TEXT)
    card = prepare_domain("task", domain, tmp_path, offline=True)
    assert card.samples == {"train": 3, "validation": 3, "test": 3}
    assert domain.repository == ""
    whole = samples(saved(tmp_path / "whole", ["all"]), BYTES)
    assert counts(whole) == {"train": 1, "validation": 1, "test": 1}


def test_a_folder_of_data_files_is_loaded_as_datasets_loads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "rows").mkdir()
    for split in ("train", "test"):
        rows = [{"text": f"{split} {row}", "label": "dog", "who": row} for row in range(4)]
        write_rows(tmp_path / "rows" / f"{split}.jsonl", rows)
    found = samples(OwnPlace(dataset=str(tmp_path / "rows"), columns=Columns(group="who")), TEXT)
    assert counts(found) == {"train": 3, "validation": 1, "test": 4}
    assert {one.label for one in found} == {1}


def test_images_of_a_saved_dataset_are_decoded_and_its_classes_known_by_name(tmp_path: Path) -> None:
    pictures = [Image.new("L", (8, 8), value) for value in (0, 100, 200)]
    labels = datasets.ClassLabel(names=["dog", "cat"])
    features = datasets.Features({"image": datasets.Image(), "label": labels})
    rows = {"image": pictures, "label": [0, 1, 1]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "rows"))
    found = samples(OwnPlace(dataset=str(tmp_path / "rows")), GREY)
    assert [(one.data, one.label) for one in found] == [
        (bytes([value] * 16), label) for value, label in ((0, 1), (100, 0), (200, 0))
    ]


def test_a_picture_of_a_saved_dataset_is_opened_as_any_other(tmp_path: Path) -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    for first, found in (((tmp_path / "a.png").read_bytes(), [7, 7, 7]), (script, None)):
        stored = [{"bytes": first, "path": None}] + [{"bytes": None, "path": str(tmp_path / "a.png")}] * 2
        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["dog"])})
        place = tmp_path / f"rows of {len(first)}"
        rows = datasets.Dataset.from_dict({"image": stored, "label": [0] * 3}, features=features)
        rows.save_to_disk(str(place))
        if found:
            assert [one.data[0] for one in samples(OwnPlace(dataset=str(place)), GREY)] == found
        else:
            with pytest.raises(
                WrongDataError, match="row 1, column image, is not a picture that can be read"
            ):
                samples(OwnPlace(dataset=str(place)), GREY)


def test_offline_forbids_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = OwnPlace(dataset="owner/name", revision="0" * 40)
    domain = made(place, BYTES)
    assert domain.origin.startswith(f"repository owner/name at {'0' * 40}, version ")
    calls = []

    def load_dataset(*words: object, **options: object) -> datasets.DatasetDict:
        calls.append((words, options))
        rows = {"text": ["a", "b", "c"]}
        return datasets.DatasetDict({"train": datasets.Dataset.from_dict(rows)})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataUnavailableError, match="--offline forbids fetching owner/name"):
        prepare_domain("task", domain, tmp_path, offline=True)
    assert calls == []
    prepare_domain("task", domain, tmp_path, offline=False)
    assert calls == [(("owner/name", None), {"revision": "0" * 40})]
    assert prepare_domain("task", domain, tmp_path, offline=True).task == "task"
