"""lm-eval's tasks and our byte networks. Truth: our own scorer, and a byte-by-byte loop over a network."""

import random
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml_tasks
from yaml_tasks import CHOOSE, ROLL, log_probability, write_rows

from harness.errors import HarnessError, UnknownNameError
from harness.language.scores import LmEvalScores, lm_eval_scores, tasks_of
from harness.learn.fit import seeded
from harness.learn.predictors import TorchLanguageModel
from harness.nn.networks.decoder import Decoder

CONTEXT = 16
TEXTS = [
    "a",
    "exactly sixteen.",
    "more than one window of text, with wörds",
    "12",
    "[1, 2]",
    "\n edges \n",
    "{{ x }}",
]


def network(seed: int = 0) -> torch.nn.Module:
    with seeded(seed):
        module = Decoder(width=16, depth=1, heads=2, hidden=32)
        torch.nn.init.normal_(module.head.weight, std=0.3)
    return module


def byte_model(seed: int = 0, **settings: Any) -> Any:
    from harness.language.byte_model import ByteModel

    return ByteModel(network(seed), CONTEXT, **settings)


def requests(*arguments: tuple[Any, ...]) -> list[Any]:
    return [SimpleNamespace(args=one) for one in arguments]


def write(folder: Path, name: str, about: dict[str, str], rows: list[dict[str, Any]]) -> None:
    yaml_tasks.write(folder, name, write_rows(folder / f"{name}.jsonl", rows), about)


def questions(answers: list[int]) -> list[dict[str, Any]]:
    return [
        {"text": f"{number}?", "choices": ["one", "two", "three"], "gold": answer}
        for number, answer in enumerate(answers)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of tasks, a cache of its own, and no way to look up a name."""
    import datasets

    def look_up(*arguments: Any, **settings: Any) -> None:
        raise AssertionError(f"The network was asked for {arguments[0]}.")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "tasks"
    place.mkdir()
    return place


def scores(folder: Path, model: Any, **settings: Any) -> dict[str, LmEvalScores]:
    return lm_eval_scores(model, include_path=folder, offline=True, **settings)


def test_every_document_keeps_its_score_and_its_domain(folder: Path) -> None:
    write(folder, "texts", ROLL, [{"text": text, "group": text[:1]} for text in TEXTS])
    result = scores(folder, byte_model())["texts"]
    bits = TorchLanguageModel(network(), CONTEXT).bits([text.encode() for text in TEXTS])
    rows = result.records()
    np.testing.assert_allclose([row["numerator"] for row in rows], bits, atol=1e-6)
    assert [row["denominator"] for row in rows] == [len(text.encode()) for text in TEXTS]
    assert [row["group"] for row in rows] == [text[:1] for text in TEXTS]
    assert {row["domain"] for row in rows} == {"texts"}


@pytest.mark.parametrize(
    ("before", "after"),
    [("once", " upon"), ("", "a time"), ("  ", " spaces"), ("long " * 9, "context"), ("", "\0zero")],
)
def test_the_log_probability_of_a_continuation_equals_a_byte_by_byte_loop(before: str, after: str) -> None:
    ((nats, _),) = byte_model().loglikelihood(requests((before, after)))
    expected = log_probability(network(), CONTEXT, before.encode() or b"\0", after.encode())
    assert nats == pytest.approx(expected, abs=1e-4)  # float32 sums of twenty terms


@pytest.mark.parametrize("text", TEXTS)
def test_a_continuation_of_nothing_costs_what_the_document_costs(text: str) -> None:
    model = byte_model()
    ((nats, _),) = model.loglikelihood(requests(("", text)))
    assert [nats] == pytest.approx(model.loglikelihood_rolling(requests((text,))), rel=1e-9)


def test_answers_do_not_depend_on_the_order_of_the_requests() -> None:
    pairs = [(one, other) for one in TEXTS for other in TEXTS]
    shuffled = random.Random(0).sample(pairs, len(pairs))
    model = byte_model(batch_size=3)
    straight = dict(zip(pairs, model.loglikelihood(requests(*pairs)), strict=True))
    assert straight == dict(zip(shuffled, model.loglikelihood(requests(*shuffled)), strict=True))


def test_a_continuation_is_greedy_where_it_is_the_likeliest_byte() -> None:
    model = byte_model()
    torch.nn.init.constant_(model.module.head.bias[128:], -100.0)  # UTF-8 has no such byte alone
    likeliest = int(model.module(torch.tensor([list(b"ask")]))[0, -1].argmax())
    answers = model.loglikelihood(requests(*(("ask", chr(byte)) for byte in range(128))))
    assert [greedy for _, greedy in answers] == [byte == likeliest for byte in range(128)]


def test_what_is_generated_is_greedy() -> None:
    model = byte_model()
    (made,) = model.generate_until(requests(("ask", {"max_gen_toks": 3})))
    seen = b"\0ask"
    for _ in range(3):
        seen += bytes([int(network()(torch.tensor([list(seen)]))[0, -1].argmax())])
    assert made == seen[4:].decode(errors="replace")


def test_generation_ends_before_a_stop_text() -> None:
    model = byte_model()
    prompts = [chr(letter) * 3 for letter in range(97, 123)]  # an untrained network rarely writes letters
    made = [model.generate_until(requests((prompt, {"max_gen_toks": 8})))[0] for prompt in prompts]
    prompt, text = max(zip(prompts, made, strict=True), key=lambda one: len(one[1].replace("\ufffd", "")))
    stop = text.replace("\ufffd", "")[-1]
    (cut,) = model.generate_until(requests((prompt, {"max_gen_toks": 8, "until": [stop]})))
    assert cut == text[: text.index(stop)]


def test_sampling_is_refused() -> None:
    with pytest.raises(ValueError, match="generates greedily"):
        byte_model().generate_until(requests(("ask", {"do_sample": True})))


def test_a_second_model_and_edited_texts_get_scores_of_their_own(folder: Path) -> None:
    write(folder, "texts", ROLL, [{"text": "one text"}])
    first = scores(folder, byte_model(0))["texts"].value()
    second = scores(folder, byte_model(1))["texts"].value()
    write(folder, "texts", ROLL, [{"text": "other text"}])
    edited = scores(folder, byte_model(0))["texts"].value()
    expected = [
        TorchLanguageModel(network(seed), CONTEXT).bits([text])[0] / len(text)
        for seed, text in ((0, b"one text"), (1, b"one text"), (0, b"other text"))
    ]
    assert [first, second, edited] == pytest.approx(expected, abs=1e-6)


def test_the_callers_random_states_stay(folder: Path) -> None:
    class Reseeding(type(byte_model())):
        def loglikelihood(self, requests: Any, disable_tqdm: bool = False) -> Any:
            random.seed(0)
            np.random.seed(0)  # noqa: NPY002
            torch.manual_seed(0)
            return super().loglikelihood(requests, disable_tqdm)

    write(folder, "pick", CHOOSE, questions([0, 1, 2]))
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    assert scores(folder, Reseeding(network(), CONTEXT))["pick"].reason is None
    assert random.getstate() == states[0]
    np.testing.assert_equal(np.random.get_state(), states[1])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])


def test_a_network_that_gives_nan_fails_and_scores_nothing(folder: Path) -> None:
    write(folder, "pick", CHOOSE, questions([0, 1, 2]))
    write(folder, "texts", ROLL, [{"text": "text"}])
    model = byte_model()
    torch.nn.init.constant_(model.module.head.bias, float("nan"))
    results = scores(folder, model)
    for result in results.values():
        assert result.samples is None
        assert "not finite" in str(result.reason)
    with pytest.raises(HarnessError, match="texts has no scores"):
        results["texts"].value()


def test_another_model_that_gives_nan_fails_too(folder: Path) -> None:
    from lm_eval.api.model import LM

    class Broken(LM):
        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            return [(float("nan"), False) for _ in requests]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            return [float("nan") for _ in requests]

        def generate_until(self, requests: list[Any]) -> list[str]:
            return ["" for _ in requests]

    write(folder, "pick", CHOOSE, questions([0, 1, 2]))
    assert "not finite" in str(scores(folder, Broken())["pick"].reason)


@pytest.mark.parametrize("answer", [3, -1])
def test_a_right_answer_that_is_not_among_the_choices_fails(folder: Path, answer: int) -> None:
    write(folder, "pick", CHOOSE, questions([0, answer, 2]))
    assert f"Document 1 has the answer {answer}" in str(scores(folder, byte_model())["pick"].reason)


def test_accuracy_is_that_of_the_likeliest_choice(folder: Path) -> None:
    rows = questions([0, 1, 2, 2, 1, 0])
    write(folder, "pick", CHOOSE, rows)
    result = scores(folder, byte_model())["pick"]
    expected = []
    for row in rows:
        nats = [
            log_probability(network(), CONTEXT, b"\0" + row["text"].encode(), f" {choice}".encode())
            for choice in row["choices"]
        ]
        expected.append(float(np.argmax(nats) == row["gold"]))
    assert result.samples.numerator.tolist() == expected
    assert result.aggregates["acc,none"] == pytest.approx(result.value())


def test_a_limit_takes_documents_of_every_answer_and_not_the_first(folder: Path) -> None:
    write(folder, "pick", CHOOSE, questions([0] * 10 + [1] * 10 + [2] * 10))
    result = scores(folder, byte_model(), limit=6)["pick"]
    assert sorted(result.samples.label.tolist()) == [0, 0, 1, 1, 2, 2]
    assert len(result.samples.position) == 6


def test_a_limited_score_is_that_of_the_documents_it_names(folder: Path) -> None:
    write(folder, "texts", ROLL, [{"text": text} for text in TEXTS])
    result = scores(folder, byte_model(), limit=3)["texts"]
    chosen = [TEXTS[index].encode() for index in result.samples.position]
    bits = TorchLanguageModel(network(), CONTEXT).bits(chosen)
    np.testing.assert_allclose(result.samples.numerator, bits, atol=1e-6)


def test_a_limit_of_nothing_is_an_error_and_not_everything(folder: Path) -> None:
    with pytest.raises(ValueError, match="at least one"):
        scores(folder, byte_model(), limit=0)


def test_a_task_that_needs_a_network_fails_alone(folder: Path) -> None:
    write(folder, "texts", ROLL, [{"text": "text"}])
    yaml_tasks.write(folder, "absent", folder / "none", ROLL, dataset="nobody/nothing")
    (folder / "both.yaml").write_text("group: both\ntask: [absent, texts]\n")
    results = scores(folder, byte_model(), tasks=["both"])
    assert "nobody/nothing" in str(results["absent"].reason)
    assert results["texts"].reason is None


def test_the_hub_is_as_open_afterwards_as_it_was(folder: Path) -> None:
    import datasets
    from huggingface_hub import constants

    before = (constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE)
    write(folder, "texts", ROLL, [{"text": "text"}])
    scores(folder, byte_model())
    assert before == (constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE)


def test_a_file_that_is_no_yaml_is_said_and_not_dropped(folder: Path) -> None:
    write(folder, "pick", CHOOSE, questions([0]))
    assert tasks_of(folder) == ["pick"]
    (folder / "broken.yaml").write_text("task: [broken\n")
    with pytest.raises(HarnessError, match=r"broken\.yaml is no YAML: .*line 2"):
        tasks_of(folder)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="There is no folder"):
        lm_eval_scores(None, include_path=tmp_path / "none")


@pytest.mark.slow
@pytest.mark.ci
def test_an_unknown_task_is_said_with_near_names(folder: Path) -> None:
    with pytest.raises(UnknownNameError, match="wikitext"):
        scores(folder, None, tasks=["wikitex"])


def test_a_task_of_generation_counts_exact_matches(folder: Path) -> None:
    (made,) = byte_model().generate_until(requests(("ask", {"max_gen_toks": 4})))
    about = CHOOSE | {"kind": "generate_until", "metrics": "{metric: exact_match}"}
    about["more"] = "generation_kwargs: {max_gen_toks: 4, until: [], do_sample: false}"
    write(folder, "made", about, [{"text": "ask", "gold": made}, {"text": "ask", "gold": "never"}])
    result = scores(folder, byte_model())["made"]
    assert result.samples is not None, result.reason
    assert (result.measure, result.samples.numerator.tolist()) == ("exact_match", [1.0, 0.0])
