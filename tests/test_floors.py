"""Truth: Witten-Bell written out with dictionaries, and that probabilities are a distribution."""

import math
from collections import Counter, defaultdict
from dataclasses import replace

import filled
import numpy as np
import pytest

from harness.nn.floors import LinearImage, NGram
from harness.task.split import Split


def text_split(documents: list[bytes]) -> Split:
    return filled.split(documents=documents)


def image_split(labels: list[int]) -> Split:
    return filled.split(images=np.zeros((len(labels), 1, 2, 2), np.uint8), labels=labels)


def brute_force_bits(train: list[bytes], document: bytes) -> float:
    counts: dict[bytes, Counter[int]] = defaultdict(Counter)
    for text in train:
        padded = bytes(5) + text
        for place in range(5, len(padded)):
            for length in range(6):
                counts[padded[place - length : place]][padded[place]] += 1

    def probability(context: bytes, byte: int) -> float:
        below = probability(context[1:], byte) if context else 1 / 256
        seen = counts.get(context)
        if not seen:
            return below
        kinds = len(seen)
        return (seen[byte] + kinds * below) / (sum(seen.values()) + kinds)

    padded = bytes(5) + document
    return -sum(math.log2(probability(padded[i - 5 : i], padded[i])) for i in range(5, len(padded)))


TRAIN = [b"the cat sat on the mat", b"the dog sat on the log, \x00 and \xff", b"a"]


def test_bits_are_those_of_witten_bell_written_out() -> None:
    model = NGram.fit([text_split(TRAIN[:2]), text_split(TRAIN[2:])])
    documents = [b"the cat sat on the dog", b"", b"zebra \x80", b"a"]
    expected = [brute_force_bits(TRAIN, document) for document in documents]
    np.testing.assert_allclose(model.bits(documents), expected, rtol=1e-9)


def test_probabilities_sum_to_one_after_any_context() -> None:
    draw = np.random.default_rng(0)
    text = [draw.integers(97, 103, 3000).astype(np.uint8).tobytes()]
    model = NGram.fit([text_split(text)])
    for length in (0, 1, 3, 5, 9):
        for _ in range(20):
            context = draw.integers(96, 105, length).astype(np.uint8).tobytes()
            bits = model.bits([context, *(context + bytes([one]) for one in range(256))])
            assert np.exp2(bits[0] - bits[1:]).sum() == pytest.approx(1, abs=1e-9)


def test_a_restored_model_gives_the_same_bits() -> None:
    model = NGram.fit([text_split(TRAIN)])
    restored = NGram.from_state(model.state())
    assert restored.bits([b"the dog"]).tolist() == model.bits([b"the dog"]).tolist()


def test_each_document_is_scored_as_if_it_stood_alone() -> None:
    model = NGram.fit([text_split(TRAIN)])
    together = model.bits([b"sat on", b"the mat"])
    alone = [model.bits([document])[0] for document in (b"sat on", b"the mat")]
    # The sum is a difference of running totals, so the last digits may differ.
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def test_the_linear_floor_separates_what_a_plane_separates_and_comes_back_from_its_arrays() -> None:
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 3, 300)
    images = draw.integers(0, 40, (300, 2, 70, 64)).astype(np.uint8)
    for label in range(3):
        images[labels == label, 0, 20 * label : 20 * label + 15] += 150
    split = image_split(labels.tolist())
    split = replace(split, images=images)
    floor = LinearImage.fit([split])
    assert (floor.predict(images) == labels).mean() > 0.98
    again = LinearImage.from_state(floor.state())
    assert again.predict(images).tolist() == floor.predict(images).tolist()
    two = replace(split, labels=np.minimum(labels, 1))
    assert (LinearImage.fit([two]).predict(images) == two.labels).mean() > 0.98


def test_the_linear_floor_of_one_class_answers_that_class() -> None:
    floor = LinearImage.fit([image_split([2, 2, 2])])
    assert floor.predict(np.zeros((3, 1, 2, 2), np.uint8)).tolist() == [2, 2, 2]
