"""Metrics and kinds of input of one's own, each one file. Truth: closed forms, and what a run leaves."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import harness

from harness import catalog
from harness.catalog import metric_of
from harness.errors import HarnessError
from harness.task.metric import SampleScores

ROOT = Path(__file__).parents[1]
METRIC = '''\
"""Errors: the share of samples whose prediction is wrong."""

from harness import Metric

METRIC = Metric(
    summary="The share of wrong predictions.",
    title="error",
    needs="prediction",
    difference="points",
    decimals=2,
    higher_is_better=False,
    is_proportion=True,
    chance=lambda classes: 1 - 1 / classes,
    read=lambda samples: samples._replace(numerator=1 - samples.numerator),
)
'''
MODALITY = '''\
"""Short signals, kept as float32, of which the class is predicted."""

import numpy as np

from harness import Modality, SampleScores


def signals(split):
    return np.frombuffer(split.text.tobytes(), np.float32).reshape(len(split), -1)


def hiss(data, signature, severity):
    draw = np.random.default_rng(len(data))
    signal = np.frombuffer(data, np.float32)
    return (signal + 0.3 * severity * draw.standard_normal(len(signal))).astype(np.float32).tobytes()


def loud(task, splits):
    from harness.checks.finding import Finding

    loudest = max(float(np.abs(signals(split)).max()) for split in splits.values())
    return Finding(claim="no signal is silent", holds=loudest > 0, detail=f"{loudest:.2f} at most")


class Scored:
    def scores(self, split):
        right = (self.classes(signals(split)) == split.labels).astype(np.float64)
        return SampleScores(split.groups, split.labels, right, np.ones(len(split)))


class Network(Scored):
    def __init__(self, module, route):
        self.module, self.route = module, () if route is None else (route,)

    def classes(self, inputs):
        import torch

        with torch.inference_mode():
            return self.module(torch.tensor(inputs), *self.route).argmax(dim=-1).numpy()


class Nearest(Scored):
    """The class whose mean spectrum is nearest."""

    def __init__(self, means):
        self.means = means

    @classmethod
    def fit(cls, splits):
        spectra = np.concatenate([np.abs(np.fft.rfft(signals(split))) for split in splits])
        labels = np.concatenate([split.labels for split in splits])
        return cls(np.stack([spectra[labels == label].mean(axis=0) for label in np.unique(labels)]))

    @classmethod
    def from_state(cls, state):
        return cls(state["means"])

    def state(self):
        return {"means": self.means}

    def classes(self, inputs):
        spectra = np.abs(np.fft.rfft(inputs))
        return ((spectra[:, None] - self.means) ** 2).sum(axis=-1).argmin(axis=1)


class Audio(Modality):
    summary = "Signals (batch, samples), of which the class is predicted."
    floor = "harness.catalog.modalities.audio:Nearest"
    corruptions = {"hiss": hiss}
    checks = ("harness.checks.task:balance", "harness.catalog.modalities.audio:loud")

    def describe(self, signature):
        return f"signals of {signature.context} samples, {signature.classes} classes"

    def batches(self, signature, splits, batch_size, draw, augmentation=()):
        import torch

        inputs = np.concatenate([signals(split) for split in splits])
        labels = np.concatenate([split.labels for split in splits])
        while True:
            chosen = draw.integers(len(labels), size=batch_size)
            yield torch.from_numpy(inputs[chosen]), torch.from_numpy(labels[chosen])

    def predictor(self, module, signature, route=None):
        return Network(module, route)


MODALITY = Audio()
'''
TASK = '''\
"""Two tones under noise."""

import numpy as np

from harness import Domain, Sample, Signature, Task


def domain(name, seed, noise):
    def read(archives):
        draw = np.random.default_rng(seed)
        for index in range(320):
            phase = draw.uniform(0, 6)
            signal = np.sin(np.arange(32) * (0.4 + 0.8 * (index % 2)) + phase) + draw.normal(0, noise, 32)
            yield Sample(signal.astype(np.float32).tobytes(), index % 2, f"take {index // 16}")

    return Domain(name=name, origin="drawn here", licence="CC0", groups="take", read=read)


TASK = Task(
    summary="Two tones.",
    signature=Signature(kind="audio", classes=2, context=32),
    metric="error",
    chance=0.5,
    domains=(domain("studio", 1, 0.2), domain("street", 2, 0.8)),
    sources=("studio",),
    held_out=("street",),
    class_names=("low", "high"),
)
'''
BASELINE = '''\
"""Two layers on the spectrum of a signal."""

from harness import FixedBaseline


def _build(signature, parameters):
    import torch
    from torch import nn

    class Spectrum(nn.Module):
        def forward(self, signals):
            return torch.fft.rfft(signals).abs()

    hidden = nn.Linear(signature.context // 2 + 1, 16)
    return nn.Sequential(Spectrum(), hidden, nn.ReLU(), nn.Linear(16, signature.classes))


BASELINE = FixedBaseline(summary="Spectrum.", build=_build, kinds=("audio",), is_matched=False)
'''
SUITE = """\
title = "Tones"
study = "trained"
seeds = [0, 1]
spaces = []
searchers = []
tuned_space = "hybrid:micro"
baselines = ["spectrum", "floor"]
reference = "floor"
claim = { method = "spectrum", space = "" }
search = { evaluations = 1, parameter_tolerance = 0.05 }

[[tasks]]
name = "tones"
held_out = ["street", "studio+hiss-2"]
validation_samples = 40
test_samples = 80
training = { steps = 60, batch_size = 16, learning_rates = [1e-2] }
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a catalog folder with a metric, a kind of input, a task, a baseline and a suite."""
    folder = tmp_path_factory.mktemp("mine")
    texts = {
        "metrics/error.py": METRIC,
        "modalities/audio.py": MODALITY,
        "tasks/tones.py": TASK,
        "baselines/spectrum.py": BASELINE,
        "leaderboards/tones.toml": SUITE,
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir()
        (folder / name).write_text(text)
    return folder


def told(mine: Path, *words: object) -> str:
    done = harness(*words, HARNESS_CATALOG=str(mine))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.ci
def test_a_metric_and_a_kind_of_input_in_one_file_each_are_run_boarded_and_rescored(
    mine: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    told(mine, "eval", "tones", "--out", str(run))
    task, seen = json.loads((run / "board.json").read_text())["tasks"]
    assert (task["metric"], task["chance"], task["held_out"]) == ("error", 0.5, ["street"])
    assert seen["held_out"] == ["studio+hiss-2"], "a corrupted source has a board of its own"
    network, floor = task["rows"]
    assert (network["method"], floor["method"]) == ("spectrum", "floor")
    assert network["rank"] == 1
    errors = {cell["domain"]: cell["estimate"][0] for cell in network["cells"]}
    assert errors["studio"] < 0.1
    assert errors["studio"] <= errors["street"] < 0.5
    shown = told(mine, "leaderboard", str(run))
    assert "error in %, lower is better" in shown
    again = json.loads(told(mine, "rescore", str(run), "--metric", "accuracy", "--format", "json"))
    right = {cell["domain"]: cell["estimate"][0] for cell in again["tasks"][0]["rows"][0]["cells"]}
    assert right == pytest.approx({domain: 1 - value for domain, value in errors.items()})
    assert again["tasks"][0]["chance"] == 0.5, "of as many classes"
    compared = told(mine, "compare", str(run), "spectrum", "floor")
    assert "error in %, lower is better" in " ".join(compared.split())


def test_a_kind_of_input_of_ones_own_is_listed_described_and_checked(mine: Path) -> None:
    assert "audio" in told(mine, "list", "modalities")
    assert "error in %, lower is better" in told(mine, "describe", "metric", "error")
    assert "signals of 32 samples, 2 classes" in told(mine, "describe", "task", "tones")
    for kind, name in (("metric", "error"), ("modality", "audio"), ("baseline", "spectrum")):
        assert "FAIL" not in told(mine, "check", kind, name)
    assert "studio: no signal is silent" in told(mine, "check", "task", "tones")


def test_a_task_whose_samples_cannot_give_its_metric_is_refused(mine: Path) -> None:
    file = mine / "tasks" / "tones.py"
    (mine / "tasks" / "lengths.py").write_text(file.read_text().replace('"error"', '"bits_per_byte"'))
    suite = mine / "leaderboards" / "tones.toml"
    (mine / "leaderboards" / "lengths.toml").write_text(suite.read_text().replace('"tones"', '"lengths"'))
    done = harness("eval", "lengths", HARNESS_CATALOG=str(mine))
    assert done.returncode == 2
    assert "bits_per_byte, which needs bits, and samples of kind audio give prediction" in done.stderr


def scores(group: list[int], right: list[int]) -> SampleScores:
    zeros = np.zeros(len(group), np.int64)
    return SampleScores(np.array(group), zeros, np.array(right, np.float64), np.ones(len(group)))


def test_the_worst_group_is_the_one_with_the_lowest_accuracy_of_ten_samples_or_more() -> None:
    group = [4] * 10 + [7] * 20 + [9] * 3
    kept = scores(group, [1] * 10 + [1, 0] * 10 + [0] * 3)
    assert metric_of("worst_group_accuracy").value(kept) == 0.5
    counted = metric_of("worst_group_accuracy").counted(kept)
    assert np.array_equal(counted.group, np.arange(10, 30))
    with pytest.raises(HarnessError, match="No group has 10 samples"):
        metric_of("worst_group_accuracy").value(scores([0, 1, 2], [1, 1, 0]))


ENTRIES = ("harness/catalog", "tasks", "search_spaces")
"""Where an entry says what it is, or which kinds of input its networks read."""
ELSEWHERE = {"harness/data/foreign/pickle_values.py": "the kind of a pickled value"}
"""Files where a kind of the same name is one of something else, and of what."""


def known_by_name(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yields line and source of what tells metrics or kinds of input apart by their names.

    That is a comparison of a metric with any text, one of a kind with the name of a modality, a match of
    either, or a table of several names.
    """
    modalities, metrics = set(catalog.names("modality")), set(catalog.names("metric"))
    for node in ast.walk(tree):
        found: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            texts = {text for side in sides for text in texts_of(side)}
            last_names = {last(side) for side in sides}
            if ("metric" in last_names and texts) or ("kind" in last_names and texts & modalities):
                found = [node]
        elif isinstance(node, ast.Match):
            found = [node.subject] if last(node.subject) in ("metric", "kind") else []
        elif isinstance(node, ast.Dict):
            keys = {text for key in node.keys if key is not None for text in texts_of(key)}
            found = [node] if max(len(keys & modalities), len(keys & metrics)) > 1 else []
        for one in found:
            yield node.lineno, ast.unparse(one)


def texts_of(node: ast.AST) -> set[str]:
    """Returns a text, or those of a display of several."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def last(node: ast.AST) -> str:
    """Returns the last name of `a.b`, of `a["b"]` or of a variable; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return str(node.slice.value)
    return node.id if isinstance(node, ast.Name) else ""


def test_no_metric_and_no_kind_of_input_is_known_by_name_outside_of_entries() -> None:
    found = []
    for folder in ("harness", "tasks", "search_spaces", "reports"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            place = file.relative_to(ROOT).as_posix()
            if not place.startswith(ENTRIES) and place not in ELSEWHERE:
                found += [
                    f"{place}:{line} {text}" for line, text in known_by_name(ast.parse(file.read_text()))
                ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        'metric == "accuracy"',
        'task.metric != "another"',
        'spec["metric"] in ("accuracy", "error")',
        'signature.kind == "image"',
        '"bytes" == task.signature.kind',
        'kind not in {"image", "text"}',
        '{"image": 1, "bytes": 2}[kind]',
        'match signature.kind:\n    case "image": pass',
    ],
)
def test_what_tells_apart_by_name_is_found(source: str) -> None:
    assert [*known_by_name(ast.parse(source))]
