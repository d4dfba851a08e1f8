"""What is kept of each sample. Truth: closed forms, torch's own softmax, and hashes by hashlib."""

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filled
import made_run
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from harness import catalog
from harness.catalog import metric_of
from harness.errors import DamagedError, HarnessError
from harness.files import file_hash
from harness.learn.predictors import predictor, score
from harness.run.loaded import load_run
from harness.run.samples import read_samples, read_sums, sums_of, write_samples
from harness.study.study import build_board
from harness.study.trained.boards.compare import compare_trained
from harness.study.trained.boards.rescore import rescore
from harness.task.metric import MOST_CLASSES, Need, SampleScores
from harness.task.signature import Signature

ARRAYS: dict[str, Any] = {"position": np.array([4, 0, 9]), "digest": np.array([2**63, 1, 2], np.uint64)}
GROUP, LABEL = np.array([2**62 + 5, 7, 7]), np.array([1, 0, 1])
SURE = np.log(np.array([[0.1, 0.9], [0.25, 0.75], [0.6, 0.4]])).astype(np.float16)
PREDICTED = SampleScores.predicted(GROUP, LABEL, np.array([1, 1, 0]), log_probabilities=SURE, **ARRAYS)
COUNTED = SampleScores(GROUP, LABEL, np.array([0.5, 1, 0]), np.array([1.0, 2, 1]), **ARRAYS)
BITS = SampleScores(GROUP, np.zeros(3, int), np.array([7.25, 1e-3, 9]), np.array([3.0, 1, 2]), **ARRAYS)


UNIT: Any = SimpleNamespace(hash="unit")
SUMS = "sums.{}.safetensors"


def of_run(folder: Path, *names: str) -> Any:
    record = SimpleNamespace(files={name: file_hash(folder / name) for name in ("samples.parquet", *names)})
    return SimpleNamespace(place=lambda unit: folder, records={"unit": record}, command="again")


def read(folder: Path, need: Need, **how: Any) -> SampleScores | None:
    return read_samples(of_run(folder), UNIT, need, **how)


@pytest.mark.parametrize(
    ("samples", "metric", "columns"),
    [
        (PREDICTED, "accuracy", ["label", "prediction", "log_probabilities"]),
        (COUNTED, "accuracy", ["label", "right", "weight"]),
        (BITS, "bits_per_byte", ["bits", "bytes"]),
    ],
)
def test_samples_are_kept_once_and_read_as_they_were(
    tmp_path: Path, samples: SampleScores, metric: str, columns: list[str]
) -> None:
    path, gives = tmp_path / "samples.parquet", metric_of(metric).needs
    write_samples(tmp_path, samples, metric)
    written = path.read_bytes()
    assert list(pd.read_parquet(path)) == ["position", "digest", "group", *columns]
    whole = read(tmp_path, gives, whole=True)
    for name, one, other in zip(SampleScores._fields, samples, whole, strict=True):
        assert (one is None) == (other is None), name
        assert one is None or np.array_equal(one, other), name
    counted = read(tmp_path, gives)
    assert np.array_equal(counted[2:4], samples[2:4])
    assert counted.position is None
    write_samples(tmp_path, samples, metric)
    assert path.read_bytes() == written


@pytest.mark.parametrize(
    ("samples", "metric"),
    [
        *((PREDICTED, name) for name in catalog.names("metric") if metric_of(name).needs != "bits"),
        (COUNTED, "accuracy"),
        (COUNTED, "balanced_accuracy"),
        (BITS, "bits_per_byte"),
    ],
)
def test_kept_sums_are_to_the_bit_those_of_the_samples(
    tmp_path: Path, samples: SampleScores, metric: str
) -> None:
    samples = SampleScores(*(None if one is None else np.concatenate([one] * 12) for one in samples))
    write_samples(tmp_path, samples, metric)
    kept = read_sums(of_run(tmp_path, SUMS.format(metric)), UNIT, metric)
    fresh = read_sums(of_run(tmp_path), UNIT, metric)
    wanted = sums_of(samples, metric_of(metric))
    for name in ("groups", "classes", "numerators", "denominators"):
        one, other, third = (getattr(sums, name) for sums in (kept, fresh, wanted))
        assert one.dtype == other.dtype == third.dtype
        assert one.tobytes() == other.tobytes() == third.tobytes(), name


def test_a_board_reads_the_sums_and_refuses_changed_ones(tmp_path: Path) -> None:
    path = made_run.make(tmp_path, made_run.drawn({method: 0.7 for method, _ in ROWS}), rows=ROWS)
    before = build_board(load_run(path))
    for file in path.glob("units/score-*/samples.parquet"):
        file.unlink()
    assert build_board(load_run(path)) == before
    file = next(path.glob("units/score-*/sums.*"))
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    with pytest.raises(DamagedError, match="it is not what was written"):
        build_board(load_run(path))


@pytest.mark.parametrize(
    ("samples", "metric", "needs"),
    [
        (PREDICTED, "accuracy", {"prediction", "probabilities"}),
        (COUNTED, "accuracy", {"prediction"}),
        (BITS, "bits_per_byte", {"bits"}),
    ],
)
def test_samples_say_what_they_cannot_give(
    tmp_path: Path, samples: SampleScores, metric: str, needs: set[Need]
) -> None:
    write_samples(tmp_path, samples, metric)
    every: tuple[Need, ...] = ("prediction", "probabilities", "bits")
    assert {need for need in every if read(tmp_path, need) is not None} == needs


ROWS = [("tuned", made_run.PLAIN), ("default", None), ("local_search", made_run.DIVERSE)]


class Fixed(nn.Module):
    """A network that gives what it is told, whatever it reads."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.given = nn.Parameter(logits)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.given[: len(inputs)]


def scored(logits: torch.Tensor, labels: list[int]) -> SampleScores:
    size, classes = logits.shape
    split = filled.split(images=np.zeros((size, 1, 2, 2), np.uint8), labels=labels)
    signature = Signature(kind="image", classes=classes, height=2, width=2)
    return score(predictor(Fixed(logits), signature), split, document_bytes=0)


def test_rounded_log_probabilities_decide_no_prediction() -> None:
    logits = torch.tensor([[-3.0, 2.0, 2.00001, -700.0], [9.0, 8.0, 1.0, 2.0]])
    found = scored(logits, [2, 1])
    wanted = logits.double().log_softmax(dim=1).numpy()
    assert found.log_probabilities.argmax(axis=1).tolist() == [1, 0]
    assert found.prediction.tolist() == [2, 0]
    assert found.numerator.tolist() == [1.0, 0.0]
    np.testing.assert_allclose(found.log_probabilities, wanted, rtol=2**-10)  # the step of a float16
    np.testing.assert_allclose(found.likelihood, wanted[[0, 1], [2, 1]], rtol=2**-10)


def test_of_many_classes_that_of_the_sample_alone_is_kept() -> None:
    logits = torch.linspace(-60_000, 60_000, 2 * (MOST_CLASSES + 1)).reshape(2, -1)
    found = scored(logits, [MOST_CLASSES, 0])
    assert found.log_probabilities.shape == (2, 1)
    assert found.likelihood[0] == 0
    assert np.isfinite(found.likelihood[1])
    assert scored(logits[:, 1:], [0, 0]).log_probabilities.shape == (2, MOST_CLASSES)


def test_a_sample_is_known_by_the_hash_of_its_bytes() -> None:
    images = np.arange(16, dtype=np.uint8).reshape(2, 1, 2, 4)
    for split, samples in (
        (filled.split(images=images), [bytes(range(8)), bytes(range(8, 16))]),
        (filled.split(documents=[b"one", b""]), [b"one", b""]),
    ):
        digests = [hashlib.blake2b(one, digest_size=8).digest() for one in samples]
        assert split.digests.tolist() == [int.from_bytes(one, "little") for one in digests]


def test_negative_log_likelihood_and_brier_score_are_those_of_a_loop_over_samples() -> None:
    nats, squares = [], []
    for label, row in zip(LABEL, np.array([[0.1, 0.9], [0.25, 0.75], [0.6, 0.4]]), strict=True):
        nats.append(-np.log(row[label]))
        squares.append(sum((p - (at == label)) ** 2 for at, p in enumerate(row)))
    assert metric_of("negative_log_likelihood").value(PREDICTED) == pytest.approx(np.mean(nats), rel=1e-3)
    assert metric_of("brier_score").value(PREDICTED) == pytest.approx(np.mean(squares), rel=1e-3)
    alone = PREDICTED._replace(log_probabilities=SURE[np.arange(3), LABEL][:, None])
    assert metric_of("negative_log_likelihood").value(alone) == pytest.approx(np.mean(nats), rel=1e-3)
    with pytest.raises(HarnessError, match="own alone was kept"):
        metric_of("brier_score").value(alone)
    with pytest.raises(HarnessError, match="Brier score needs probabilities"):
        metric_of("brier_score").value(COUNTED)


def test_chance_is_what_the_same_probability_for_each_class_scores() -> None:
    guess = PREDICTED._replace(
        label=np.array([0, 3, 3]), log_probabilities=np.full((3, 4), np.log(0.25), np.float16)
    )
    by_hand = {"negative_log_likelihood": 1.386294, "brier_score": 3 * 0.25**2 + 0.75**2}
    for name, value in by_hand.items():
        metric = metric_of(name)
        assert metric.value(guess) == pytest.approx(value, rel=1e-3)  # of float16
        assert metric.chance is not None
        assert metric.chance(4) == pytest.approx(value)
    assert [metric_of(name).chance(4) for name in ("accuracy", "balanced_accuracy")] == [0.25, 0.25]


def test_probabilities_give_more_metrics_where_they_were_kept(tmp_path: Path) -> None:
    def sure(method: str, domain: str, seed: int) -> Any:
        found = dict(made_run.drawn({"tuned": 0.9})(method, domain, seed))
        return found if method == "default" else found | {"sure": 0.7 if method == "tuned" else 0.4}

    for name in ("sure", "plain"):
        (tmp_path / name).mkdir()
    run = load_run(made_run.make(tmp_path / "sure", sure, rows=ROWS))
    chances = {"negative_log_likelihood": np.log(4), "brier_score": 0.75, "balanced_accuracy": 0.25}
    for metric, chance in chances.items():
        assert rescore(run, metric).tasks[0].chance == pytest.approx(chance), (
            "a guess among four is right in 1/4"
        )
    assert rescore(run, "worst_group_accuracy").tasks[0].chance is None
    rows = {row.method: row for row in rescore(run, "negative_log_likelihood").tasks[0].rows}
    right = {row.method: row.held_out.value for row in build_board(run).tasks[0].rows}
    nats = -(right["tuned"] * np.log(0.7) + (1 - right["tuned"]) * np.log(0.3 / 9))
    assert rows["tuned"].held_out.value == pytest.approx(nats, rel=1e-3)
    assert rows["tuned"].held_out.value < rows["local_search"].held_out.value
    assert (rows["tuned"].rank, rows["default"].rank) == (1, None)
    assert {cell.state for cell in rows["default"].cells} == {"missing"}
    assert "without the probabilities" in rows["default"].cells[0].reason
    again = compare_trained(run, "tuned", "local_search", "brier_score")
    assert "Brier score" in again.sentence
    plain = load_run(made_run.make(tmp_path / "plain", made_run.drawn({}), rows=ROWS))
    words = "cannot give brier_score, which needs probabilities; they give accuracy, balanced_accuracy"
    with pytest.raises(HarnessError, match=words):
        rescore(plain, "brier_score")
