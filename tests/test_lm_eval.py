"""Our tasks in plain lm-eval, and its models here. Truth: our own scorer of the same network."""

import json
import math
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import completion_server
import filled
import numpy as np
import pytest
import torch
from command import harness
from hypothesis import given
from hypothesis import strategies as st
from working import FLOORS, done, first, place_of, plan_of

from harness import catalog
from harness.data.load import load_split
from harness.errors import HarnessError
from harness.guard.keys import OPENAI, Key, Keys, host_of
from harness.language.export import export_task, lm_eval_name
from harness.language.external import LmEvalLanguageModel, build_model, is_address, parse_address
from harness.learn.baseline import Opening
from harness.learn.fit import seeded
from harness.learn.predictors import TorchLanguageModel, score
from harness.results.imported import read_imported
from harness.run.place import Needs
from harness.task.signature import Signature
from harness.task.task import Archives, Domain, Sample, Task

CONTEXT = completion_server.CONTEXT
Endpoint = completion_server.Endpoint
network = completion_server.network
TEXTS = {
    "plain": [
        "one text",
        "another text of one window",
        "12",
        "two windows, 64 bytes of text: it ends here".ljust(64, "!"),
        "e",
    ],
    "odd": ["\n edges \r\n", "[1, 2]", "{{ x }}", "wörds", "nul \0 and \u2028 line", "true"],
}


def read(texts: list[bytes], archives: Archives) -> Iterator[Sample]:
    for number, text in enumerate(texts):
        yield Sample(text, 0, f"test/{number}")
    yield Sample(b"what is trained on", 0, "train/0")
    yield Sample(b"what is selected on", 0, "validation/0")


def classes(archives: Archives) -> Iterator[Sample]:
    for part in ("test", "train", "validation"):
        yield Sample(b"fish" if part == "test" else b"fish " + part.encode(), 0, f"{part}/0")
        yield Sample(b"cow" if part == "test" else b"cow " + part.encode(), 1, f"{part}/1")


def domain(name: str, texts: list[bytes]) -> Domain:
    return filled.domain(name, partial(read, texts), origin=f"made here: {name}", fixed_splits=True)


def task(**more: list[bytes]) -> Task:
    texts = {name: [text.encode() for text in found] for name, found in TEXTS.items()} | more
    return filled.task(
        (domain(name, found) for name, found in texts.items()),
        Signature(kind="bytes", classes=256, context=CONTEXT),
        metric="bits_per_byte",
        chance=8.0,
        held_out=("odd",),
    )


def documents(toy: Task, name: str, data: Path) -> list[bytes]:
    return load_split("toy_texts", toy, toy.domain(name), "test", data).documents()


@pytest.fixture
def address() -> Iterator[str]:
    with completion_server.serving() as found:
        yield found


@pytest.mark.slow
@pytest.mark.ci
def bits_in_turn(document: bytes) -> float:
    """Returns the code length as plain lm-eval reads a document: in windows that do not overlap."""
    values = torch.tensor([0, *document])
    total = 0.0
    for start in range(0, len(document), CONTEXT):
        inputs, targets = values[start : start + CONTEXT + 1][:-1], values[start + 1 : start + CONTEXT + 1]
        with torch.inference_mode():
            logits = network().eval()(inputs[None])[0]
        total += float(torch.nn.functional.cross_entropy(logits.double(), targets, reduction="sum"))
    return total / math.log(2)


@pytest.mark.slow
@pytest.mark.ci
def test_plain_lm_eval_gives_an_exported_task_the_bits_of_its_own_windows(
    tmp_path: Path, address: str
) -> None:
    toy, data, folder = task(), tmp_path / "data", tmp_path / "export"
    assert export_task("toy_texts", toy, folder, data).failures == {}
    moved = folder.rename(tmp_path / "moved")
    arguments = address.partition("?")[2].replace("&", ",")
    command = [sys.executable, "-m", "lm_eval", "run", "--model", "local-completions"]
    command += ["--model_args", arguments, "--include_path", str(moved), "--tasks", "crossdomain__toy_texts"]
    command += ["--output_path", str(tmp_path / "results.json"), "--batch_size", "4"]
    home = {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | home)
    assert ended.returncode == 0, ended.stderr[-2000:]
    (found,) = tmp_path.glob("results*.json")
    results = json.loads(found.read_text())["results"]
    expected = {}
    for one in toy.domains:
        split = load_split("toy_texts", toy, one, "test", data)
        bits = sum(map(bits_in_turn, split.documents()))
        expected[one.name] = bits / len(split.text)
        measured = results[f"crossdomain__toy_texts__{one.name}"]["bits_per_byte,none"]
        assert measured == pytest.approx(expected[one.name], abs=1e-6)
    (row,) = read_imported([str(found)])
    assert {name: one["bits"] for name, one in row.scores.items()} == pytest.approx(
        {name: one["bits_per_byte,none"] for name, one in results.items()}
    )
    assert "(lm-eval 0." in row.source
    mean = np.mean(list(expected.values()))
    assert results["crossdomain__toy_texts"]["bits_per_byte,none"] == pytest.approx(mean, abs=1e-6)


def test_an_exported_task_keeps_every_byte_of_its_documents(tmp_path: Path) -> None:
    toy = task()
    export_task("toy_texts", toy, tmp_path / "out", tmp_path / "data")
    for one in toy.domains:
        lines = (tmp_path / "out" / f"crossdomain__toy_texts__{one.name}.jsonl").read_text().splitlines()
        texts = [json.loads(line)["text"].encode() for line in lines]
        assert texts == documents(toy, one.name, tmp_path / "data")
        assert sorted(texts) == sorted(text.encode() for text in TEXTS[one.name])


def test_an_exported_task_scores_here_what_it_scores_as_our_own(tmp_path: Path) -> None:
    from harness.language.byte_model import ByteModel
    from harness.language.scores import lm_eval_scores

    toy, data, out = task(), tmp_path / "data", tmp_path / "out"
    export_task("toy_texts", toy, out, data)
    results = lm_eval_scores(
        ByteModel(network(), CONTEXT), ["crossdomain__toy_texts"], include_path=out, offline=True
    )
    for one in toy.domains:
        split = load_split("toy_texts", toy, one, "test", data)
        own = score(TorchLanguageModel(network(), CONTEXT), split, document_bytes=10_000)
        samples = results[f"crossdomain__toy_texts__{one.name}"].samples
        np.testing.assert_allclose(samples.numerator, own.numerator, atol=1e-6)
        np.testing.assert_array_equal(samples.denominator, own.denominator)


def test_a_domain_that_is_not_text_fails_alone(tmp_path: Path) -> None:
    broken = [b"\xff\xfe%d" % number for number in range(9)]
    made = export_task("toy_texts", task(broken=broken), tmp_path / "out", tmp_path / "data")
    assert made.tasks == ("crossdomain__toy_texts__plain", "crossdomain__toy_texts__odd")
    assert "not UTF-8" in made.failures["broken"]


def test_a_cut_document_ends_with_a_whole_character(tmp_path: Path) -> None:
    umlauts = [b"%d" % number + "öööö".encode() for number in range(10, 30)]
    out = tmp_path / "out"
    export_task("toy_texts", task(umlauts=umlauts), out, tmp_path / "data", document_bytes=5)
    lines = (out / "crossdomain__toy_texts__umlauts.jsonl").read_text().splitlines()
    assert {json.loads(line)["text"][2:] for line in lines} == {"ö"}


def test_a_second_export_leaves_no_domain_of_the_first(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_task("toy_texts", task(gone=[b"text %d" % number for number in range(9)]), out, tmp_path / "data")
    export_task("toy_texts", task(), out, tmp_path / "data")
    assert not [file for file in out.iterdir() if "gone" in file.name]


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(HarnessError, match="choose another --out"):
        export_task("toy_texts", task(), tmp_path, tmp_path / "data")
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("format_name", "message"),
    [("lm-eval", "a task of images"), ("onnx", "There is no format 'onnx' of tasks; there is lm-eval")],
)
def test_what_cannot_be_exported_is_refused(tmp_path: Path, format_name: str, message: str) -> None:
    done = harness("export-task", "toy_patterns", "--format", format_name, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


@given(
    st.lists(
        st.tuples(*[st.sampled_from(["a", "a_", "_a", "a__b", "a_b", "b", "a b", "b_"])] * 3), unique=True
    )
)
def test_no_two_exports_share_a_name(parts: list[tuple[str, str, str]]) -> None:
    names = {lm_eval_name(task, domain) for task, domain, _ in parts}
    names |= {lm_eval_name(task, domain, suite) for task, domain, suite in parts}
    assert len(names) == len(set(parts)) + len({part[:2] for part in parts})


SUITE = f"""{FLOORS}
[[tasks]]
name = "toy_bytes"
test_bytes = 900
validation_samples = 40
test_samples = 60
[tasks.training]
steps = 4
batch_size = 8
learning_rates = [3e-3]
"""


def test_what_a_suite_scores_is_exported_and_lm_eval_gives_the_boards_number(tmp_path: Path) -> None:
    from harness.language.models import lm_eval_model
    from harness.language.scores import lm_eval_scores
    from harness.study.trained.work.score import restored

    plan, run, out = plan_of(SUITE, tmp_path), tmp_path / "run", tmp_path / "out"
    unit = first(plan, "score", task="toy_bytes", domain="three")
    known = {one.hash: one for one in plan.units}
    final = next(known[need] for need in unit.needs if known[need].kind.name == "final")
    done(plan, final, run)
    value = done(plan, unit, run).result.to_json()
    told = harness("export-task", "toy_bytes", "--suite", tmp_path / "mine.toml", "--out", out)
    assert told.returncode == 0, told.stderr
    name = "crossdomain_suite__mine__toy_bytes__three"
    lines = [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]
    assert len(lines) == value["samples"] < 120
    assert sum(len(line["text"].encode()) for line in lines) == value["bytes"]
    needs = Needs({need: known[need] for need in unit.needs}, place_of(run))
    model = lm_eval_model(restored(unit.spec, needs)[0])
    group = "crossdomain_suite__mine__toy_bytes"
    found = lm_eval_scores(model, [group], include_path=out, offline=True)
    assert set(found) == {name}
    assert found[name].value() == pytest.approx(value["value"], abs=1e-9)
    assert found[name].aggregates["bits_per_byte,none"] == pytest.approx(value["value"], abs=1e-9)


def test_a_task_of_classes_asks_for_them(tmp_path: Path) -> None:
    words = filled.task(
        [filled.domain("one", classes, fixed_splits=True)],
        Signature(kind="text", classes=2, context=16),
        metric="accuracy",
        class_names=("sea", "land"),
        held_out=(),
    )
    export_task("toy_words", words, tmp_path / "out", tmp_path / "data")
    lines = (tmp_path / "out" / "crossdomain__toy_words__one.jsonl").read_text().splitlines()
    asked = {(one["text"], one["choices"][one["gold"]]) for one in map(json.loads, lines)}
    assert asked == {("fish\nClass:", "sea"), ("cow\nClass:", "land")}


def test_a_suite_that_scores_nothing_of_a_task_is_told(tmp_path: Path) -> None:
    for suite, text in (
        ("toy", "toy holds out no domain of toy_choice"),
        ("toy_lookup", "scores no samples"),
    ):
        done = harness("export-task", "toy_choice", "--suite", suite, "--out", tmp_path / "out")
        assert done.returncode == 2
        assert text in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_address_has_a_model_and_typed_arguments() -> None:
    text = "lm_eval:hf?pretrained=/a/b=c%26d+e&batch_size=4&trust_remote_code=false"
    address = parse_address(text)
    told = {"pretrained": "/a/b=c&d+e", "batch_size": 4, "trust_remote_code": False}
    assert (address.model, address.arguments) == ("hf", told)
    assert is_address(text)
    assert not is_address("default")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default", "is no lm-eval model"),
        ("lm_eval:", "is no lm-eval model"),
        ("lm_eval:hf?pretrained", "is not NAME=VALUE"),
        ("lm_eval:hf?a=1&a=2", "given twice"),
        ("lm_eval:openai-completions?api_key=x", "is a secret"),
        ("lm_eval:vlm?pretrained=x", "did you mean vllm"),
    ],
)
def test_an_address_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        parse_address(text)


def test_a_model_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    address = parse_address(f"lm_eval:hf?pretrained={tmp_path / 'none'}")
    with pytest.raises(HarnessError, match="lm_eval:hf cannot be made"):
        build_model(address, offline=True)


def test_a_model_behind_an_endpoint_scores_what_its_network_scores_and_is_asked_with_its_key(
    address: str,
) -> None:
    model = LmEvalLanguageModel(build_model(parse_address(address), api_key="the-key", offline=True))
    texts = [text.encode() for text in TEXTS["odd"]]
    expected = TorchLanguageModel(network(), CONTEXT).bits(texts)
    np.testing.assert_allclose(model.bits(texts), expected, rtol=1e-5)
    assert Endpoint.keys[-1] == "Bearer the-key"
    whole, cut = model.bits([b"text", b"text" + "ö".encode()[:1]])
    assert cut == whole + 8, "bytes that are no character cost eight bits each"


def test_a_model_behind_an_endpoint_is_never_sent_the_key_of_another_host(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    keys = Keys(by_host={host_of(OPENAI): Key(token="sk-of-openai")})
    baseline = catalog.load("baseline", address)
    for opening in (Opening(data=tmp_path), Opening(data=tmp_path, keys=keys)):
        baseline.open(task().signature, opening).bits([b"text"])
        assert Endpoint.keys[-1] == "Bearer none"
    bound = Keys(by_host={host_of(str(parse_address(address).arguments["base_url"])): Key(token="sk-bound")})
    baseline.open(task().signature, Opening(data=tmp_path, keys=bound)).bits([b"text"])
    assert Endpoint.keys[-1] == "Bearer sk-bound"


def test_what_a_server_repeats_of_a_key_is_not_printed(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = build_model(parse_address(f"{address}&max_retries=1"), api_key="sk-planted-0123", offline=True)
    answered = Endpoint.do_POST

    def refuse(self: Any) -> None:
        if not self.path.endswith("/completions"):
            return answered(self)
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(400, "refused", f"your key is {self.headers['Authorization']}")

    monkeypatch.setattr(Endpoint, "do_POST", refuse)
    with pytest.raises(OSError, match="400"):
        LmEvalLanguageModel(model).bits([b"text"])
    assert "sk-planted" not in caplog.text


def test_a_model_behind_an_endpoint_answers_lm_evals_tasks(address: str, tmp_path: Path) -> None:
    from harness.language.byte_model import ByteModel
    from harness.language.scores import lm_eval_scores

    export_task("toy_texts", task(), tmp_path / "out", tmp_path / "data")
    values = [
        lm_eval_scores(model, include_path=tmp_path / "out", offline=True)[
            "crossdomain__toy_texts__odd"
        ].value()
        for model in (
            build_model(parse_address(address), api_key="k", offline=True),
            ByteModel(network(), CONTEXT),
        )
    ]
    assert values[0] == pytest.approx(values[1], abs=1e-6)


def save_transformer(folder: Path) -> torch.nn.Module:
    """Saves a tiny transformer with random weights and the 256 bytes as tokens, and returns its logits."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    vocabulary = {chr(byte): byte for byte in shown} | {chr(256 + at): byte for at, byte in enumerate(hidden)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    start = chr(256)  # how byte 0 is written
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=start, bos_token=start)
    wrapped.save_pretrained(folder)
    settings = {"n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    with seeded(0):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=256, n_positions=CONTEXT, **settings))
    model.save_pretrained(folder)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model.eval()

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.inner(tokens).logits
            return logits

    return Logits()


def test_a_transformers_folder_scores_what_its_network_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers", reason="lm-eval's hf models need transformers and accelerate.")
    pytest.importorskip("accelerate", reason="lm-eval's hf models need transformers and accelerate.")

    def look_up(*arguments: Any, **settings: Any) -> None:
        raise AssertionError(f"The network was asked for {arguments[0]}.")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    module = save_transformer(tmp_path / "tiny")
    state = torch.get_rng_state()
    made = build_model(parse_address(f"lm_eval:hf?pretrained={tmp_path / 'tiny'}&batch_size=3"), offline=True)
    texts = [text.encode() for text in TEXTS["odd"]]
    expected = TorchLanguageModel(module, CONTEXT).bits(texts)
    np.testing.assert_allclose(LmEvalLanguageModel(made).bits(texts), expected, rtol=1e-5)
    assert torch.equal(torch.get_rng_state(), state)
