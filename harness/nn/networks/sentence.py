"""MiniLM as a frozen reader of documents: word pieces, a BERT encoder, the mean of its states, and a head.

Source: Devlin et al. 2019 (BERT, arXiv 1810.04805) for encoder and word pieces, Wang et al. 2020 (MiniLM,
arXiv 2002.10957) for the size, Reimers and Gurevych 2019 (arXiv 1908.10084) for the mean, of length one.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.task.split import Split

WIDTH, LAYERS, HEADS, HIDDEN = 384, 6, 12, 1536
PIECES, MOST_PIECES, MOST_POSITIONS = 30_522, 256, 512
"""Word pieces that there are, and those of a document that are read, as its makers trained it."""
VOCABULARY_BYTES = 231_508
"""Of the file of word pieces, a line each; the network holds it, so that its weights are all there is."""
LONGEST_WORD = 100
BATCH = 32
IDEOGRAPHS = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


class SentenceClassifier(nn.Module):
    """Documents -> logits of classes; word pieces (batch, pieces) int64 -> logits (batch, classes).

    It is a `TextClassifier` of whole documents. Only the head is fitted.
    """

    vocabulary: Tensor

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("vocabulary", torch.zeros(VOCABULARY_BYTES, dtype=torch.uint8))
        tables = {
            "word_embeddings": nn.Embedding(PIECES, WIDTH),
            "position_embeddings": nn.Embedding(MOST_POSITIONS, WIDTH),
            "token_type_embeddings": nn.Embedding(2, WIDTH),
            "LayerNorm": _norm(),
        }
        layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.backbone = nn.ModuleDict(
            {"embeddings": nn.ModuleDict(tables), "encoder": nn.ModuleDict({"layer": layers})}
        )
        self.head = nn.Linear(WIDTH, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.known: dict[bytes, NDArray[np.float64]] = {}

    def forward(self, pieces: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(pieces, torch.ones_like(pieces, dtype=torch.bool)))
        return logits

    def features(self, pieces: Tensor, there: Tensor) -> Tensor:
        """Returns the mean state of the pieces that are `there`, of length one, (batch, width)."""
        states = self._embedded(pieces)
        for layer in self.backbone.get_submodule("encoder.layer").children():
            states = layer(states, there)
        weights = there[..., None].to(states)
        return F.normalize((states * weights).sum(dim=1) / weights.sum(dim=1), dim=1)

    def _embedded(self, pieces: Tensor) -> Tensor:
        at = self.backbone.get_submodule
        states: Tensor = at("embeddings.word_embeddings")(pieces)
        places = torch.arange(pieces.shape[1], device=pieces.device)
        states = states + at("embeddings.position_embeddings")(places)
        states = states + at("embeddings.token_type_embeddings")(torch.zeros_like(pieces))
        normed: Tensor = at("embeddings.LayerNorm")(states)
        return normed

    @cached_property
    def pieces(self) -> "WordPieces":
        """The word pieces, once the network has its weights."""
        text = self.vocabulary.cpu().numpy().tobytes().decode()
        return WordPieces({piece: place for place, piece in enumerate(text.split("\n")[:PIECES])})

    def inputs(self, splits: Sequence[Split]) -> list[bytes]:
        """Returns the documents of splits."""
        return [document for split in splits for document in split.documents()]

    @torch.inference_mode()
    def frozen(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        """Returns the features of documents, shape (documents, width); each is computed once."""
        fresh = sorted({one for one in documents if one not in self.known}, key=lambda one: (len(one), one))
        for start in range(0, len(fresh), BATCH):
            part = fresh[start : start + BATCH]
            rows = [self.pieces.read(one) for one in part]
            longest = max(map(len, rows))
            padded = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
            there = torch.tensor([[place < len(row) for place in range(longest)] for row in rows])
            device = self.head.weight.device
            found = self.features(padded.to(device), there.to(device)).double().cpu().numpy()
            self.known |= dict(zip(part, found, strict=True))
        return np.array([self.known[one] for one in documents]).reshape(-1, WIDTH)

    def classify(self, documents: Sequence[bytes]) -> NDArray[np.int64]:
        """Returns the class of each document, shape (documents,)."""
        return np.asarray(self.logits(documents).argmax(axis=1), np.int64)

    def logits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        """Returns what the head gives, shape (documents, classes)."""
        weight, bias = (one.detach().double().cpu().numpy() for one in (self.head.weight, self.head.bias))
        return np.asarray(self.frozen(documents) @ weight.T + bias, np.float64)


class _Layer(nn.Module):
    """A layer of BERT: attention and an MLP, each added and then normalised; (batch, pieces, width).

    Its members bear the names that released weights have.
    """

    def __init__(self) -> None:
        super().__init__()
        parts = {name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value")}
        after = nn.ModuleDict({"dense": nn.Linear(WIDTH, WIDTH), "LayerNorm": _norm()})
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(parts), "output": after})
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(WIDTH, HIDDEN)})
        self.output = nn.ModuleDict({"dense": nn.Linear(HIDDEN, WIDTH), "LayerNorm": _norm()})

    def forward(self, states: Tensor, there: Tensor) -> Tensor:
        at = self.get_submodule
        query, key, value = (
            at(f"attention.self.{name}")(states).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=there[:, None, None, :])
        mixed = at("attention.output.dense")(mixed.transpose(1, 2).flatten(2))
        states = at("attention.output.LayerNorm")(mixed + states)
        lowered = at("output.dense")(F.gelu(at("intermediate.dense")(states)))
        normed: Tensor = at("output.LayerNorm")(lowered + states)
        return normed


def _norm() -> nn.LayerNorm:
    return nn.LayerNorm(WIDTH, eps=1e-12)


class WordPieces:
    """The word pieces of BERT, uncased.

    Source: Devlin et al. 2019, tokenization.py of the released code.
    """

    def __init__(self, places: Mapping[str, int]) -> None:
        self.places = places

    def read(self, document: bytes) -> list[int]:
        """Returns the pieces of a document, at most 256 with those that begin and end it."""
        found = [piece for word in _words(document.decode(errors="replace")) for piece in self._split(word)]
        kept = ["[CLS]", *found[: MOST_PIECES - 2], "[SEP]"]
        return [self.places[piece] for piece in kept]

    def _split(self, word: str) -> list[str]:
        """Returns the longest pieces of a word from its start on; one for what is not known."""
        found: list[str] = []
        start = 0
        while start < len(word) <= LONGEST_WORD:
            mark = "##" if start else ""
            ends = range(len(word), start, -1)
            end = next((one for one in ends if mark + word[start:one] in self.places), None)
            if end is None:
                return ["[UNK]"]
            found.append(mark + word[start:end])
            start = end
        return found if len(word) <= LONGEST_WORD else ["[UNK]"]


def _words(text: str) -> Iterator[str]:
    """Yields the words, lower-case and without accents; a punctuation mark and an ideograph are words."""
    spaced = []
    for sign in text:
        if sign.isspace():
            spaced.append(" ")
        elif unicodedata.category(sign).startswith("C") or sign == "�":
            continue
        elif any(first <= ord(sign) <= last for first, last in IDEOGRAPHS):
            spaced.append(f" {sign} ")
        else:
            spaced.append(sign)
    plain = unicodedata.normalize("NFD", "".join(spaced).lower())
    apart = [f" {sign} " if _is_mark(sign) else sign for sign in plain if unicodedata.category(sign) != "Mn"]
    yield from "".join(apart).split()


def _is_mark(sign: str) -> bool:
    is_ascii = sign.isascii() and sign.isprintable() and not sign.isalnum() and sign != " "
    return is_ascii or unicodedata.category(sign).startswith("P")
