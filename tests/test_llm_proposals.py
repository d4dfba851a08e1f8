"""Reading what a model wrote. Truth: replies as files whose meaning is known, and properties of any text."""

import json
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_server import hybrid
from spaces import named

from harness.errors import HarnessError
from harness.search.llm.mending import MOST_SPELLINGS, Words
from harness.search.llm.proposals import read_proposals
from harness.space.choices import SearchSpace
from harness.space.form import Architecture, Choice, ChoiceList
from harness.task.signature import Signature

REPLIES = Path(__file__).parent / "cases" / "replies"
READ = sorted(path.stem for path in REPLIES.glob("*.txt") if not path.stem.startswith("lost_"))
FIRST = (3, 1, 2, 4, 0, 3)
SECOND = (3, 3, 3, 1, 0, 2)


class NestedSpace(SearchSpace):
    """A stem and a body, each an object of its own; from_json is careless, as a user's may be."""

    def __init__(self) -> None:
        stem = Choice(name="stem", options=(8, 16, 1.5), meaning="width")
        body = ChoiceList(name="x", options=("red", "green"), meaning="x", length=3)
        super().__init__(
            "nested",
            Signature(kind="image", classes=2),
            None,
            parts=(stem, body),
            default={"stem": 8, "x": "red"},
            about="",
        )

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True, True, True, architecture[0] > 0)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        names = [self.choices[1].options[gene] for gene in architecture[1:]]
        return {"stem": {"width": self.choices[0].options[architecture[0]]}, "body": {"x": names}}

    def from_json(self, value: Any) -> Architecture:
        colours = [self.choices[1].options.index(one) for one in value["body"]["x"]]
        return self.canonical([self.choices[0].options.index(value["stem"]["width"]), *colours])

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object"}

    def parameters(self, architecture: Architecture) -> int:
        return sum(architecture)

    def macs(self, architecture: Architecture) -> int:
        return sum(architecture)


class NumberSpace(NestedSpace):
    """Five numbers in one list, without a schema; from_json takes what compares equal, 1.0 and True too."""

    def __init__(self) -> None:
        numbers = ChoiceList(name="x", options=(0, 1, 2, 3), meaning="a number", length=5)
        signature = Signature(kind="image", classes=2)
        SearchSpace.__init__(self, "numbers", signature, None, parts=[numbers], default={"x": 1}, about="")

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True, True, True, True, architecture[0] > 0)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"x": list(architecture)}

    def from_json(self, value: Any) -> Architecture:
        if set(value) != {"x"} or len(value["x"]) != 5 or not set(value["x"]) <= {0, 1, 2, 3}:
            raise HarnessError("not in the space")
        return self.canonical(value["x"])


def cell() -> SearchSpace:
    return named("nasbench201:cifar100")


def spaces() -> list[SearchSpace]:
    return [cell(), hybrid(), NestedSpace(), NumberSpace()]


@pytest.mark.parametrize("name", READ)
def test_a_reply_is_read_in_every_form_that_models_write(name: str) -> None:
    proposals = read_proposals((REPLIES / f"{name}.txt").read_text(), cell())
    assert proposals.architectures == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("name", "proposed", "dropped"),
    [
        ("other_operations", 3, {"not in the space": 3}),
        ("ambiguous", 3, {"not in the space": 3}),
        ("wrong_length", 3, {"not in the space": 3}),
        ("refusal", 0, {"no architecture in the text": 1}),
        ("endless_reasoning", 0, {"empty reply": 1}),
    ],
)
def test_what_is_lost_is_counted_with_its_reason(name: str, proposed: int, dropped: dict[str, int]) -> None:
    proposals = read_proposals((REPLIES / f"lost_{name}.txt").read_text(), cell())
    assert proposals == (proposed, [], dropped)


def test_a_form_of_nested_objects_is_read_whole() -> None:
    space = NestedSpace()
    wanted = [(1, 0, 1, 1), (2, 1, 1, 1), (0, 1, 0, 0)]
    batch = [space.to_json(one) for one in wanted]
    for text in (json.dumps(batch), json.dumps({"a": {"b": batch}}), "\n".join(map(json.dumps, batch))):
        assert read_proposals(text, space).architectures == wanted


@pytest.mark.parametrize("widths", ['"width": 9', '"width": 8, "width": 16'])
def test_a_nested_form_with_one_wrong_option_or_a_key_given_twice_is_one_loss(widths: str) -> None:
    wrong = f'[{{"stem": {{{widths}}}, "body": {{"x": ["red", "green", "red"]}}}}]'
    assert read_proposals(wrong, NestedSpace()) == (1, [], {"wrong types": 1})


@pytest.mark.parametrize("value", ["[1.0, 1, 1, 1, 1]", "[true, 1, 1, 1, 1]", "[1e0, 1, 1, 1, 1]"])
def test_a_gene_that_only_compares_equal_to_an_index_is_not_let_through(value: str) -> None:
    assert read_proposals(f'{{"x": {value}}}', NumberSpace()).architectures == []


def test_true_is_not_an_option_of_one() -> None:
    design = {"width": 48, "depth": 2, "mixers": ["local"] * 2, "mlp_ratio": [1.0] * 2}
    assert len(read_proposals(json.dumps(design), hybrid()).architectures) == 1
    assert read_proposals(json.dumps(design | {"mlp_ratio": [True] * 2}), hybrid()).architectures == []


def test_numbers_in_a_bare_list_are_an_architecture_of_a_space_of_one_list() -> None:
    assert read_proposals('so: [1, "2", 3, 0, 0]', NumberSpace()).architectures == [(1, 2, 3, 0, 0)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("locall", "local"),
        ("Attention", "attention"),
        ("recurrance", "recurrence"),
        ("conv", "convolution"),
        ("lin", None),
        ("near", None),
        ("attention_local", None),
        ("max_pooling_2d", None),
        ("x" * 100_000, None),
    ],
)
def test_a_near_miss_is_taken_where_it_can_mean_one_word_alone(written: str, meant: str | None) -> None:
    families = ["attention", "local", "linear", "convolution", "recurrence", "pooling"]
    assert Words(families).near(written) == meant


def test_no_more_words_are_compared_than_a_reply_may_hold() -> None:
    words = Words(["attention"])
    assert [words.near(word) for word in WORDS] == [None] * len(WORDS)
    assert len(words._cache) == MOST_SPELLINGS < len(WORDS)
    assert words.near("attention") == "attention"


def test_more_proposals_than_a_reply_may_hold_are_counted() -> None:
    batch = [{"ops": ["none"] * 6}] * 1000
    proposals = read_proposals(json.dumps(batch), cell())
    assert len(proposals.architectures) == 200
    assert proposals.dropped == {"beyond the most proposals of a reply": 800}


def distinct(length: int) -> list[str]:
    draw = random.Random(length)
    return ["".join(draw.choices("convlutinrecs_", k=length)) for _ in range(200_000 // (length + 4))]


WORDS = distinct(9)

HOSTILE = {
    "a number of 5,000 digits": '[{"ops": [' + "9" * 5000 + "]}]",
    "a number of 4,000 digits": '[{"ops": [' + "9" * 4000 + "]}]",
    "ten megabytes": "[" * 10_000_000,
    "10,000 levels": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "10,000 levels that end": '{"a": 1}' + "[" * 10_000 + "]" * 10_000,
    "infinite": '[{"ops": [1e999, -1e999, Infinity, NaN]}]',
    "halves of letters": '[{"ops": ["\\ud800", "\ud800", "\\u0000", "\x00"]}]',
    "a depth of a billion": '{"width": 48, "depth": 1000000000, "mixers": ["local"], "mlp_ratio": [2.0]}',
    "other words": json.dumps([{"ops": WORDS[at : at + 6]} for at in range(0, 12_000, 6)]),
    "other keys": json.dumps([{word: 1} for word in WORDS]),
    "long words": json.dumps([" ".join(WORDS[at : at + 39]) for at in range(0, 15_000, 39)]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_counted_in_little_time(name: str) -> None:
    for space in spaces():
        start = time.process_time()
        proposals = read_proposals(HOSTILE[name], space)
        assert time.process_time() - start < 2
        assert proposals.architectures == []
        assert sum(proposals.dropped.values()) >= 1


def test_a_proposal_that_gives_a_key_twice_is_one_loss() -> None:
    good = cell().to_json(FIRST)
    twice = json.dumps(good)[:-1] + ', "ops": ["none", "none", "none", "none", "none", "none"]}'
    text = f"[{twice}, {json.dumps(good)}]"
    assert read_proposals(text, cell()) == (2, [FIRST], {"a key given twice": 1})


def test_a_wrapping_that_gives_a_key_twice_loses_nothing() -> None:
    one, other = (json.dumps([cell().to_json(genes)]) for genes in (FIRST, SECOND))
    text = f'{{"architectures": {one}, "architectures": {other}}}'
    assert read_proposals(text, cell()).architectures == [FIRST, SECOND]


def test_a_key_in_letters_that_look_the_same_stands_for_none() -> None:
    design = {"width": 48, "depth": 2, "mixers": ["local"] * 2, "mlp_ratio": [2.0] * 2}
    plain = hybrid().from_json(design)
    assert read_proposals(
        json.dumps({"w\u0456dth": 8, "d\u0435pth": 9, **design}), hybrid()
    ).architectures == [plain]
    lookalike = {"w\u0456dth": 48, **{key: value for key, value in design.items() if key != "width"}}
    assert read_proposals(json.dumps(lookalike), hybrid()).dropped == {"not in the space": 1}


UNITS = ["/*", "//", "[", "[1,", '["', "['", '{"a":', "{a", '[{"ops":', ",  ", "|none~0", "'a' ", "[1,2 "]
UNITS += ['{"a":1 ', '{"ops":["x"]}', "]", "<think>", "9", "\\", "\ud800", "\u2028", '"//']


@pytest.mark.parametrize("unit", UNITS)
def test_no_text_takes_long(unit: str) -> None:
    text = unit * (200_000 // len(unit))
    for space in (cell(), hybrid()):
        start = time.process_time()
        read_proposals("{" + text, space)
        assert time.process_time() - start < 2


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["none", "local", "red", "ops", "1", 48, 3, 2.0, 10**400, "9" * 5000]),
    lambda inner: st.lists(inner, max_size=6)
    | st.dictionaries(st.sampled_from(["ops", "width", "x", "stem", "body", "a"]), inner, max_size=4),
    max_leaves=30,
)  # fmt: skip


ODD = ["", "[" * 2000, "9" * 5000, "1e999", "-", "NaN", '"ops": [],', "\u043e", "\x00", "\u202e", "\ud83d"]
ODD += ["'", '"', "}", "//", "null"]


def mutated(text: str, seed: int) -> str:
    """Returns the text after some slips: characters lost, doubled, swapped, nested deep, or made strange."""
    draw = random.Random(seed)
    for _ in range(draw.randrange(6)):
        at = draw.randrange(len(text) + 1)
        other = draw.randrange(len(text) + 1)
        odd = draw.choice(ODD)
        text = draw.choice(
            [text[:at] + odd + text[at:], text[:at] + text[at + 1 :], text[:at] + text[other:], text[:at]]
        )
    return text


@st.composite
def replies(draw: st.DrawFn) -> tuple[str, SearchSpace]:
    """Draws a space and a text: any, JSON of any shape, or a valid batch that was damaged."""
    space = draw(st.sampled_from(SPACES))
    kind = draw(st.sampled_from(["text", "json", "batch"]))
    if kind == "text":
        alphabet = st.characters() | st.sampled_from("[]{}\"':,|~+0123nor_convopswidth")
        return draw(st.text(alphabet=alphabet, max_size=300)), space
    if kind == "json":
        text = json.dumps(draw(JSON), ensure_ascii=draw(st.booleans()))
        return text.replace('"a"', draw(st.sampled_from(['"a"', "9" * 5000, "1e999", '"ops"']))), space
    seed = draw(st.integers(0, 2**32))
    chosen = random.Random(seed)
    batch = [space.to_json(space.sample(chosen)) for _ in range(3)]
    return mutated(json.dumps({"architectures": batch}), seed), space


SPACES: list[SearchSpace] = []


@pytest.fixture(autouse=True, scope="module")
def loaded(toy_catalog: None) -> None:
    SPACES[:] = spaces()


def check(reply: tuple[str, SearchSpace]) -> None:
    text, space = reply
    proposals = read_proposals(text, space)
    for one in proposals.architectures:
        assert space.canonical(one) == one
        assert space.from_json(space.to_json(one)) == one
        assert all(
            type(gene) is int and 0 <= gene < len(choice.options)
            for gene, choice in zip(one, space.choices, strict=True)
        )
    lost = sum(proposals.dropped.values())
    assert len(proposals.architectures) + lost >= max(1, proposals.proposed)


LAZY = st.deferred(replies)


@given(reply=LAZY)
@settings(max_examples=500)
def test_any_text_is_read_without_an_error_and_gives_only_what_is_in_the_space(
    reply: tuple[str, SearchSpace],
) -> None:
    check(reply)


@pytest.mark.slow
@given(reply=LAZY)
@settings(max_examples=10_000)
def test_ten_thousand_texts_are_read_without_an_error(reply: tuple[str, SearchSpace]) -> None:
    check(reply)
