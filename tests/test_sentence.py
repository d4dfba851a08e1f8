"""MiniLM's reader of documents. Truth: torch's own encoder layer, and pieces cut by hand.

With the released weights the similarities of three sentences are those that its makers print (.6660, .1046
and .1411), and the pieces of 1,484 documents those of the package `tokenizers`; neither is fetched here.
"""

import filled
import numpy as np
import pytest
import torch
from torch import nn

from harness import Signature, catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.learn.predictors import predictor
from harness.nn.networks.sentence import (
    HEADS,
    HIDDEN,
    VOCABULARY_BYTES,
    WIDTH,
    SentenceClassifier,
    WordPieces,
)
from harness.nn.networks.sentence import _Layer as Layer
from harness.nn.pretrained import fit_head
from harness.task.split import Split

TEXT = Signature(kind="text", classes=2)
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "cafe", ",", "東", "京", "ran", "sat"]


def made() -> SentenceClassifier:
    with seeded(0):
        module = catalog.load("baseline", "minilm").build(TEXT, 0)
    assert isinstance(module, SentenceClassifier)
    words = "\n".join(WORDS).encode().ljust(VOCABULARY_BYTES, b"\n")
    module.vocabulary.copy_(torch.frombuffer(bytearray(words), dtype=torch.uint8))
    return module.eval()


@pytest.fixture(scope="module")
def module() -> SentenceClassifier:
    return made()


def split() -> Split:
    rows = [b"cafe ran", b"cafe, cafe", b"ran ran", b"sat unaffable sat ran", b"sat sat", b"sat"] * 4
    return filled.split(documents=rows, labels=np.array([0, 0, 0, 1, 1, 1] * 4))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Unaffable", ["un", "##aff", "##able"]),
        ("  CAFÉ,\tran\n", ["cafe", ",", "ran"]),
        ("東京", ["東", "京"]),
        ("unxable cafe", ["[UNK]", "cafe"]),
        ("c\u0000a\u200bfe", ["cafe"]),
        ("ran" * 34, ["[UNK]"]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_longest_pieces(text: str, pieces: list[str]) -> None:
    read = WordPieces({word: place for place, word in enumerate(WORDS)}).read(text.encode())
    assert [WORDS[place] for place in read] == ["[CLS]", *pieces, "[SEP]"]


def test_a_document_has_256_pieces_at_most() -> None:
    read = WordPieces({word: place for place, word in enumerate(WORDS)}).read(b"ran " * 300)
    assert (len(read), WORDS[read[-1]]) == (256, "[SEP]")


def test_a_layer_is_torch_s_own_behind_the_names_of_released_weights() -> None:
    with seeded(0):
        ours, states = Layer().eval(), torch.randn(2, 5, WIDTH)
        for name, weight in ours.named_parameters():
            if "LayerNorm" in name:
                nn.init.normal_(weight, mean=1.0)
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, HIDDEN, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    ).eval()
    held = ours.state_dict()
    parts = [f"attention.self.{name}" for name in ("query", "key", "value")]
    names = {
        "self_attn.out_proj": "attention.output.dense",
        "linear1": "intermediate.dense",
        "linear2": "output.dense",
        "norm1": "attention.output.LayerNorm",
        "norm2": "output.LayerNorm",
    }
    wanted = {
        f"self_attn.in_proj_{one}": torch.cat([held[f"{part}.{one}"] for part in parts])
        for one in ("weight", "bias")
    }
    wanted |= {
        f"{new}.{one}": held[f"{old}.{one}"] for new, old in names.items() for one in ("weight", "bias")
    }
    theirs.load_state_dict(wanted)
    there = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    with torch.no_grad():
        found, expected = ours(states, there), theirs(states, src_key_padding_mask=~there)
    torch.testing.assert_close(found[there], expected[there], atol=1e-5, rtol=1e-5)


def test_features_do_not_depend_on_what_is_read_beside_a_document(module: SentenceClassifier) -> None:
    documents = [b"cafe", b"unaffable, cafe ran sat sat"]
    together = module.frozen(documents)
    assert np.allclose(np.linalg.norm(together, axis=1), 1)
    module.known.clear()
    alone = np.concatenate([module.frozen([one]) for one in reversed(documents)])[::-1]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert not np.allclose(together[0], together[1], atol=1e-2)


def test_a_fitted_head_classifies_documents_and_is_restored_from_its_weights(
    module: SentenceClassifier,
) -> None:
    train = split()
    model = predictor(module, TEXT)

    def right() -> float:
        return float((module.classify(train.documents()) == train.labels).mean())

    values = fit_head(module, [train], right, higher_is_better=True)
    assert model is module, "it reads whole documents, not windows"
    assert right() == max(values.values()) == 1.0
    other = SentenceClassifier(2).eval()
    other.load_state_dict(module.state_dict())
    np.testing.assert_allclose(other.logits(train.documents()), module.logits(train.documents()), atol=1e-6)


def test_it_is_of_texts_from_outside_and_frozen() -> None:
    baseline = catalog.load("baseline", "minilm")
    assert (baseline.kinds, baseline.is_frozen, bool(baseline.outside)) == (("text",), True, True)
    with pytest.raises(HarnessError, match="reads texts and cannot read image"):
        baseline.build(Signature(kind="image", classes=2), 0)
