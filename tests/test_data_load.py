"""Truth: toys whose samples say their own label, group and domain."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import filled
import numpy as np
import pytest

from harness.data.load import load_split
from harness.data.prepare import prepare_domain, prepared_folder
from harness.errors import DataUnavailableError
from harness.learn.batches import byte_batches, image_batches
from harness.task.signature import Signature
from harness.task.split import Split
from harness.task.task import SPLITS, Archives, Sample


def pictures(archives: Archives) -> Iterable[Sample]:
    """Yields 2 x 2 images: (label, group, number, 0); group 0 has nine tenths of them."""
    for number in range(240):
        group = 0 if number % 10 else 1 + number // 10
        yield Sample(bytes([number % 4, group, number, 0]), number % 4, f"group-{group:02}")


def documents(archives: Archives) -> Iterable[Sample]:
    for number in range(30):
        yield Sample(b"d%02d" % number * (number + 1), 0, str(number))


PICTURES = filled.domain("pictures", pictures)
DOCUMENTS = filled.domain("documents", documents)


IMAGE_TASK = filled.task([PICTURES], Signature(kind="image", classes=4, height=2, width=2))
BYTE_TASK = filled.task([DOCUMENTS], Signature(kind="bytes", classes=256))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    prepare_domain("toy", PICTURES, tmp_path, offline=True)
    prepare_domain("toy", DOCUMENTS, tmp_path, offline=True)
    return tmp_path


def test_images_keep_their_label_and_group(cache: Path) -> None:
    seen = 0
    for name in SPLITS:
        split = load_split("toy", IMAGE_TASK, PICTURES, name, cache)
        seen += len(split)
        assert split.images.shape == (len(split), 1, 2, 2)
        assert split.images[:, 0, 0, 0].tolist() == split.labels.tolist()
        named = [f"group-{group:02}" for group in split.images[:, 0, 0, 1]]
        assert named == [split.group_names[group] for group in split.groups]
    assert seen == 240


@pytest.mark.parametrize("limit", [None, 7])
def test_a_position_is_where_a_sample_lies_in_the_prepared_data(cache: Path, limit: int | None) -> None:
    import datasets

    prepared = datasets.load_from_disk(str(prepared_folder("toy", PICTURES, cache)))["data"]
    seen: list[int] = []
    for name in SPLITS:
        split = load_split("toy", IMAGE_TASK, PICTURES, name, cache, limit=limit)
        assert [prepared[at] for at in split.positions] == [image.tobytes() for image in split.images]
        seen += split.positions.tolist()
    assert len(seen) == len(set(seen)) > 3


def test_documents_come_back_whole(cache: Path) -> None:
    found = [
        document
        for name in SPLITS
        for document in load_split("toy", BYTE_TASK, DOCUMENTS, name, cache).documents()
    ]
    assert sorted(found) == sorted(sample.data for sample in documents({}))


def test_a_limit_takes_labels_in_turns(cache: Path) -> None:
    split = load_split("toy", IMAGE_TASK, PICTURES, "train", cache, limit=20)
    assert Counter(split.labels.tolist()) == {0: 5, 1: 5, 2: 5, 3: 5}
    assert set(split.group_names) == {split.group_names[group] for group in split.groups}


def test_a_limit_takes_groups_in_turns(cache: Path) -> None:
    whole = load_split("toy", IMAGE_TASK, PICTURES, "train", cache)
    of_label = [len(set(whole.groups[whole.labels == label].tolist())) for label in range(4)]
    part = load_split("toy", IMAGE_TASK, PICTURES, "train", cache, limit=4 * min(of_label))
    for label in range(4):
        groups = part.groups[part.labels == label].tolist()
        assert len(set(groups)) == len(groups)


def test_a_limit_is_the_same_every_time_and_grows_by_inclusion(cache: Path) -> None:
    small, again, large = (
        load_split("toy", IMAGE_TASK, PICTURES, "train", cache, limit=limit).images.reshape(-1, 4)
        for limit in (11, 11, 30)
    )
    assert small.tolist() == again.tolist()
    assert {row.tobytes() for row in small} <= {row.tobytes() for row in large}


def test_what_is_not_prepared_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match="run `harness data prepare`"):
        load_split("toy", IMAGE_TASK, PICTURES, "train", tmp_path)


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (Signature(kind="image", classes=4), "an image of 4 bytes, the task wants 784"),
        (Signature(kind="image", classes=3, height=2, width=2), "has label 3, the task has 3 classes"),
    ],
)
def test_samples_that_do_not_fit_the_task_are_refused(cache: Path, signature: Signature, words: str) -> None:
    with pytest.raises(DataUnavailableError, match=words):
        load_split("toy", filled.task([PICTURES], signature), PICTURES, "train", cache)


def constant(value: int, size: int) -> Split:
    return Split(
        domain=str(value),
        name="train",
        images=np.full((size, 1, 2, 2), value, np.uint8),
        text=np.full(3 * size, value, np.uint8),
        offsets=np.arange(0, 3 * size + 1, 3),
        labels=np.full(size, value, np.int64),
        groups=np.zeros(size, np.int64),
        group_names=("all",),
        positions=np.arange(size),
    )


def test_image_batches_give_every_domain_the_same_weight() -> None:
    batches = image_batches([constant(0, 2), constant(255, 500)], 4000, np.random.default_rng(0))
    images, labels = next(batches)
    assert (images.dtype, images.shape) == (np.float32, (4000, 1, 2, 2))
    assert set(np.unique(images).tolist()) == {-1.0, 1.0}
    assert ((images[:, 0, 0, 0] > 0) == (labels == 255)).all()
    # Five standard deviations of a fair coin thrown 4,000 times.
    assert abs((labels == 255).mean() - 0.5) < 0.04


def test_byte_batches_give_every_domain_the_same_weight_and_mark_documents() -> None:
    batches = byte_batches([constant(7, 1), constant(9, 500)], 4000, 8, np.random.default_rng(0))
    windows = next(batches)
    assert windows.shape == (4000, 9)
    ours = (windows == 9).any(axis=1)
    assert not (windows[ours] == 7).any()
    assert abs(ours.mean() - 0.5) < 0.04
    assert ((windows[ours] == 0).sum(axis=1) >= 2).all()


def test_batches_repeat_with_their_generator_and_refuse_empty_splits() -> None:
    splits = [constant(7, 10), constant(9, 20)]
    first, second = (next(byte_batches(splits, 5, 4, np.random.default_rng(3))) for _ in range(2))
    assert first.tolist() == second.tolist()
    with pytest.raises(ValueError, match="none empty"):
        next(image_batches([constant(1, 0)], 5, np.random.default_rng(0)))
