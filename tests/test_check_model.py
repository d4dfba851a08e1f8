"""Checks of models of one's own. Truth: networks that are wrong in one known way each."""

from pathlib import Path

import pytest
from command import harness

from harness.checks.model import check_model

MODELS = """
import torch
from torch import nn

KINDS = ("image",)


class Own(nn.Module):
    def __init__(self, signature):
        super().__init__()
        self.head = nn.Linear(signature.channels * signature.height * signature.width, signature.classes)

    def forward(self, images):
        return self.head(images.flatten(1))


class Compares(Own):
    def forward(self, images):
        return super().forward(images - images.mean(dim=0))


class Noisy(Own):
    def forward(self, images):
        return torch.dropout(super().forward(images), 0.5, True)


class Idle(Own):
    def __init__(self, signature):
        super().__init__(signature)
        self.more = nn.Linear(3, 3)


class Infinite(Own):
    def forward(self, images):
        return super().forward(images) / 0


class Pair(Own):
    def forward(self, images):
        return super().forward(images), 0


class Unseeded(Own):
    drawn = 0

    def __init__(self, signature):
        super().__init__(signature)
        Unseeded.drawn += 1
        nn.init.constant_(self.head.bias, Unseeded.drawn)


def seven(signature):
    return nn.Sequential(nn.Flatten(), nn.Linear(signature.height * signature.width, 7))


def breaks(signature):
    raise KeyError("mine")


def alone():
    return None


def predict(images):
    Unseeded.drawn += 1
    return nn.functional.one_hot(torch.full((len(images),), Unseeded.drawn % 4), 4)
"""
BYTES = '''
from torch import nn

KINDS = ("bytes",)


class Kernel(nn.Module):
    """Starts with outputs of zeros, which show nothing of what they see."""

    def __init__(self, before, after):
        super().__init__()
        self.padding = (before, after)
        self.embed, self.mix, self.head = nn.Embedding(256, 8), nn.Conv1d(8, 8, 3), nn.Linear(8, 256)
        nn.init.zeros_(self.head.weight)

    def forward(self, tokens):
        seen = nn.functional.pad(self.embed(tokens).mT, self.padding)
        return self.head(self.mix(seen).mT)


def causal(signature):
    return Kernel(2, 0)


def looks_ahead(signature):
    return Kernel(1, 1)
'''


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "bytes.py").write_text(BYTES)
    return tmp_path


@pytest.mark.parametrize(
    ("function", "task", "wrong"),
    [
        ("models.py:Own", "toy_patterns", {}),
        ("bytes.py:causal", "toy_bytes", {}),
        ("models.py:seven", "toy_patterns", {"gives an output for each class": "shape (4, 7), and (4, 4)"}),
        ("models.py:Pair", "toy_patterns", {"gives an output for each class": "a tuple where a tensor"}),
        ("models.py:Compares", "toy_patterns", {"answers for a sample alone as in a batch": "difference"}),
        (
            "models.py:Noisy",
            "toy_patterns",
            {"answers the same twice": "difference", "answers for a sample alone as in a batch": ""},
        ),
        ("models.py:Idle", "toy_patterns", {"has a gradient for every weight": "more.weight, more.bias"}),
        ("models.py:Infinite", "toy_patterns", {"gives finite outputs": "4 drawn", "runs": "not finite"}),
        ("models.py:Unseeded", "toy_patterns", {"has the same first weights from the same seed": ""}),
        ("models.py:breaks", "toy_patterns", {"runs": "KeyError: 'mine'"}),
        (
            "bytes.py:looks_ahead",
            "toy_bytes",
            {f"sees nothing of byte {at} and later ones before it": "" for at in (1, 8, 15)},
        ),
        (
            "models.py:predict",
            "toy_patterns",
            {"answers the same twice": "", "answers for a sample alone as in a batch": ""},
        ),
    ],
)
def test_what_is_wrong_with_a_model_is_the_claim_that_fails(
    mine: Path, function: str, task: str, wrong: dict[str, str]
) -> None:
    found = check_model(f"{mine}/{function}", task, mine)
    failed = {one.claim: one.detail for one in found if not one.holds}
    assert failed.keys() == wrong.keys()
    assert all(wrong[claim] in detail for claim, detail in failed.items())


def test_a_model_that_fails_is_refused_before_anything_is_written(mine: Path) -> None:
    done = harness("eval", "toy", "--model", f"{mine}/models.py:seven", "--out", mine / "run")
    assert done.returncode == 2
    assert "on task toy_patterns fails the check that it gives an output for each class" in done.stderr
    assert not (mine / "run").exists()
    done = harness("eval", "toy", "--model", f"{mine}/models.py:alone", "--out", mine / "run")
    assert done.returncode == 2
    assert "write `def alone(signature):`" in done.stderr


def test_a_model_joins_the_tasks_of_its_kinds_alone(mine: Path) -> None:
    done = harness("eval", "toy", "--model", f"{mine}/bytes.py:looks_ahead", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "looks_ahead" not in done.stdout
    done = harness("check", "model", f"{mine}/bytes.py:causal", "--task", "toy_patterns")
    assert done.returncode == 2
    assert "reads bytes and no image" in done.stderr
