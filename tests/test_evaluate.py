"""Scores and training. Truth: closed forms, and a byte-by-byte loop over a network."""

import math
import random

import filled
import numpy as np
import pytest
import torch
from spaces import named

from harness import seeds
from harness.catalog import metric_of
from harness.errors import DivergedError
from harness.learn.batches import batches
from harness.learn.fit import Recipe, cross_entropy, fit, seeded
from harness.learn.modality import modality_of
from harness.learn.predictors import TorchLanguageModel, predictor, score
from harness.learn.supernet import train_supernet
from harness.task.metric import SampleScores
from harness.task.signature import Signature
from harness.task.split import Split

IMAGE = Signature(kind="image", classes=4, height=8, width=8)
HYBRID = named("hybrid:micro", IMAGE)
BYTES = Signature(kind="bytes", classes=256, context=8)


def image_split() -> Split:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (64, 1, 8, 8)).astype(np.uint8)
    labels = (images.reshape(64, -1)[:, 0] // 64).astype(np.int64)
    return filled.split(images=images, labels=labels)


def samples(label: list[int], numerator: list[float], denominator: list[float]) -> SampleScores:
    return SampleScores(
        np.zeros(len(label), np.int64), np.array(label), np.array(numerator), np.array(denominator)
    )


def test_balanced_accuracy_weighs_classes_alike() -> None:
    scores = samples([0, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1])
    assert metric_of("balanced_accuracy").value(scores) == pytest.approx((2 / 3 + 1) / 2)
    assert metric_of("accuracy").value(scores) == 0.75


def test_bits_per_byte_is_a_ratio_of_sums() -> None:
    assert metric_of("bits_per_byte").value(samples([0, 0], [10, 2], [2, 4])) == 2.0


@pytest.mark.parametrize("numerator", [[], [float("nan")]])
def test_empty_and_infinite_scores_are_errors_not_numbers(numerator: list[float]) -> None:
    with pytest.raises(ValueError, match="empty or not finite"):
        metric_of("accuracy").value(samples([0] * len(numerator), numerator, [1.0] * len(numerator)))


@pytest.mark.parametrize("context", [8, 7, 1])
def test_bits_of_a_document_equal_a_byte_by_byte_loop_over_windows_that_overlap_by_half(context: int) -> None:
    space = named("hybrid:micro-attention", BYTES)
    with seeded(0):
        module = space.networks.build(space.default())
        torch.nn.init.normal_(module.get_parameter("head"), std=0.2)
    lengths = [
        0,
        1,
        context - 1,
        context,
        context + 1,
        3 * context // 2,
        3 * context // 2 + 1,
        4 * context + 3,
    ]
    text = bytes(np.random.default_rng(0).integers(0, 256, 64, dtype=np.uint8))
    documents = [text[:length] for length in lengths]
    stride = max(1, context // 2)
    expected = []
    for document in documents:
        total, whole = 0.0, b"\0" + document
        for position, byte in enumerate(document):
            start = max(0, -(-(position + 1 - context) // stride)) * stride
            assert position < context or position - start >= context // 2
            with torch.inference_mode():
                logits = module(torch.tensor([list(whole[start : position + 1])]))[0, -1]
            total -= float(logits.log_softmax(-1)[byte]) / np.log(2)
        expected.append(total)
    model = TorchLanguageModel(module, context, batch_size=2)
    np.testing.assert_allclose(model.bits(documents), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "length"), [("bytes", 1), ("bytes", 8), ("bytes", 21), ("text", 21), ("text", 24)]
)
def test_passes_are_the_windows_that_a_network_reads(kind: str, length: int) -> None:
    read: list[int] = []

    class Counting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.zeros(1))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            read.append(len(inputs))
            return torch.zeros(*inputs.shape[: 2 if kind == "bytes" else 1], 256)

    signature = Signature(kind=kind, classes=256, context=8)
    split = filled.split(documents=[bytes(range(1, length + 1))])
    score(predictor(Counting(), signature), split, document_bytes=length)
    assert sum(read) == modality_of(kind).passes(signature, length)


def test_training_learns_and_the_same_seed_gives_the_same_bytes() -> None:
    split = image_split()

    def trained() -> torch.nn.Module:
        with seeded(1):
            module = HYBRID.networks.build(HYBRID.default())
        data = batches(IMAGE, [split], 16, seeds.generator(1, "batches"))
        recipe = Recipe(steps=60, batch_size=16, learning_rate=5e-3)
        fit(module, recipe, data, lambda batch, step: cross_entropy(module(batch[0]), batch[1]))
        return module

    first, second = trained(), trained()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert metric_of("accuracy").value(score(predictor(first, IMAGE), split, document_bytes=1)) > 0.9


def test_a_supernet_step_leaves_what_its_path_does_not_use() -> None:
    with seeded(0):
        supernet = HYBRID.networks.supernet()
    before = {name: weight.clone() for name, weight in supernet.named_parameters()}
    data = batches(IMAGE, [image_split()], 8, seeds.generator(0, "b"))
    recipe = Recipe(steps=1, batch_size=8, learning_rate=1e-2)
    train_supernet(supernet, HYBRID, "single_path", recipe, data, random.Random(3))
    depth = len(HYBRID.to_json(HYBRID.sample(random.Random(3)))["mixers"])
    changed = {name for name, weight in supernet.named_parameters() if not torch.equal(weight, before[name])}
    assert "embed_bias" in changed or "head_bias" in changed
    assert {name.split(".")[1] for name in changed if name.startswith("layers.")} <= {
        str(layer) for layer in range(depth)
    }


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    module = HYBRID.networks.build(HYBRID.default())
    data = batches(IMAGE, [image_split()], 8, seeds.generator(0, "b"))
    recipe = Recipe(steps=3, batch_size=8, learning_rate=1e-3, warmup=0.7)
    words = r"at step 0 of 3, where the loss is inf and the learning rate 0\.0005 \(at most 0\.001\)"
    with pytest.raises(DivergedError, match=f"not finite {words}"):
        fit(module, recipe, data, lambda batch, step: cross_entropy(module(batch[0]), batch[1]) * math.inf)


def test_a_supernet_that_diverges_tells_step_and_rate() -> None:
    data = batches(IMAGE, [image_split()], 8, seeds.generator(0, "b"))
    recipe = Recipe(steps=9, batch_size=8, learning_rate=1e30, warmup=0)
    words = r"at step [1-8] of 9, where the loss is (nan|inf) .* \(at most 1e\+30\); lower the rate"
    with pytest.raises(DivergedError, match=f"not finite {words}"):
        train_supernet(HYBRID.networks.supernet(), HYBRID, "sandwich", recipe, data, random.Random(3))
