"""Truth: documents whose class one byte tells, sklearn's own pipeline, and pooling written out with loops."""

import random
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from harness import catalog
from harness.checks import check_entry
from harness.data.batches import text_batches
from harness.data.linear_text import BUCKETS, LinearText
from harness.data.split import Split
from harness.errors import HarnessError
from harness.evaluate import TorchTextClassifier, predictor, score
from harness.nn.pooling import pooled
from harness.task import Signature
from harness.train import Recipe, batches, cross_entropy, fit, seeded

TEXT = Signature(kind="text", classes=3, context=16)


def split_of(documents: list[bytes], labels: list[int], domain: str = "toy") -> Split:
    return Split(
        domain=domain,
        name="train",
        images=np.zeros((0, 0, 0, 0), np.uint8),
        text=np.frombuffer(b"".join(documents), np.uint8),
        offsets=np.cumsum([0, *map(len, documents)], dtype=np.int64),
        labels=np.array(labels, np.int64),
        groups=np.arange(len(documents)),
        group_names=tuple(map(str, range(len(documents)))),
    )


def told_by_a_byte(count: int = 90) -> Split:
    """Returns documents of ten to sixty letters in which one of x, y and z tells the class."""
    draw = np.random.default_rng(0)
    documents, labels = [], []
    for index in range(count):
        letters = draw.integers(97, 107, draw.integers(10, 60)).astype(np.uint8)
        letters[draw.integers(len(letters), size=len(letters) // 3)] = ord("xyz"[index % 3])
        documents.append(letters.tobytes())
        labels.append(index % 3)
    return split_of(documents, labels)


class Counting(torch.nn.Module):
    """Logits are how often each of the bytes a, b and c stands in the window, pooled."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hits = torch.stack([inputs == ord(letter) for letter in "abc"], dim=-1).float()
        return pooled(hits * self.scale, inputs)


def test_batches_are_windows_of_one_document_with_its_class() -> None:
    documents = [b"aaaaaaaaaaaaaaaaaaaaaaaa", b"bbb", b"cccccccc"]
    stream = text_batches([split_of(documents, [0, 1, 2])], 60, 8, np.random.default_rng(0))
    windows, labels = next(stream)
    assert windows.shape == (60, 8)
    assert set(labels.tolist()) == {0, 1, 2}
    for window, label in zip(windows, labels, strict=True):
        letters = window.tobytes().rstrip(b"\0")
        assert letters == bytes([97 + label]) * (3 if label == 1 else 8)


def test_batches_draw_domains_evenly_and_refuse_empty_ones() -> None:
    small, large = split_of([b"a"], [0]), split_of([b"b"] * 99, [1] * 99)
    _, labels = next(text_batches([small, large], 4000, 4, np.random.default_rng(0)))
    assert labels.mean() == pytest.approx(0.5, abs=0.05)  # six standard errors
    with pytest.raises(ValueError, match="none empty"):
        next(text_batches([small, split_of([], [])], 4, 4, np.random.default_rng(0)))


def test_padding_does_not_count() -> None:
    inputs = torch.tensor([[1, 2, 0, 0], [3, 1, 1, 1]])
    logits = torch.randn(2, 4, 3)
    expected = torch.stack([logits[0, :2].mean(dim=0), logits[1].mean(dim=0)])
    torch.testing.assert_close(pooled(logits, inputs), expected)


def test_a_document_is_classified_by_all_of_its_bytes() -> None:
    # Windows of four: three windows say a, yet b is the most frequent byte of the document.
    documents = [b"aabb" + b"aabb" + b"aabb" + b"bb", b"c", b"abcc" * 5, b"b" * 9]
    model = TorchTextClassifier(Counting(), 4, batch_size=2)
    assert model.classify(documents).tolist() == [1, 2, 2, 1]


def test_scores_of_texts_are_right_or_wrong_and_cut_documents() -> None:
    split = split_of([b"aaaabbbbbbbb", b"ccc"], [0, 1])
    model = TorchTextClassifier(Counting(), 4)
    whole, cut = (score(model, split, document_bytes=size) for size in (100, 4))
    assert whole.numerator.tolist() == [0, 0]
    assert cut.numerator.tolist() == [1, 0]
    assert cut.value("balanced_accuracy") == 0.5


def test_a_linear_text_is_the_pipeline_of_sklearn_and_is_restored() -> None:
    split = told_by_a_byte()
    model = LinearText.fit([split])
    counting = HashingVectorizer(
        analyzer="char",
        ngram_range=(1, 4),
        n_features=BUCKETS,
        lowercase=False,
        norm=None,
        alternate_sign=False,
    )
    texts = [document.decode("latin-1") for document in split.documents()]
    weighting = TfidfTransformer(sublinear_tf=True)
    weighted = weighting.fit_transform(counting.transform(texts))
    reference = LogisticRegression(C=10.0, tol=1e-3, max_iter=1000).fit(weighted, split.labels)
    fresh = [b"xxabcabc", b"zz" + bytes(range(1, 256)), b"y\xff", b"", b"abcabcx"]
    expected = reference.predict(
        weighting.transform(counting.transform([d.decode("latin-1") for d in fresh]))
    )
    assert model.classify(fresh).tolist() == expected.tolist()
    assert LinearText.from_state(model.state()).classify(fresh).tolist() == expected.tolist()


def test_a_linear_text_keeps_labels_that_are_not_counted_from_zero() -> None:
    split = told_by_a_byte()
    two = split_of(
        [d for d, label in zip(split.documents(), split.labels, strict=True) if label],
        [2 * int(label) for label in split.labels if label],
    )
    assert LinearText.fit([two]).classify([b"yyyyyyyy", b"zzzzzzzz"]).tolist() == [2, 4]


def _networks() -> Iterator[tuple[str, torch.nn.Module]]:
    for name in ("default", "llama"):
        yield name, catalog.load("baseline", name).build(TEXT, 60_000)
    for name in ("hybrid", "decoder"):
        space = catalog.load("space", name).space("micro", TEXT)
        yield name, space.build(space.default())


def test_networks_of_bytes_learn_to_classify_texts() -> None:
    split = told_by_a_byte()
    with seeded(0):
        networks = dict(_networks())
        for name, module in networks.items():
            data = batches(TEXT, [split], 32, np.random.default_rng(1))
            recipe = Recipe(steps=60, batch_size=32, learning_rate=5e-3)
            fit(module, recipe, data, lambda batch, step, net=module: cross_entropy(net(batch[0]), batch[1]))
            value = score(predictor(module, TEXT), split, document_bytes=100).value("accuracy")
            assert value > 0.8, name


@pytest.mark.parametrize("name", ["hybrid", "decoder"])
def test_a_space_counts_and_slices_its_classifiers_of_texts(name: str) -> None:
    space = catalog.load("space", name).space("micro", TEXT)
    draw = random.Random(3)
    inputs = torch.randint(1, 256, (2, TEXT.context))
    with seeded(0), torch.inference_mode():
        supernet = space.supernet()
        for _ in range(3):
            one = space.sample(draw)
            assert sum(weight.numel() for weight in space.build(one).parameters()) == space.parameters(one)
            alone, inside = space.slice(supernet, one)(inputs), supernet(inputs, space.route(one))
            assert alone.shape == (2, TEXT.classes)
            torch.testing.assert_close(alone, inside, atol=1e-5, rtol=0)  # another order of summation


def test_images_only_is_said_of_a_space_that_reads_no_text() -> None:
    with pytest.raises(HarnessError, match="reads image, the task gives text"):
        catalog.load("space", "mobilenet").space("micro", TEXT)


def test_nothing_is_trained_on_choices() -> None:
    with pytest.raises(HarnessError, match="score a language model on them"):
        next(batches(Signature(kind="choice", classes=4), [], 4, np.random.default_rng(0)))


def test_fixed_baselines_pass_their_checks_for_text(tmp_path: object) -> None:
    for name in ("default", "llama"):
        findings = check_entry("baseline", name, tmp_path, offline=True)  # type: ignore[arg-type]
        assert all(finding.holds for finding in findings), findings
        assert any("text" in finding.claim for finding in findings)
