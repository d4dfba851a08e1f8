"""Final networks that leave their run. Truth: the module that scores of the run read, other libraries."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from command import harness, python
from safetensors.torch import save_file
from working import done, place_of, plan_of

import harness as package
from harness.errors import HarnessError
from harness.export.causal import MODELING, causal, from_llama, to_llama
from harness.export.source import stand_alone
from harness.files import canonical_json
from harness.identity.unit import AnyUnit
from harness.learn.modality import random_inputs
from harness.nn.networks import hybrid
from harness.nn.networks.decoder import Decoder
from harness.run.place import Needs
from harness.study.plan import Plan
from harness.study.trained.units import FINAL, SCORE
from harness.study.trained.work.score import restored
from harness.task.signature import Signature

SUITE = """
extends = "toy"
title = "Toys <script>alert(1)</script> [here](http://hostile.example)"
spaces = ["hybrid:micro"]
searchers = ["local_search"]
baselines = ["tuned", "floor", "gpt", "llama", "default:decoder:micro"]
reference = "tuned"
search = { evaluations = 3, trials = 2 }

[[published]]
name = "SomeNet"
source = "arXiv 0000.00000"
scores = { "toy_patterns/rough" = 50.0 }

[[tasks]]
name = "toy_patterns"

[[tasks]]
name = "toy_bytes"
validation_samples = 20
test_samples = 20
supernet = { strategy = "single_path", steps = 4, batch_size = 8 }
training = { steps = 4, batch_size = 8, learning_rates = [3e-3] }
"""
FOUND = "local_search@hybrid:micro"
OF_BYTES = (FOUND, "tuned", "gpt", "llama", "default:decoder:micro")
BOTH = (("toy_patterns", FOUND), ("toy_bytes", FOUND))
ALONE = "import sys, torch; sys.modules['harness'] = None; folder = sys.argv[1]\n"
"""How a script starts that has no harness."""


class Trained(NamedTuple):
    """A run, and the plan that it follows; of the finals, those of the smallest seed are there."""

    folder: Path
    plan: Plan

    def final(self, task: str, method: str) -> AnyUnit:
        return next(one for one in self._of(FINAL.name, task, method))

    def _of(self, kind: str, task: str, method: str) -> Iterator[AnyUnit]:
        return (
            one
            for one in self.plan.units
            if one.kind.name == kind and (one.spec.task, one.spec.method) == (task, method)
        )

    def module(self, task: str, row: str) -> torch.nn.Module:
        """Returns the network that scores of the run read."""
        final = self.final(task, row.partition("@")[0])
        score = next(one for one in self._of(SCORE.name, task, final.spec.method) if final.hash in one.needs)
        model, _ = restored(score.spec, Needs({final.hash: final}, place_of(self.folder)))
        return model.module

    def inputs(self, task: str) -> torch.Tensor:
        torch.manual_seed(5)
        return random_inputs(self.final(task, "tuned").spec.seen.signature, 3)

    def outputs(self, task: str, row: str) -> torch.Tensor:
        with torch.no_grad():
            return self.module(task, row)(self.inputs(task))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    place = tmp_path_factory.mktemp("export")
    plan = plan_of(SUITE, place)
    folder = place / "run"
    folder.mkdir()
    (folder / "plan.json").write_text(plan.to_json())
    known = {one.hash: one for one in plan.units}
    first = {
        one.hash
        for one in plan.units
        if one.kind.name == FINAL.name and one.spec.select_seed == min(map(seed_of, finals(plan)))
    }
    scored = [one for one in plan.units if one.kind.name == SCORE.name and first & {*one.needs}]
    wanted: dict[str, AnyUnit] = {}

    def want(unit: AnyUnit) -> None:
        for need in unit.needs:
            want(known[need])
        wanted[unit.hash] = unit

    for unit in scored:
        want(unit)
    for unit in wanted.values():
        done(plan, unit, folder)
    return Trained(folder, plan)


def finals(plan: Plan) -> list[AnyUnit]:
    return [one for one in plan.units if one.kind.name == FINAL.name]


def seed_of(unit: AnyUnit) -> int:
    return int(unit.spec.select_seed)


def export(run: Trained, row: str, task: str, to: Path, *words: str) -> Path:
    ended = harness("export", run.folder, row, "--task", task, "--to", to, *words)
    assert ended.returncode == 0, ended.stderr
    return to


def assert_same(given: torch.Tensor, wanted: torch.Tensor) -> None:
    assert given.shape == wanted.shape
    assert (given - wanted).abs().max() < 1e-5


@pytest.mark.parametrize(("task", "row"), [*BOTH, *(("toy_bytes", row) for row in OF_BYTES[1:])])
def test_what_is_loaded_is_the_network_that_the_run_scored(
    run: Trained, task: str, row: str, tmp_path: Path
) -> None:
    network = package.load(export(run, row, task, tmp_path / "network"))
    assert not network.training
    with torch.no_grad():
        assert torch.equal(network(run.inputs(task)), run.outputs(task, row))


def test_the_card_says_what_the_records_say_and_nothing_in_it_acts(run: Trained, tmp_path: Path) -> None:
    card = (export(run, FOUND, "toy_patterns", tmp_path / "network") / "README.md").read_text()
    assert "that of search seed 0, the smallest, so that no score had a part in the choice" in card
    assert "Its search evaluated 3 architectures of hybrid:micro" in card
    assert "| toy\\_patterns/rough | scored on | drawn here | CC0 |" in card
    for word in ("clean", "grainy", "rough"):
        (score,) = [
            one
            for one in run.plan.units
            if one.kind.name == SCORE.name
            and (one.spec.domain, one.spec.method) == (word, "local_search")
            and seed_of(one) == 0
        ]
        result = json.loads((run.folder / "units" / score.folder / "record.json").read_text())["result"]
        assert f"| {word} | " in card
        assert f"| {100 * result['value']:.1f} | " in card
    assert "This run gives no verdict" in card
    assert "<script>" not in card
    assert "[here](" not in card


def test_the_seed_is_the_smallest_unless_one_is_asked_for(run: Trained, tmp_path: Path) -> None:
    network = export(run, FOUND, "toy_patterns", tmp_path / "network", "--seed", "0")
    assert (
        "asked for by its number, by somebody who may have seen the scores"
        in (network / "README.md").read_text()
    )
    words = ("--task", "toy_patterns", "--seed", "1", "--to", tmp_path / "other")
    refused = harness("export", run.folder, FOUND, *words)
    assert refused.returncode == 2
    assert "local_search in hybrid:micro with seed 1 is not trained yet; `harness eval" in refused.stderr


def test_a_changed_byte_is_refused_wherever_it_is(run: Trained, tmp_path: Path) -> None:
    whole = export(run, "llama", "toy_bytes", tmp_path / "whole", "--format", "transformers")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        size = (whole / name).stat().st_size
        for place in (0, size // 3, size // 2, size - 3):
            broken = tmp_path / "broken"
            shutil.copytree(whole, broken)
            data = bytearray((broken / name).read_bytes())
            data[place] ^= 1
            (broken / name).write_bytes(data)
            with pytest.raises(HarnessError, match=r"is damaged: it is not|is not UTF-8"):
                package.load(broken)
            shutil.rmtree(broken)
    (whole / "model.safetensors").unlink()
    with pytest.raises(HarnessError, match=r"model\.safetensors cannot be read \(No such file"):
        package.load(whole)


def test_weights_that_a_run_no_longer_has_as_written_do_not_leave_it(run: Trained, tmp_path: Path) -> None:
    shutil.copytree(run.folder, tmp_path / "run")
    weights = tmp_path / "run" / "units" / run.final("toy_bytes", "gpt").folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    ended = harness("export", tmp_path / "run", "gpt", "--to", tmp_path / "network")
    assert ended.returncode == 2
    assert "weights.safetensors is damaged" in ended.stderr
    assert not (tmp_path / "network").exists()


def test_code_that_a_folder_names_runs_only_where_it_is_trusted(run: Trained, tmp_path: Path) -> None:
    folder = export(run, "gpt", "toy_bytes", tmp_path / "network")
    evil = tmp_path / "evil.py"
    evil.write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'ran')!r}).touch()\nbuild = print\n")
    config = json.loads((folder / "config.json").read_text())
    config["harness"]["network"]["blueprint"]["method"] = f"tuned:file:{evil}:build"
    del config["harness"]["checksum"]
    config["harness"]["checksum"] = hashlib.sha256(canonical_json(config).encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(HarnessError, match=r"code that loading it would run, tuned:file:.*evil\.py"):
        package.load(folder)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(HarnessError):
        package.load(folder, trust=True)
    assert (tmp_path / "ran").exists()


def test_code_that_computes_something_else_is_found_out(
    run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = export(run, FOUND, "toy_patterns", tmp_path / "network")
    monkeypatch.setattr(hybrid, "_norm", lambda tokens, scale, width: 2 * tokens)
    with pytest.raises(HarnessError, match="code of hybrid:micro computes something else than when"):
        package.load(network)


REFUSED = {
    ("floor", "--task", "toy_bytes"): "floor is a floor, which has no network",
    ("SomeNet",): "SomeNet is a published row: scores of a paper and no network",
    ("tuned",): "tuned was trained on toy_patterns and on toy_bytes; choose one by --task",
    ("tuned", "--task", "toy_byte"): "no task of tuned named 'toy_byte'; did you mean toy_bytes",
    ("tund", "--task", "toy_bytes"): "no row named 'tund'; did you mean tuned",
    ("tuned", "--task", "toy_bytes", "--seed", "7"): "tuned has no seed 7; seeds of its searches are 0, 1",
    ("tuned", "--task", "toy_bytes", "--format", "onxx"): "no format named 'onxx'; did you mean onnx",
    ("tuned", "--task", "toy_bytes", "--format", "timm"): "timm has networks of images",
    (FOUND, "--task", "toy_patterns", "--format", "transformers"): "networks that predict the next byte",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_told_in_a_sentence_and_leaves_nothing(
    run: Trained, words: tuple[str, ...], tmp_path: Path
) -> None:
    ended = harness("export", run.folder, *words, "--to", tmp_path / "network")
    assert ended.returncode == 2
    assert REFUSED[words] in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_as_it_is(run: Trained, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ended = harness("export", run.folder, "gpt", "--to", tmp_path)
    assert ended.returncode == 2
    assert "is no empty folder; choose another --to, or empty it" in ended.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]


def test_a_run_that_trains_nothing_has_no_networks(tmp_path: Path) -> None:
    assert harness("eval", "toy_lookup", "--out", tmp_path / "run").returncode == 0
    ended = harness("export", tmp_path / "run", "random_search", "--to", tmp_path / "network")
    assert ended.returncode == 2
    assert "keeps no final networks, as its study runs searchers on a table" in ended.stderr


def test_without_the_extra_the_sentence_names_it(
    run: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    ended = harness("export", run.folder, "gpt", "--to", tmp_path / "network", "--format", "onnx")
    assert 'needs the package onnx; run: pip install "crossdomain-harness[onnx]"' in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("format", "task"), [("timm", "toy_patterns"), ("transformers", "toy_bytes")])
def test_the_same_network_gives_the_same_bytes(run: Trained, tmp_path: Path, format: str, task: str) -> None:
    folders = [export(run, FOUND, task, tmp_path / name, "--format", format) for name in ("one", "two")]
    held = [{one.name: one.read_bytes() for one in folder.iterdir()} for folder in folders]
    assert held[0] == held[1]


def test_timm_makes_it_from_its_folder(run: Trained, tmp_path: Path) -> None:
    import timm
    from timm.data import resolve_model_data_config

    import harness.export.timm  # noqa: F401

    folder = export(run, FOUND, "toy_patterns", tmp_path / "network", "--format", "timm")
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    with torch.no_grad():
        assert_same(network(run.inputs("toy_patterns")), run.outputs("toy_patterns", FOUND))
    assert tuple(resolve_model_data_config(network)["mean"]) == (0.5,)
    drawn = timm.create_model(f"local-dir:{folder}")
    assert not torch.equal(next(drawn.parameters()), next(network.parameters()))
    with pytest.raises(HarnessError, match="is as it was found; leave out num_classes"):
        timm.create_model(f"local-dir:{folder}", num_classes=7)


def test_the_names_of_llama_lead_there_and_back() -> None:
    ours = Decoder(width=32, depth=2, heads=2, hidden=88, is_llama=True).state_dict()
    theirs = to_llama(ours)
    keys = ours["blocks.1.inward.weight"][32:64]
    assert torch.equal(theirs["model.layers.1.self_attn.k_proj.weight"], keys)
    back = from_llama(theirs, ours)
    assert back.keys() == ours.keys()
    assert all(torch.equal(back[name], ours[name]) for name in ours)


def test_the_code_of_a_network_is_whole_without_the_rest() -> None:
    code = stand_alone("harness.nn.networks.hybrid", "HybridNet")
    assert "harness" not in code.imports
    alone: dict[str, object] = {"__name__": "alone"}
    exec(f"{code.imports}\n{code.definitions}", alone)
    assert alone["HybridNet"] is not hybrid.HybridNet
    with pytest.raises(HarnessError, match=r"has code in harness\.learn\.fit, which may need more"):
        stand_alone("harness.learn.fit", "Recipe")


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("task", "row"), BOTH)
def test_torch_alone_runs_the_program(run: Trained, task: str, row: str, tmp_path: Path) -> None:
    folder = export(run, row, task, tmp_path / "network", "--format", "torch")
    assert_same(elsewhere(run.inputs(task), folder, TORCH), run.outputs(task, row))
    assert str(Path.cwd()).encode() not in (folder / "model.pt2").read_bytes()
    again = export(run, row, task, tmp_path / "again", "--format", "torch")
    assert (again / "model.pt2").read_bytes() == (folder / "model.pt2").read_bytes()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(("task", "row"), BOTH)
def test_onnxruntime_alone_runs_the_graph(run: Trained, task: str, row: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = export(run, row, task, tmp_path / "network", "--format", "onnx")
    assert_same(elsewhere(run.inputs(task), folder, ONNX), run.outputs(task, row))
    assert str(Path.cwd()).encode() not in (folder / "model.onnx").read_bytes()


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("row", OF_BYTES)
def test_transformers_alone_gives_the_logits(run: Trained, row: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = export(run, row, "toy_bytes", tmp_path / "network", "--format", "transformers")
    assert (folder / MODELING).exists() == (row != "llama")
    code = TRANSFORMERS.replace("TRUST", str(row != "llama"))
    assert_same(elsewhere(run.inputs("toy_bytes"), folder, code), run.outputs("toy_bytes", row))


@pytest.mark.slow
@pytest.mark.ci
def test_every_mixer_survives_what_transformers_does_to_masks(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    mixers = ("attention", "local", "linear", "convolution", "recurrence")
    signature = Signature(kind="bytes", classes=256, context=24)
    shape = hybrid.HybridShape(width=16, mixers=mixers, hidden=(16,) * len(mixers))
    network = hybrid.HybridNet(
        signature, [[one] for one in mixers], shape, is_grid=False, is_pooled=False
    ).eval()
    made = causal(network, signature, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(made.members))
    save_file(made.weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    inputs = random_inputs(signature, 3)
    with torch.no_grad():
        wanted = network(inputs)
    assert_same(elsewhere(inputs, tmp_path, TRANSFORMERS.replace("TRUST", "True")), wanted)


TORCH = "given = torch.export.load(folder + '/model.pt2').module()(inputs)"
ONNX = """
import onnxruntime
session = onnxruntime.InferenceSession(folder + "/model.onnx")
given = torch.from_numpy(session.run(None, {"inputs": inputs.numpy()})[0])
"""
TRANSFORMERS = """
from transformers import AutoModelForCausalLM, AutoTokenizer
network = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=TRUST)
assert not network.training
tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=TRUST)
text = "h\\u00e9 \\u0100<|\\U0001f600"
given = tokenizer(text)
assert sorted(given) == ["attention_mask", "input_ids"]
tokens = given["input_ids"]
assert tokens == [0, *text.encode()], tokens
assert tokenizer.decode(tokens, skip_special_tokens=True) == text
start = torch.tensor([tokens[:4]])
longer = network.generate(start, attention_mask=torch.ones_like(start), max_new_tokens=20, do_sample=False)
assert longer.shape == (1, 24)
given = network(input_ids=inputs).logits
"""


def elsewhere(inputs: torch.Tensor, folder: Path, code: str) -> torch.Tensor:
    """Returns what a process without the harness computes of inputs."""
    pair = folder.parent / f"{folder.name}.pt"
    torch.save(inputs, pair)
    script = f"{ALONE}inputs = torch.load(sys.argv[2])\n{code}\ntorch.save(given.detach(), sys.argv[2])"
    places = {"HF_HOME": str(folder.parent / "hub"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    ended = python(script, folder, pair, **places)
    assert ended.returncode == 0, ended.stderr
    return torch.load(pair)
