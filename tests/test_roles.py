"""The roles of CoLLM-NAS and their ablations. Truth: every message that a listening model was sent."""

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import spaces

from harness import catalog
from harness.checks.space import SIGNATURES
from harness.errors import HarnessError
from harness.files import canonical_json
from harness.llm import Message, Reply, Transcript, Usage
from harness.llm.client import Ratings
from harness.llm.scripted import ScriptedClient
from harness.search.archive import Evaluation
from harness.search.llm.anonymous import AnonymousSpace, letter
from harness.search.llm.decoding import decoding_prompt
from harness.search.loop import Limit, SearchContext, SearcherEntry, SearchResult, run_search
from harness.space.form import Architecture

COLLM: SearcherEntry = catalog.load("searcher", "collm_nas")
SPACE = spaces.named("nasbench201:cifar10")


class Listener:
    """Keeps what it is sent; Navigators get `strategy`, Generators ten architectures never given before."""

    name = "listener"
    kind = "endpoint"
    seconds = 0.0

    def __init__(self, *, strategies: Sequence[str] = ("SUMMARY: try all",), batch: int = 10) -> None:
        self.transcript = Transcript(None)
        self.strategies = list(strategies)
        self.batch = batch
        self.navigator: list[list[Message]] = []
        self.generator: list[list[Message]] = []
        self.given = 0

    def chat(
        self, messages: Sequence[Message], *, temperature: float, schema: Mapping[str, Any] | None = None
    ) -> Reply:
        if "JSON, {" in messages[-1]["content"] or "as JSON {" in messages[-1]["content"]:
            self.generator.append(list(messages))
            text = self.architectures(anonymous='{"x"' in messages[0]["content"])
        else:
            self.navigator.append(list(messages))
            text = self.strategies[min(len(self.navigator), len(self.strategies)) - 1]
        return Reply(text=text, finish_reason="stop", model=self.name, usage=Usage(3, 2, 1))

    def architectures(self, *, anonymous: bool) -> str:
        space = AnonymousSpace(SPACE) if anonymous else SPACE
        found = []
        for _ in range(self.batch):
            genes = tuple((self.given // 5**place) % 5 for place in range(6))
            self.given += 1
            found.append(space.to_json(genes))
        return json.dumps({"architectures": found})

    def letters(self, prompt: str, letters: Sequence[str], *, cold: bool) -> Ratings:
        raise AssertionError("an endpoint rates no letters")

    @property
    def all_text(self) -> str:
        return "\n".join(
            message["content"] for sent in (*self.navigator, *self.generator) for message in sent
        )


def score(architecture: Architecture) -> float:
    return 0.5 + sum(gene * (place + 1) for place, gene in enumerate(architecture)) / 1000


def searched(client: Any, *, budget: int = 50, limit: Limit | None = None, **options: Any) -> SearchResult:
    given = spaces.context("collm_nas", SPACE, budget=budget, limit=limit, client=client, **options)
    given = replace(given, score_name="validation accuracy")
    return run_search(COLLM.build(given), given, score)


@pytest.mark.parametrize("navigator", [True, False])
@pytest.mark.parametrize("generator", [True, False])
def test_each_role_remembers_as_its_cell_says(navigator: bool, generator: bool) -> None:
    client = Listener()
    searched(client, navigator_memory=navigator, generator_memory=generator)
    assert [len(sent) for sent in client.navigator] == ([2, 4, 6, 8, 10] if navigator else [2] * 5)
    assert [len(sent) for sent in client.generator] == ([2, 4, 6, 8, 10] if generator else [2] * 5)


def test_the_generator_sees_the_strategy_and_no_result() -> None:
    client = Listener(strategies=["first", "second", "third"])
    searched(client)
    told = [sent[-1]["content"] for sent in client.generator]
    assert "first" in told[0]
    assert "second" in told[1]
    assert not re.search(r"0\.5\d\d\d", "".join(told))


def test_the_navigator_sees_the_last_batch_and_the_best() -> None:
    client = Listener()
    result = searched(client)
    told = client.navigator[1][-1]["content"]
    for one in result.history[:10]:
        assert json.dumps(SPACE.to_json(one.architecture), separators=(",", ":")) in told
        assert f"{one.score:.4f}" in told
    best = max(result.history[:10], key=lambda one: one.score or 0)
    assert f"Best so far: {json.dumps(SPACE.to_json(best.architecture), separators=(',', ':'))}" in told


def test_one_model_can_play_both_roles() -> None:
    client = Listener()
    result = searched(client, single=True)
    assert not client.navigator
    assert len(client.generator) == 5
    assert "reflect" in client.generator[0][-1]["content"]
    assert f"{result.history[0].score:.4f}" in client.generator[1][-1]["content"]
    assert result.report["settings"]["generator_used"] == "SingleModel"


def test_shuffled_feedback_permutes_scores_within_a_batch() -> None:
    client = Listener()
    result = searched(client, feedback="shuffled")
    told = client.navigator[1][-1]["content"].partition("Best so far")[0]
    shown = re.findall(r"(\{.*?\}), \d+, (0\.\d{4})", told)
    true = [
        (json.dumps(SPACE.to_json(one.architecture), separators=(",", ":")), f"{one.score:.4f}")
        for one in result.history[:10]
    ]
    assert sorted(value for _, value in shown) == sorted(value for _, value in true)
    assert [name for name, _ in shown] == [name for name, _ in true]
    assert shown != true
    assert result.best.score == max(one.score or 0 for one in result.history)


def test_without_feedback_no_score_is_told() -> None:
    client = Listener()
    searched(client, feedback="none")
    assert not re.search(r"0\.5\d\d\d", client.all_text)
    assert "not told" in client.all_text


def test_an_anonymous_space_names_no_operation_and_no_benchmark() -> None:
    client = Listener()
    result = searched(client, names="anonymous")
    assert len(result.history) == 50
    text = client.all_text.lower()
    words = ("conv", "skip", "pool", "none_", "nas-bench", "nasbench", "node", "edge", "|", "~")
    assert not [word for word in words if word in text]


@pytest.mark.parametrize("name", ["nasbench201", "hybrid"])
def test_an_anonymous_architecture_reads_back(name: str) -> None:
    family = catalog.load("space", name)
    space = family.space("micro")
    hidden = AnonymousSpace(space)
    for genes in (space.default(), space.neighbours(space.default())[0]):
        assert hidden.from_json(hidden.to_json(genes)) == genes


@pytest.mark.parametrize("value", [{}, {"x": []}, {"x": ["A"] * 7}, {"x": ["Z"] * 6}, {"ops": ["A"] * 6}])
def test_a_wrong_anonymous_architecture_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(HarnessError):
        AnonymousSpace(SPACE).from_json(value)


def test_what_is_over_the_limit_is_evaluated_told_and_never_chosen() -> None:
    limit = Limit(cost="macs", value=60_000_000)
    client = Listener()
    result = searched(client, limit=limit)
    over = [one for one in result.history if one.macs > limit.value]
    assert over
    assert result.report["counters"]["over_limit"] == len(over)
    assert "over the limit" in client.all_text
    assert "at most 60000000 macs" in client.all_text
    assert result.best.macs <= limit.value


def test_an_empty_strategy_leaves_the_last_one_standing() -> None:
    client = Listener(strategies=["first", "<think>cut", "third"])
    result = searched(client, budget=30, batch=10)
    told = [sent[-1]["content"] for sent in client.generator]
    assert "first" in told[1]
    assert "cut" not in "".join(told)
    assert result.report["counters"]["empty strategy"] == 1


def test_what_a_batch_has_beyond_the_budget_is_kept_and_counted() -> None:
    result = searched(Listener(batch=8), budget=50, batch=8)
    assert len(result.history) == 50
    assert result.report["counters"]["kept for the next batch"] == 6
    assert result.report["counters"]["evaluated"] == 50


def test_proposals_beyond_a_batch_are_evaluated_next_and_asked_for_once() -> None:
    client = Listener(batch=25)
    result = searched(client, budget=50, batch=10)
    assert len(result.history) == 50
    assert len(client.generator) == 2, "fifty proposals are two replies"
    told = [line for sent in client.navigator[1:] for line in sent[-1]["content"].splitlines()]
    shown = [one for one in result.history if any(canonical(one) in line for line in told)]
    assert len(shown) == 20, "the Navigator hears of every batch since it last spoke"


def canonical(one: Evaluation) -> str:
    return canonical_json(SPACE.to_json(one.architecture))


@pytest.mark.parametrize(("patience", "spent", "stopped"), [(5, 6, "empty"), (100, 7, "iterations")])
def test_batches_without_anything_new_cost_iterations_and_end_a_search(
    patience: int, spent: int, stopped: str
) -> None:
    client = ScriptedClient(["strategy", json.dumps(SPACE.to_json(SPACE.default()))])
    result = searched(client, iterations=7, patience=patience)
    assert len(result.history) == 1
    assert len(result.report["iterations"]) == spent
    assert result.report["counters"]["dropped: repeated"] == spent - 1
    assert result.stopped == stopped


WINDOWED = spaces.named("hybrid:micro", tolerance=0.05)


class Wild(Listener):
    """Proposes valid JSON of random genes, of which a window of five per cent leaves few."""

    def __init__(self) -> None:
        super().__init__()
        self.draw = random.Random(0)

    def architectures(self, *, anonymous: bool) -> str:
        genes = ([self.draw.randrange(len(one.options)) for one in WINDOWED.choices] for _ in range(10))
        return json.dumps({"architectures": [WINDOWED.to_json(WINDOWED.canonical(one)) for one in genes]})


def test_a_model_that_does_not_hit_a_window_spends_its_whole_budget_on_repairs() -> None:
    context = SearchContext(space=WINDOWED, seed=0, budget=40, options={}, client=Wild())
    result = run_search(COLLM.build(context), context, lambda one: float(sum(one)))
    assert len(result.history) == 40
    assert all(map(WINDOWED.legal, (one.architecture for one in result.history)))
    counters = result.report["counters"]
    assert counters["repaired"] > 4 * counters["legal"], "random JSON is rarely within the window"
    assert 1 <= counters["choices changed by repairs"] / counters["repaired"] <= 4
    said = [sent[0]["content"] for sent in (*context.client.navigator, *context.client.generator)]
    low, high = WINDOWED.window or (0, 0)
    assert all(f"from {low} to {high} parameters" in one for one in said)


def test_other_prompts_have_another_hash_and_the_same_facts() -> None:
    first, second = Listener(), Listener()
    hashes = {
        searched(first).report["prompt_hash"],
        searched(second, prompts="collm_nas_rephrased").report["prompt_hash"],
    }
    assert len(hashes) == 2
    for text in (first.all_text, second.all_text):
        assert SPACE.card() in text
        assert "validation accuracy" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": "nowhere"}, r"lacks generator_system.txt.*there are: collm_nas"),
        ({"generator": "letters"}, "needs the embedded model"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        searched(Listener(), **options)


@pytest.mark.parametrize(("gene", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (701, "ZZ")])
def test_letters_go_on_after_z(gene: int, name: str) -> None:
    assert letter(gene) == name


def test_anonymous_letters_have_no_legend() -> None:
    history = [Evaluation(architecture=SPACE.default(), score=0.5, parameters=1, macs=1, iteration=0)]
    assert "nor_conv" in decoding_prompt(SPACE, "", history, examples=6, order=range(6))
    assert "nor_conv" not in decoding_prompt(AnonymousSpace(SPACE), "", history, examples=6, order=range(6))


@pytest.mark.parametrize("name", catalog.names("space"))
def test_letters_spend_the_whole_budget_on_every_space(name: str) -> None:
    family = catalog.load("space", name)
    preset = next((one for one in family.presets if one.startswith("micro")), family.default_preset)
    for signature in (one for one in SIGNATURES if one.kind in family.kinds):
        space = family.space(preset) if preset == family.default_preset else family.space(preset, signature)
        budget = min(30, space.size())
        # raises on what is illegal or repeated
        result = spaces.searched(
            "collm_nas", space, lambda one: float(sum(one)), seed=3, budget=budget, client=ScriptedClient()
        )
        assert len(result.history) == budget
        counters = result.report["counters"]
        assert counters["proposed"] == counters["legal"] == counters["new"]
