"""What every space promises, on all shipped ones, and what follows from any declaration.

Truth: enumeration, built modules and torch's counter. The counter sees convolutions, linear layers without
their biases, and the products of attention; what a space's convention counts beyond that stands in `_unseen`.
"""

import random
import time
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spaces import inputs, named, stirred
from torch import nn

from harness import catalog
from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.counts import KERNEL, inner_width
from harness.nn.measure import measured_macs
from harness.space.choices import SearchSpace, SpaceFamily
from harness.space.form import Choice, ChoiceList, Form
from harness.space.networks import Networks
from harness.task.signature import Signature

NAMES = (
    "autoformer",
    "decoder",
    "hybrid",
    "mobilenet",
    "nasbench201",
    "nasbench_macro",
    "nats_size",
    "shufflenet",
    "transnas_micro",
)
CELLS = ("nasbench201", "transnas_micro", "nats_size")
"""Spaces that count the bias of the classifier."""
LEADING = ("autoformer", "decoder", "hybrid", "nats_size")
"""Spaces whose slices are the leading parts of the supernet's tensors."""
SIGNATURES = (
    Signature(kind="image", classes=10),
    Signature(kind="image", classes=7, channels=3, height=33, width=46),
    Signature(kind="image", classes=5, channels=2, height=35, width=21),
    Signature(kind="bytes", classes=256),
    Signature(kind="bytes", classes=256, context=100),
    Signature(kind="text", classes=4),
)


FAMILIES: dict[str, SpaceFamily] = {name: catalog.load("space", name) for name in NAMES}


def small() -> dict[str, SearchSpace]:
    """Returns all micro presets on all signatures that they read; hybrids want images of whole patches."""
    found = {}
    for name, family in FAMILIES.items():
        for preset in (one for one in family.presets if one.startswith("micro")):
            for signature in SIGNATURES:
                if signature.kind in family.kinds and (name != "hybrid" or signature.height % 4 == 0):
                    space = family.space(preset, signature)
                    shape = (signature.kind, signature.height, signature.context)
                    found[f"{space.name}-{'-'.join(map(str, shape))}"] = space
    found["autoformer: not relative"] = named("autoformer:micro", relative=False)
    found["decoder: tied"] = named("decoder:micro", tied=True)
    return found


SMALL = small()
ALL = SMALL | {
    f"{name}:{preset}": family.space(preset)
    for name, family in FAMILIES.items()
    for preset in family.presets
    if not preset.startswith("micro")
}


def _unseen(space: SearchSpace, form: dict[str, Any]) -> int:
    """Returns the MACs of a convention that torch's counter cannot see."""
    if space.name.partition(":")[0] in CELLS:
        return space.signature.classes
    if not space.name.startswith("hybrid"):
        return 0
    tokens = space.signature.context
    if space.signature.kind == "image":
        tokens = (space.signature.height // 4) * (space.signature.width // 4)
    # Shift-and-add kernels are not matrix products.
    return form["mixers"].count("convolution") * KERNEL * inner_width("convolution", form["width"]) * tokens


@pytest.mark.parametrize("count", [3, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ALL)
def test_closed_forms_equal_the_built_module(name: str, count: int) -> None:
    space = ALL[name]
    draw = random.Random(1)
    for drawn in [space.default(), *(space.sample(draw) for _ in range(count))]:
        # The counter does not see what `none` cuts off, which is counted.
        is_cell = space.name.startswith(("nasbench201", "transnas"))
        architecture = tuple(gene or 1 for gene in drawn) if is_cell else drawn
        with torch.device("meta"):
            module = space.networks.build(architecture).eval()
        assert sum(weight.numel() for weight in module.parameters()) == space.parameters(architecture)
        unseen = _unseen(space, space.to_json(architecture))
        assert measured_macs(module, space.signature) + unseen == space.macs(architecture)


@pytest.mark.parametrize("trains", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", SMALL)
def test_a_slice_equals_the_stand_alone_module(name: str, trains: bool) -> None:
    space = SMALL[name]
    draw = random.Random(0)
    pixels = inputs(space.signature)
    with seeded(0), torch.inference_mode():
        supernet = stirred(space, 0.02).train(trains)
        for _ in range(12):
            architecture = space.sample(draw)
            alone = space.networks.slice(supernet, architecture)
            assert alone.training == trains
            there = supernet(pixels, space.networks.route(architecture))
            torch.testing.assert_close(alone(pixels), there, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", [one for one in SMALL if one.startswith(LEADING)])
def test_gradients_reach_only_the_slice(name: str) -> None:
    space = SMALL[name]
    with seeded(0):
        supernet = stirred(space, 0.02)
        architecture = space.sample(random.Random(2))
        alone = dict(space.networks.build(architecture).named_parameters())
    pixels = inputs(space.signature)
    supernet(pixels, space.networks.route(architecture)).square().sum().backward()
    for weight_name, weight in supernet.named_parameters():
        if weight_name not in alone:
            assert weight.grad is None or not weight.grad.any(), weight_name
            continue
        assert weight.grad is not None, weight_name
        inside = weight.grad[tuple(slice(0, length) for length in alone[weight_name].shape)]
        assert inside.any(), weight_name
        assert weight.grad.count_nonzero() == inside.count_nonzero(), weight_name


@pytest.mark.parametrize("name", ["hybrid", "decoder", "llama"])
def test_no_token_sees_a_later_one(name: str) -> None:
    signature, draw = Signature(kind="bytes", classes=256), random.Random(4)
    early = torch.full((1, 64), 65)
    late = early.clone()
    late[:, 40:] = 66
    for _ in range(1 if name == "llama" else 20):
        with seeded(0), torch.inference_mode():
            if name == "llama":
                module = catalog.load("baseline", name).build(signature, 20_000)
            else:
                space = FAMILIES[name].space("micro", signature)
                module = space.networks.build(space.sample(draw))
            before, after = module(early), module(late)
            torch.testing.assert_close(before[:, :40], after[:, :40], atol=1e-5, rtol=0)
            assert not torch.allclose(before[:, 40:], after[:, 40:], atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_another_module_is_no_supernet(name: str) -> None:
    space = FAMILIES[name].space("micro")
    with pytest.raises(TypeError, match=f"Linear is not a supernet of {name}:micro"):
        space.networks.slice(nn.Linear(1, 1), space.default())


@given(seed=st.integers(0, 2**32), name=st.sampled_from(list(ALL)), is_matched=st.booleans())
@settings(max_examples=60)
def test_moves_stay_legal_and_json_reads_back(seed: int, name: str, is_matched: bool) -> None:
    space = ALL[name]
    if is_matched and name in SMALL:
        space = named(space.name, space.signature, tolerance=0.1)
    draw = random.Random(seed)
    drawn = space.sample(draw)
    moved = [] if space.window else space.neighbours(drawn)[:3]
    for architecture in [drawn, *moved]:
        assert space.legal(architecture)
        assert space.from_json(space.to_json(architecture)) == architecture


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    """Returns whether a value is of a JSON schema, as far as the words of spaces go."""
    if "enum" in schema:
        return value in schema["enum"] and not isinstance(value, bool)
    if schema["type"] == "boolean":
        return isinstance(value, bool)
    if schema["type"] == "array":
        is_long = isinstance(value, list) and schema["minItems"] <= len(value) <= schema["maxItems"]
        return is_long and all(_fits(item, schema["items"]) for item in value)
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    known = schema["properties"]
    return set(schema["required"]) == set(value) == set(known) and all(
        _fits(item, known[key]) for key, item in value.items()
    )


@pytest.mark.parametrize("name", ALL)
def test_the_schema_takes_architectures_and_nothing_else(name: str) -> None:
    schema, draw = ALL[name].json_schema(), random.Random(3)
    for form in (ALL[name].to_json(ALL[name].sample(draw)) for _ in range(20)):
        assert _fits(form, schema)
        assert not _fits(form | {"other": 1}, schema)
        for key in form:
            assert not _fits({other: form[other] for other in form if other != key}, schema)
            assert not _fits(form | {key: "x"}, schema)
            assert not _fits(form | {key: ["x"] * len(str(form[key]))}, schema)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("autoformer:micro", 3 * (9**2 + 9**3 + 9**4)),
        ("hybrid:micro-attention", 3 * (5**2 + 5**3 + 5**4)),
        ("nasbench201:micro", 15_625),
        ("nasbench_macro:micro", 6561),
        ("nats_size:micro", 32_768),
        ("shufflenet:micro", 4**6),
        ("transnas_micro:micro", 4096),
    ],
)
def test_size_equals_enumeration(name: str, size: int) -> None:
    space = named(name)
    assert space.size() == sum(1 for _ in space.enumerate()) == size


@pytest.mark.parametrize("name", ["autoformer:base-paper", "decoder:gpt-l", "mobilenet:w1.2"])
def test_counting_a_thousand_networks_takes_well_under_a_second(name: str) -> None:
    space, draw = ALL[name], random.Random(4)
    drawn = [space.sample(draw) for _ in range(1000)]
    started = time.process_time()
    for architecture in drawn:
        space.parameters(architecture)
        space.macs(architecture)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("name", ALL)
def test_the_card_names_every_part_its_options_and_an_example(name: str) -> None:
    space = ALL[name]
    card = space.card()
    for key in space.to_json(space.default()):
        assert f'"{key}":' in card
        assert f"\n{key} (" in card
    for choice in space.choices:
        shown = "true or false" if choice.name == "bias" else str(list(choice.options))
        assert len(choice.options) > 10 or shown in card


def test_a_supernet_by_name_trains_the_slice_and_its_statistics_alone() -> None:
    def build(architecture: tuple[int, ...]) -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, architecture[0], 3), nn.BatchNorm2d(architecture[0]))

    networks = Networks.by_name("made", build, (4,))
    with seeded(0):
        supernet = networks.supernet().train()
        pixels = torch.randn(8, 1, 5, 5)
    alone = networks.slice(supernet, (2,)).train()
    output = supernet(pixels, networks.route((2,)))
    torch.testing.assert_close(output, alone(pixels), atol=0, rtol=0)
    output.square().sum().backward()
    gradient, mean = (
        supernet.get_parameter("whole.0.weight").grad,
        supernet.get_buffer("whole.1.running_mean"),
    )
    assert gradient[:2].all()
    assert not gradient[2:].any()
    assert torch.equal(mean[:2], alone.get_buffer("1.running_mean"))
    assert not mean[2:].any()
    assert supernet(pixels).shape == (8, 4, 3, 3)


class Ladder(SearchSpace):
    """Global choices, lists as long as one of them says, and groups as long as another list says."""

    def __init__(self) -> None:
        super().__init__(
            "ladder",
            SIGNATURES[0],
            None,
            parts=(
                Choice(name="width", options=(8, 16), meaning="channels"),
                Choice(name="bias", options=(True, False), meaning="biases"),
                Choice(name="depth", options=(1, 3), meaning="layers"),
                ChoiceList(name="mixer", options=("a", "bee"), meaning="of layer {}", length="depth"),
                ChoiceList(name="blocks", options=(0, 2), meaning=("first", "second"), length=2),
                ChoiceList(
                    name="kernel", key="kernels", options=(1.5, 3), meaning="of block {}", length="blocks"
                ),
                ChoiceList(name="norm", options=("layer",), meaning="of layer {}", length="depth"),
            ),
            default={"width": 8, "bias": True, "depth": 1, "mixer": "bee", "blocks": [2, 0], "kernels": 3},
            about="A ladder.",
        )

    def parameters(self, architecture: tuple[int, ...]) -> int:
        return sum(architecture)

    macs = parameters


LADDER = Ladder()
FORM = {
    "width": 8,
    "bias": True,
    "depth": 1,
    "mixer": ["bee"],
    "blocks": [2, 0],
    "kernels": [3, 3, 1.5, 1.5],
    "norm": ["layer"],
}


def test_a_declaration_gives_genes_activity_and_a_form() -> None:
    names = ["width", "bias", "depth", "mixer[0]", "mixer[1]", "mixer[2]", "blocks[0]", "blocks[1]"]
    names += [f"kernel[{index}]" for index in range(4)]
    assert [choice.name for choice in LADDER.choices] == names
    assert LADDER.default() == (0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0)
    idle = {"mixer[1]", "mixer[2]", "kernel[2]", "kernel[3]"}
    assert LADDER.active(LADDER.default()) == tuple(name not in idle for name in names)
    assert LADDER.canonical((1,) * 6 + (0, 1) + (1,) * 4) == (1,) * 6 + (0, 1, 0, 0, 1, 1)
    assert LADDER.to_json(LADDER.default()) == FORM
    assert LADDER.from_json(FORM | {"kernels": (3, 3, "idle", None)}) == LADDER.default()
    assert LADDER.stages() == [(0,), (1,), (2,), (3, 4, 5), (6, 7), (8, 9, 10, 11)]
    assert LADDER.size() == sum(1 for _ in LADDER.enumerate()) == 2 * 2 * (2 + 2**3) * (1 + 2**2) ** 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 9}, r"has width 9; give one of \[8, 16\]\.$"),
        ({"width": [8]}, r"has width \[8\]; give"),
        ({"width": "8"}, "has width '8'; give"),
        ({"bias": 1}, "has bias 1; give true or false"),
        ({"depth": True}, r"has depth True; give one of \[1, 3\]"),
        ({"depth": 3}, "has 1 items in mixer; give a list of 3 names, as depth is 3"),
        ({"mixer": "bee"}, "has mixer 'bee'; give a list of 1 names, as depth is 1"),
        ({"mixer": ["be"]}, r"mixer\[0\] 'be'; give one of \['a', 'bee'\] \(did you mean bee\?\)"),
        ({"mixer": [["a"]]}, r"mixer\[0\] \['a'\]; give one of"),
        ({"blocks": [2]}, "has 1 items in blocks; give a list of 2 numbers"),
        ({"blocks": [False, 0]}, r"blocks\[0\] False"),
        ({"kernels": [3, 3, 3]}, "has 3 items in kernels; give a list of 4 numbers"),
        ({"kernels": [3, 5, 3, 3]}, r"kernels\[1\] 5; give one of \[1.5, 3\]"),
        ({"norm": ["batch"]}, r"norm\[0\] 'batch'; give one of \['layer'\]"),
        ({"kernel": [3] * 4}, "has the key 'kernel'; give kernels"),
        ({"other": 1}, "has the key 'other'; give width, bias, depth, mixer, blocks, kernels, norm"),
    ],
)
def test_a_wrong_form_is_told_in_one_sentence(change: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=f"An architecture of ladder .*{message}"):
        LADDER.from_json(FORM | change)


def test_what_is_no_form_is_told() -> None:
    with pytest.raises(HarnessError, match="lacks width and norm"):
        LADDER.from_json({key: value for key, value in FORM.items() if key not in ("width", "norm")})
    with pytest.raises(HarnessError, match="is no list; give an object with width, bias"):
        LADDER.from_json([1])
    with pytest.raises(HarnessError, match="Space ladder has no texts of its own"):
        LADDER.from_json("1:2")
    with pytest.raises(HarnessError, match="r 226; give 128 to 224 in steps of 4"):
        named("mobilenet:w1.0").from_json({"r": 226, "d": [2] * 5, "ks": [3] * 20, "e": [3] * 20})


@pytest.mark.parametrize(
    ("last", "message"),
    [
        (ChoiceList(name="y", options=(1, 2), meaning="of {}", length="depth"), "no earlier part"),
        (ChoiceList(name="y", options=(1, 2), meaning="of {}", length="kernel"), "no earlier part"),
        (ChoiceList(name="x", options=(1, 2), meaning="of {}", length=2), "'x' is declared twice"),
        (Choice(name="y", options=(), meaning="nothing"), "'y' has no options"),
    ],
)
def test_a_wrong_declaration_is_refused(last: Choice | ChoiceList, message: str) -> None:
    first = Choice(name="x", options=(1, 2), meaning="layers")
    kernels = ChoiceList(name="kernel", options=(1, 2), meaning="of {}", length="x")
    with pytest.raises(ValueError, match=message):
        Form("wrong", [first, kernels, last])


@st.composite
def declarations(draw: st.DrawFn) -> SearchSpace:
    lengths = st.lists(st.integers(0, 2), min_size=2, max_size=2, unique=True).map(tuple)
    options = st.integers(1, 2).map(lambda count: tuple("abc"[:count]))
    is_list = draw(st.booleans())
    first: Choice | ChoiceList = Choice(name="length", options=draw(lengths), meaning="items")
    if is_list:
        first = ChoiceList(name="length", options=draw(lengths), meaning="items of {}", length=2)
    lists = [
        ChoiceList(name=name, options=draw(options), meaning="of {}", length=length)
        for name in "xy"
        for length in ["length" if draw(st.booleans()) else draw(st.integers(0, 2))]
    ]
    space = Ladder()
    space.form = Form("made", [first, *lists])
    space.choices = space.form.choices
    return space


@given(space=declarations())
@settings(max_examples=100)
def test_any_declaration_has_its_size_and_reads_back(space: SearchSpace) -> None:
    everything = list(space.enumerate())
    assert len(everything) == space.size()
    forms = [space.to_json(one) for one in everything]
    assert [space.from_json(form) for form in forms] == everything
    assert len({str(form) for form in forms}) == len(everything)
