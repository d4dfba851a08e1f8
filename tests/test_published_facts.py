"""What the papers print of the spaces: counts, sizes, options, frames and texts of architectures.

Truth: the papers' numbers and tables of options, their closed forms written out once more, measured
sub-networks, and the counts of NAS-Bench-201 for the same cells.
"""

import random
from typing import Any

import published
import pytest
import torch
from spaces import named

from harness import catalog
from harness.errors import HarnessError
from harness.nn.networks.cells import CellNetwork, Stack
from harness.space.choices import SearchSpace

NONE, SKIP, C1, C3, POOL = range(5)
CELLS = {
    "first": (POOL, C1, SKIP, C1, SKIP, SKIP),
    "twelfth": (C3, C3, POOL, NONE, C3, POOL),
    "none": (NONE,) * 6,
    "skip": (SKIP,) * 6,
    "pool": (POOL,) * 6,
    "3x3": (C3,) * 6,
}
STRING = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
TINY = {
    "depth": 13,
    "embed_dim": 192,
    "mlp_ratio": [3.5, 3.5, 3, 3.5, 3, 3, 4, 4, 3.5, 4, 3.5, 4, 3.5],
    "num_heads": [3] * 11 + [4] + [3],
}
SMALL = {
    "depth": 13,
    "embed_dim": 384,
    "mlp_ratio": [3, 3.5, 3, 3.5, 4, 4, 4, 4, 4, 4, 4, 3.5, 4],
    "num_heads": [6, 6, 5, 7, 5, 5, 5, 6, 6, 7, 7, 6, 7],
}
SHUFFLED = {
    (2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3): (3_558_464, 322_918_720),
    (0,) * 20: (3_154_880, 295_842_496),
    (3,) * 20: (3_870_816, 358_825_920),
}


def decoder(width: int, depth: int, ratio: int, heads: int, *, bias: bool = True) -> dict[str, Any]:
    form = {"embed_dim": width, "num_layers": depth, "bias": bias}
    return form | {"mlp_ratio": [ratio] * depth, "num_heads": [heads] * depth}


def mobile(kernel: int, expansion: int, depth: int, side: int = 224) -> dict[str, Any]:
    return {"r": side, "d": [depth] * 5, "ks": [kernel] * 20, "e": [expansion] * 20}


COUNTS: list[tuple[str, dict[str, bool], Any, int, int | None]] = [
    ("autoformer:tiny-paper", {}, TINY, 5_867_944, 1_481_938_432),
    ("autoformer:tiny-paper", {"relative": False}, TINY, 5_768_104, 1_283_236_352),
    ("autoformer:small", {}, SMALL, 22_891_432, 5_161_400_832),
    ("autoformer:small", {"relative": False}, SMALL, 22_791_592, 4_773_931_776),
    ("autoformer:tiny", {"relative": False}, None, 5_717_416, None),  # the default has the shape of DeiT-tiny
    *(
        (f"decoder:{preset}", options, decoder(*dimensions, bias=bias), count, None)
        for preset, dimensions, *counts in (
            ("gpt-s", (768, 12, 4, 12), 162_246_144, 162_163_200, 123_651_072),
            ("gpt-s", (192, 10, 2, 4), 22_761_600, 22_746_240, 13_112_832),
            ("gpt-m", (1024, 24, 4, 16), 405_231_616, 405_010_432, 353_771_520),
            ("gpt-l", (1280, 36, 4, 20), 837_040_640, 836_625_920, 772_715_520),
        )
        for options, bias, count in zip(({}, {}, {"tied": True}), (True, False, True), counts, strict=True)
    ),
    ("mobilenet:w1.0", {}, mobile(7, 6, 4), 7_664_760, 566_170_656),
    ("mobilenet:w1.0", {}, mobile(7, 6, 4, 128), 7_664_760, 188_248_320),
    ("mobilenet:w1.0", {}, mobile(5, 4, 3), 4_551_792, 250_746_944),
    ("mobilenet:w1.0", {}, None, 4_551_792, 250_746_944),
    ("mobilenet:w1.0", {}, mobile(5, 4, 3, 128), 4_551_792, 84_099_584),
    ("mobilenet:w1.2", {}, mobile(7, 6, 4), 10_701_632, 843_101_040),
    ("mobilenet:w1.2", {}, mobile(7, 6, 4, 128), 10_701_632, 279_987_456),
    *(
        (f"shufflenet:{preset}", {}, {"blocks": blocks}, *counts)
        for preset in ("paper", "paper-scales")
        for blocks, counts in SHUFFLED.items()
    ),
    ("nasbench201:cifar10", {}, CELLS["first"], 129_306, 15_647_370),
    ("nasbench201:cifar100", {}, CELLS["first"], 135_156, 15_653_220),
    ("nasbench201:imagenet16-120", {}, CELLS["first"], 136_456, 3_919_480),
    ("nasbench201:cifar10", {}, CELLS["twelfth"], 802_426, 113_951_370),
    ("nasbench201:cifar10", {}, CELLS["3x3"], 1_531_546, 220_119_690),
    ("nasbench201:cifar100", {}, CELLS["3x3"], 1_537_396, 220_125_540),
    ("nasbench201:imagenet16-120", {}, CELLS["3x3"], 1_538_696, 55_037_560),
    *(
        (f"nasbench201:{preset}", {}, CELLS[cell], *counts)
        for cell in ("none", "skip", "pool")
        for preset, *counts in (
            ("cifar10", 73_306, 7_783_050),
            ("cifar100", 79_156, 7_788_900),
            ("imagenet16-120", 80_456, 1_953_400),
        )
    ),
    ("nats_size:cifar10", {}, "8:8:8:16:32", 49_202, 6_840_650),
]


@pytest.mark.parametrize(("name", "options", "form", "parameters", "macs"), COUNTS)
def test_networks_have_their_published_counts(
    name: str, options: dict[str, bool], form: Any, parameters: int, macs: int | None
) -> None:
    space = named(name, **options)
    genes = space.default() if form is None else form
    architecture = genes if isinstance(genes, tuple) else space.from_json(genes)
    assert space.parameters(architecture) == parameters
    assert macs is None or space.macs(architecture) == macs


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("autoformer:tiny", 1_056_964_608),
        ("autoformer:tiny-paper", 280_804_921_344),
        ("autoformer:small", 77_103_263_459_313),
        ("autoformer:small-paper", 77_103_263_459_313),
        ("autoformer:base", 10_108_977_168_384),
        ("autoformer:base-paper", 6_245_364_340_204_353),
        ("decoder:gpt-s", pytest.approx(1.904e12, rel=5e-4)),  # four digits are published
        ("decoder:gpt-m", pytest.approx(5.377e23, rel=5e-4)),
        ("decoder:gpt-l", pytest.approx(1.519e35, rel=5e-4)),
        ("mobilenet:w1.0", 25 * 21_758_655_492_572_485_851),  # of 25 resolutions
        ("shufflenet:paper", 4**20),
        ("shufflenet:paper-scales", (4 * 8) ** 20),
        ("nats_size:cifar10", 32_768),
    ],
)
def test_spaces_have_their_published_sizes(name: str, size: Any) -> None:
    assert named(name).size() == size


def test_every_measured_sub_network_has_its_parameters_and_macs() -> None:
    space, rows = named("mobilenet:w1.0"), published.rows("ofa_mbv3_w10_measured.csv")
    assert len(rows) == 1100
    for row in rows:
        digits = {name: [int(digit) for digit in row[name]] for name in ("d", "ks", "e")}
        architecture = space.from_json({"r": int(row["res"]), **digits})
        counted = (space.parameters(architecture), space.macs(architecture))
        assert counted == (int(row["params"]), int(row["macs"])), row


def test_the_supernet_of_once_for_all_adds_its_kernel_matrices_to_the_largest_network() -> None:
    with torch.device("meta"):
        module = named("mobilenet:w1.0").networks.supernet()
    assert sum(weight.numel() for weight in module.parameters()) == 7_678_880


def test_cells_without_pooling_have_the_counts_of_nasbench201() -> None:
    ours, theirs = named("transnas_micro:cifar10"), named("nasbench201:cifar10")
    for architecture in ours.enumerate():
        assert ours.parameters(architecture) == theirs.parameters(architecture)
        assert ours.macs(architecture) == theirs.macs(architecture)


def test_the_default_widths_have_the_counts_of_the_same_cell_in_nasbench201() -> None:
    sizes = named("nats_size:cifar10")
    third = "nor_conv_3x3"
    route = [third, third, third, "skip_connect", third, third]
    with torch.device("meta"):
        module = CellNetwork(Stack(3, 16, 1, 10), [[name] for name in route], route)
    counted = sum(weight.numel() for weight in module.parameters())
    assert sizes.to_json(sizes.default()) == {"channels": [16, 32, 32, 64, 64]}
    assert sizes.parameters(sizes.default()) == counted


def test_defaults_are_the_largest_network_or_the_plain_one() -> None:
    for name in ("transnas_micro:cifar10", "nasbench_macro:cifar10"):
        assert named(name).default() == named(name).extreme(largest=True)
    for name in ("shufflenet:paper", "shufflenet:paper-scales"):
        assert named(name).default() == named(name).from_json({"blocks": [0] * 20})
    space = named("mobilenet:w1.0")
    assert space.default() == space.from_json(mobile(5, 4, 3))


def test_the_default_of_every_rung_is_the_same_plain_transformer() -> None:
    family = catalog.load("space", "hybrid")
    rungs = [family.space(preset) for preset in family.presets if preset.startswith("micro")]
    assert len(rungs) > 2
    plain = {(rung.parameters(rung.default()), rung.macs(rung.default())) for rung in rungs}
    assert len(plain) == 1
    assert {mixer for rung in rungs for mixer in rung.to_json(rung.default())["mixers"]} == {"attention"}


@pytest.mark.parametrize(
    ("name", "text", "genes"),
    [
        ("nasbench201:cifar10", STRING, CELLS["first"]),
        ("transnas_micro:cifar10", "64-41414-3_12_031", (3, 1, 2, 0, 3, 1)),
        ("nasbench_macro:cifar10", "01222010", (0, 1, 2, 2, 2, 0, 1, 0)),
    ],
)
def test_published_texts_are_read(name: str, text: str, genes: tuple[int, ...]) -> None:
    assert named(name).from_json(text) == genes


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("nasbench201:cifar10", "|none~0|+|none~0|", r"is not of the form \|op~0\|"),
        ("nasbench201:cifar10", STRING.replace("nor_conv_1x1", "nor_conv_1x"), "did you mean nor_conv_1x1"),
        ("transnas_micro:cifar10", "64-41414-4_00_000", "is not of the form 64-41414-a_bc_def"),
        ("nasbench_macro:cifar10", "0122201", "is not 8 digits from 0 to 2"),
        ("nats_size:cifar10", "8:8:8:16:x", r"channels\[4\] 'x'"),
        ("nats_size:cifar10", "8:8", "a list of 5 numbers"),
        ("shufflenet:paper", {"blocks": [0] * 20, "scales": [0.8] * 20}, "use shufflenet:paper-scales"),
        (
            "decoder:micro",
            decoder(48, 2, 3, 3) | {"mlp_ratio": [3] * 5},
            "5 items in mlp_ratio; give a list of 2 numbers",
        ),
    ],
)
def test_other_forms_are_refused(name: str, form: Any, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        named(name).from_json(form)


@pytest.mark.parametrize(
    ("name", "form", "more"),
    [
        ("decoder:micro", decoder(48, 2, 3, 3), {"mlp_ratio": [3, 3, 1, 4], "num_heads": [3, 3, 4, 2]}),
        (
            "mobilenet:w1.0",
            mobile(7, 6, 2, 160),
            {"r": [160], "ks": [7, 7, 0, 0] * 5, "e": [6, 6, 4, None] * 5},
        ),
        ("shufflenet:paper", {"blocks": [0] * 20}, {"scales": [1.0] * 20}),
    ],
)
def test_what_is_not_built_is_not_read(name: str, form: dict[str, Any], more: dict[str, Any]) -> None:
    assert named(name).from_json(form | more) == named(name).from_json(form)


def options(space: SearchSpace) -> dict[str, tuple[Any, ...]]:
    """Returns name -> options, the same for all indices of a name."""
    found: dict[str, tuple[Any, ...]] = {}
    for choice in space.choices:
        assert found.setdefault(choice.name.partition("[")[0], choice.options) == choice.options
    return found


THIRDS, HALVES = (3.0, 3.5, 4.0), (3.5, 4.0)


@pytest.mark.parametrize(
    ("name", "expected", "signature"),
    [
        *(
            (
                f"autoformer:{preset}",
                {"embed_dim": widths, "mlp_ratio": ratios, "num_heads": heads, "depth": depths},
                {"height": 224, "classes": 1000},
            )
            for preset, widths, ratios, heads, depths in (
                ("tiny", (192, 216, 240), HALVES, (3, 4), (12, 13, 14)),
                ("tiny-paper", (192, 216, 240), THIRDS, (3, 4), (12, 13, 14)),
                ("small", (320, 384, 448), THIRDS, (5, 6, 7), (12, 13, 14)),
                ("base", (528, 576, 624), THIRDS, (9, 10), (14, 15, 16)),
                ("base-paper", (528, 576, 624), THIRDS, (8, 9, 10), (14, 15, 16)),
            )
        ),
        *(
            (
                f"decoder:{preset}",
                {"embed_dim": widths, "num_layers": layers, "num_heads": heads, "mlp_ratio": (2, 3, 4)}
                | {"bias": (True, False)},
                {"classes": 50_254, "context": 1024},
            )
            for preset, widths, layers, heads in (
                ("gpt-s", (192, 384, 768), (10, 11, 12), (4, 8, 12)),
                ("gpt-m", (256, 512, 1024), (22, 23, 24), (8, 12, 16)),
                ("gpt-l", (320, 640, 1280), (34, 35, 36), (8, 16, 20)),
            )
        ),
        *(
            (
                f"mobilenet:{preset}",
                {"r": tuple(range(128, 225, 4)), "d": (2, 3, 4), "ks": (3, 5, 7), "e": (3, 4, 6)},
                {},
            )
            for preset in ("w1.0", "w1.2")
        ),
        (
            "shufflenet:paper-scales",
            {"blocks": (0, 1, 2, 3), "scales": (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)},
            {},
        ),
        ("nats_size:cifar10", {"channels": tuple(range(8, 65, 8))}, {}),
        ("nasbench201:cifar10", {}, {"height": 32, "width": 32, "classes": 10}),
        ("nasbench201:imagenet16-120", {}, {"height": 16, "width": 16, "classes": 120}),
    ],
)
def test_spaces_have_their_published_options_and_images(
    name: str, expected: dict[str, Any], signature: dict[str, int]
) -> None:
    space = named(name)
    found = options(space)
    assert {key: value for key, value in found.items() if key != "edge"} == expected
    assert {key: getattr(space.signature, key) for key in signature} == signature


def test_cells_sit_in_three_stages_of_five() -> None:
    with torch.device("meta"):
        convolutions = [
            (module.in_channels, module.out_channels, module.stride[0])
            for module in named("nasbench201:cifar10").networks.build((3, 0, 0, 0, 0, 0)).modules()
            if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3)
        ]
    stages = [(16, 16, 1)] * 5 + [(32, 32, 1)] * 5 + [(64, 64, 1)] * 5
    between = [(16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
    assert sorted(convolutions) == sorted([(3, 16, 1), *stages, *between])


@pytest.mark.parametrize("preset", ["micro", "cifar10"])
def test_counts_on_paths_are_those_of_what_the_output_depends_on(preset: str) -> None:
    space = named(f"nasbench201:{preset}")
    draw = random.Random(0)
    less = 0
    for _ in range(40 if preset == "micro" else 5):
        architecture = space.sample(draw)
        network = space.networks.build(architecture).train()
        images = torch.rand(2, space.signature.channels, 32, 32)
        network(images[:, :, : space.signature.height, : space.signature.width]).sum().backward()
        if network_is_cut := next(network.parameters()).grad is None:
            assert space.on_paths(architecture)[0] == space.parameters((NONE,) * 6)
        reached = sum(one.numel() for one in network.parameters() if one.grad is not None)
        assert network_is_cut or space.on_paths(architecture)[0] == reached
        less += space.on_paths(architecture) != (space.parameters(architecture), space.macs(architecture))
    assert less
    dead_end = (C3, NONE, C3, SKIP, NONE, NONE)  # 0 to 1 and 1 to 2 lead nowhere
    assert space.on_paths(dead_end)[1] == space.macs((NONE,) * 6)


@pytest.mark.parametrize(
    ("preset", "widths"),
    [
        ("w1.0", [16, 16, 24, 40, 80, 112, 160, 960, 1280]),
        ("w1.2", [24, 24, 32, 48, 96, 136, 192, 1152, 1536]),
    ],
)
def test_the_once_for_all_network_has_its_published_frame(preset: str, widths: list[int]) -> None:
    space = named(f"mobilenet:{preset}")
    with torch.device("meta"):
        network = space.networks.supernet()
    design = space.design
    assert [design.stem, design.first, *design.widths, design.final, design.last] == widths
    assert design.strides == (2, 2, 2, 1, 2)
    assert design.activations == ("relu",) * 2 + ("hswish",) * 3
    stages = zip(design.widths, network.largest.stages, strict=True)
    gated = [width for width, blocks in stages if blocks[0].squeeze]
    assert gated == [widths[3], widths[5], widths[6]]
    assert network.first[0].conv.out_channels == design.first


def test_gates_read_a_quarter_of_the_channels_rounded_to_eight() -> None:
    space = named("mobilenet:w1.0")
    with torch.device("meta"):
        network = space.networks.build(space.from_json(mobile(3, 3, 4)))
    blocks = [block for stage in network.largest.stages for block in stage]
    squeezed = {block.middle: block.squeeze for block in blocks if block.squeeze}
    # Nearest multiples of 8, but 24 and not 16 of 18, as that would be more than a tenth less.
    assert squeezed == {72: 24, 120: 32, 240: 64, 336: 88, 480: 120}


def test_the_shuffle_network_has_its_published_frame_and_drops_channels_in_training() -> None:
    with torch.device("meta"):
        space, micro = named("shufflenet:paper"), named("shufflenet:micro")
        network = space.networks.supernet()
        modules = [one.networks.build(one.default()) for one in (space, micro)]
    design = space.design
    assert (design.stem, design.repeats, design.head) == (16, (4, 4, 8, 4), 1024)
    assert design.widths == (64, 160, 320, 640)
    assert network.get_submodule("head").in_features == design.head
    assert [module.get_submodule("dropout").p for module in modules] == [0.1, 0.0]
    assert modules[1].get_submodule("head").bias is None


@pytest.mark.parametrize("preset", ["tiny", "small", "base"])
def test_autoformer_counts_by_the_formula_written_out(preset: str) -> None:
    space = named(f"autoformer:{preset}")
    draw = random.Random(0)
    for _ in range(50):
        architecture = space.sample(draw)
        form = space.to_json(architecture)
        width, tokens = form["embed_dim"], 197
        parameters = 769 * width + width * (2 + 196) + 2 * width + 1000 * width + 1000
        macs = 196 * 768 * width + 1000 * width
        for ratio, heads in zip(form["mlp_ratio"], form["num_heads"], strict=True):
            inner, hidden = 64 * heads, int(width * ratio)
            parameters += 4 * width + 3 * width * inner + 3 * inner + inner * width + width
            parameters += width * hidden + hidden + hidden * width + width + 4 * 30 * 64
            macs += 3 * tokens * width * inner + 2 * tokens**2 * inner + tokens * inner * width
            macs += 2 * tokens * width * hidden + 2 * tokens**2 * inner
        assert (space.parameters(architecture), space.macs(architecture)) == (parameters, macs)


def test_the_decoder_counts_by_the_formula_written_out() -> None:
    space = named("decoder:gpt-s")
    draw = random.Random(0)
    for _ in range(50):
        architecture = space.sample(draw)
        form = space.to_json(architecture)
        width = form["embed_dim"]
        total = 2 * 50_254 * width + 2 * width
        for ratio, heads in zip(form["mlp_ratio"], form["num_heads"], strict=True):
            inner, hidden = 64 * heads, width * ratio
            total += 4 * width + 3 * width * inner + inner * width + 2 * width * hidden
            total += (3 * inner + width + hidden + width) if form["bias"] else 0
        assert space.parameters(architecture) == total
