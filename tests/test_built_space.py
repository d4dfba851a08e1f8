"""Spaces of choices and a builder. Truth: closed forms of a network, and how its tensors are named."""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from command import harness
from torch import nn

from harness import catalog
from harness.cli.listing import TEMPLATES
from harness.errors import HarnessError
from harness.space.built import built_space
from harness.space.choices import SearchSpace
from harness.task.signature import Signature

IMAGES = Signature(kind="image", classes=10, channels=1, height=12, width=12)
SUITE = """
extends = "toy"
title = "Built"
study = "trained"
spaces = ["knobs"]
tuned_space = "knobs"
claim = { method = "local_search", space = "knobs" }
search = { parameter_tolerance = 0.0 }
baselines = ["floor"]
reference = "floor"
"""


@pytest.fixture(scope="module")
def knobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SearchSpace]:
    """Yields the space of the template, beside one with its widths turned round and a suite."""
    folder = tmp_path_factory.mktemp("mine")
    for name in ("search_spaces", "leaderboards"):
        (folder / name).mkdir()
    text = (TEMPLATES / "space.py").read_text()
    (folder / "search_spaces" / "knobs.py").write_text(text)
    (folder / "search_spaces" / "falling.py").write_text(text.replace("(8, 16, 32)", "(32, 16, 8)"))
    (folder / "leaderboards" / "built.toml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_CATALOG", f"{Path(__file__).parent / 'toy'}:{folder}")
        yield catalog.load("space", "knobs").space("plain", IMAGES)


def test_costs_that_are_counted_are_those_of_the_closed_form(knobs: SearchSpace) -> None:
    assert (knobs.name, knobs.size()) == ("knobs:plain", 36)
    state = torch.random.get_rng_state()
    for one in knobs.enumerate():
        chosen = knobs.to_json(one)
        width, depth, area = chosen["width"], chosen["depth"], chosen["kernel"] ** 2
        weights = area * width * (1 + (depth - 1) * width)
        assert knobs.parameters(one) == weights + depth * width * (1 + 2 * chosen["norm"]) + width * 10 + 10
        assert knobs.macs(one) == 144 * weights + width * 10
    assert torch.equal(torch.random.get_rng_state(), state), "counting draws nothing"


def test_architectures_are_slices_of_the_largest(knobs: SearchSpace) -> None:
    assert knobs.unshared == ""
    supernet = knobs.networks.supernet().eval()
    inputs = torch.randn(2, 1, 12, 12)
    for one in (knobs.default(), knobs.sample(random.Random(3))):
        with torch.inference_mode():
            alone = knobs.networks.slice(supernet, one)(inputs)
            torch.testing.assert_close(alone, supernet(inputs, knobs.networks.route(one)))


def linear(signature: Signature, depth: int = 1, width: int = 8) -> nn.Module:
    """Layers whose names are their places, so that the last layer's depends on the depth."""
    widths = [144, *[width] * depth, signature.classes]
    layers = [nn.Linear(*pair) for pair in pairwise(widths)]
    return nn.Sequential(nn.Flatten(), *layers)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ({"width": (8, 16)}, ""),
        ({"width": (16, 8)}, "{'width': 16} has '1.weight' of shape (16, 144), and .* one of shape (8, 144)"),
        ({"depth": (1, 2)}, "{'depth': 1} has '2.weight' of shape (10, 8), and .* one of shape (8, 8)"),
        ({"depth": (2, 1)}, "{'depth': 2} has '3.weight' of shape (10, 8), and .* none"),
    ],
)
def test_a_space_says_why_its_architectures_are_no_slices(
    choices: Mapping[str, Sequence[int]], reason: str
) -> None:
    found = built_space("own", linear, choices).space("plain", IMAGES).unshared
    before, _, after = reason.partition(".*")
    assert bool(found) == bool(reason)
    assert found.startswith(before)
    assert found.endswith(after)


def test_what_a_builder_raises_is_told_with_what_it_was_called_with() -> None:
    space = built_space("a.own", linear, {"width": (-1, 1)}).space("plain", IMAGES)
    with pytest.raises(HarnessError, match=r"own:plain cannot build \{'width': -1\} .*RuntimeError"):
        space.parameters((0,))


def test_a_space_of_ones_own_is_planned_and_its_counts_are_marked(knobs: SearchSpace) -> None:
    assert "counted: by tracing the network" in harness("count", "knobs").stdout
    assert "counted: by tracing the network" in harness("describe", "space", "knobs").stdout
    assert "counted" not in harness("count", "hybrid:micro").stdout
    assert harness("eval", "built", "--dry-run").returncode == 0
    changes = ['spaces=["falling"]', "claim.space=falling", "tuned_space=falling"]
    words = ["eval", "built", "--dry-run", *(word for change in changes for word in ("--set", change))]
    refused = harness(*words)
    assert refused.returncode == 2
    assert "say strategy = \"alone\" under supernet of task 'toy_patterns'" in refused.stderr
    alone = harness(*words, "--set", "tasks.toy_patterns.supernet.strategy=alone")
    assert alone.returncode == 0, alone.stderr
