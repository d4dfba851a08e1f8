"""Races. Truth: whole scores by the metric's own definition, and thousands of drawn races."""

import filled
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.catalog import metric_of
from harness.search import race
from harness.search.race import Race, SampleBlock, blocks_of
from harness.task.metric import SampleScores
from harness.task.split import Split

Answers = NDArray[np.float64]


def images(samples: int, classes: int, seed: int) -> Split:
    draw = np.random.default_rng(seed)
    labels = draw.choice(classes, samples, p=np.arange(1, classes + 1) / np.arange(1, classes + 1).sum())
    pixels = np.arange(samples, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return filled.split(images=pixels, labels=labels, groups=np.zeros(samples, np.int64))


def documents(samples: int, seed: int) -> Split:
    lengths = np.random.default_rng(seed).integers(1, 90, samples)
    texts = [bytes([at % 256]) * int(length) for at, length in enumerate(lengths)]
    return filled.split(documents=texts, groups=np.zeros(samples, np.int64))


def blocks(splits: list[Split], metric: str) -> list[SampleBlock]:
    return blocks_of(splits, metric, 64, np.random.default_rng(0))


def marks(split: Split) -> list[int]:
    """Returns what tells the samples of a split apart."""
    if split.images.size:
        return [int(image.ravel()[0]) for image in split.images]
    return [document[0] for document in split.documents()]


SPLITS: dict[str, list[Split]] = {
    "accuracy": [images(200, 4, 0), images(90, 4, 1)],
    "balanced_accuracy": [images(200, 4, 0), images(90, 4, 1)],
    "bits_per_byte": [documents(200, 0), documents(90, 1)],
}


@pytest.mark.parametrize("metric", SPLITS)
def test_blocks_hold_every_sample_once(metric: str) -> None:
    found = blocks(SPLITS[metric], metric)
    assert [len(block.weights) for block in found] == [32, 32, 64, 162]
    for at, split in enumerate(SPLITS[metric]):
        seen = [mark for block in found for mark in marks(block.splits[at])]
        assert sorted(seen) == sorted(marks(split))
    assert sum(block.shares.sum() for block in found) == pytest.approx(1)


def test_every_block_holds_domains_and_classes_in_equal_parts() -> None:
    splits = SPLITS["balanced_accuracy"]
    for block in blocks(splits, "balanced_accuracy"):
        for whole, part in zip(splits, block.splits, strict=True):
            wanted = np.bincount(whole.labels) * len(block.weights) / 290
            assert np.abs(np.bincount(part.labels, minlength=4) - wanted).max() <= 2


@pytest.mark.parametrize("metric", SPLITS)
def test_the_whole_score_is_that_of_the_metric(metric: str) -> None:
    draw = np.random.default_rng(3)
    answers = {
        (at, mark): float(draw.random() < 0.7) if "acc" in metric else draw.uniform(1, 9)
        for at, split in enumerate(SPLITS[metric])
        for mark in marks(split)
    }
    found = blocks(SPLITS[metric], metric)

    def numerators(index: int) -> Answers:
        parts = enumerate(found[index].splits)
        return np.array([answers[at, mark] for at, split in parts for mark in marks(split)])

    values = []
    for at, split in enumerate(SPLITS[metric]):
        length = np.array([min(len(one), 64) for one in split.documents()] or [1] * len(split), float)
        numerator = np.array([answers[at, mark] for mark in marks(split)])
        values.append(metric_of(metric).value(SampleScores(split.groups, split.labels, numerator, length)))
    sign = -1 if metric == "bits_per_byte" else 1
    lap = Race(found).enter(numerators)
    assert lap.score == pytest.approx(sign * np.mean(values), abs=1e-12)
    assert (lap.samples, lap.is_dropped) == (290, False)


def field(candidates: int, samples: int, seed: int) -> tuple[list[SampleBlock], list[Answers]]:
    """Returns blocks, and per block right and wrong answers of networks that differ by a few points."""
    draw = np.random.default_rng(seed)
    found = blocks_of([images(samples, 4, seed)], "accuracy", 64, draw)
    ability = draw.normal(0.7, 0.1, (candidates, 1)) + draw.normal(0, 0.28, (candidates, samples))
    right = (ability > draw.normal(0, 1, samples)).astype(np.float64)
    ends = np.cumsum([len(block.weights) for block in found])
    return found, np.split(right, ends[:-1], axis=1)


def run(found: list[SampleBlock], answers: list[Answers]) -> tuple[list[race.Lap], Answers]:
    """Returns the laps of all candidates in order, and their whole scores."""
    rally = Race(found)
    laps = [rally.enter(lambda index, one=one: answers[index][one]) for one in range(len(answers[0]))]
    return laps, np.concatenate(answers, axis=1).mean(axis=1)


def test_what_is_dropped_never_outranks_the_incumbent() -> None:
    for seed in range(40):
        laps, whole = run(*field(20, 1000, seed))
        best = max(laps, key=lambda lap: lap.score)
        assert not best.is_dropped
        for lap, score in zip(laps, whole, strict=True):
            if not lap.is_dropped:
                assert lap.score == pytest.approx(score, abs=1e-12)


def test_races_lose_less_than_a_tenth_of_a_point_and_save_half() -> None:
    regrets, shares = [], []
    for seed in range(100):
        laps, whole = run(*field(24, 2000, seed))
        winner = int(np.argmax([lap.score for lap in laps]))
        regrets.append(100 * (whole.max() - whole[winner]))
        shares.append(sum(lap.samples for lap in laps) / (2000 * 24))
    assert np.mean(regrets) < 0.1
    assert np.mean(shares) < 0.5


def test_the_score_of_the_dropped_is_an_estimate_of_the_whole() -> None:
    errors = []
    for seed in range(40):
        laps, whole = run(*field(20, 1000, seed))
        errors += [lap.score - score for lap, score in zip(laps, whole, strict=True) if lap.is_dropped]
    assert len(errors) > 200
    assert -0.03 < np.mean(errors) < 0.0  # those who looked worse than they are were dropped


def test_a_candidate_over_the_limit_is_no_incumbent() -> None:
    found, _ = field(1, 500, 0)
    rally = Race(found)
    perfect = rally.enter(lambda index: np.ones(len(found[index].weights)), may_win=False)
    poor = rally.enter(lambda index: np.zeros(len(found[index].weights)))
    assert (perfect.score, poor.score) == (1.0, 0.0)
    assert not poor.is_dropped


def test_a_loser_is_not_scored_further_than_it_must() -> None:
    found, _ = field(1, 500, 0)
    rally = Race(found)
    rally.enter(lambda index: np.ones(len(found[index].weights)))
    asked = []
    lap = rally.enter(lambda index: asked.append(index) or np.zeros(len(found[index].weights)))
    assert asked == [0]
    assert lap == (0.0, 32, True)


def test_an_equal_candidate_is_scored_to_the_end() -> None:
    found, answers = field(1, 500, 0)
    rally = Race(found)
    laps = [rally.enter(lambda index: answers[index][0]) for _ in range(2)]
    assert laps[0] == laps[1]
