"""What the papers print of the spaces besides the counts of single networks, which each space's tests hold.

Truth: the papers' tables of options, their closed forms written out once more, and their tables of results.
"""

import random
import sys
from typing import Any

import pytest
import torch

from harness import catalog
from harness.space.choices import SearchSpace


def bound(name: str) -> SearchSpace:
    family, _, preset = name.partition(":")
    return catalog.load("space", family).space(preset or None)


def options(space: SearchSpace) -> dict[str, tuple[Any, ...]]:
    """Returns name -> options, the same for all indices of a name."""
    found: dict[str, tuple[Any, ...]] = {}
    for choice in space.choices:
        assert found.setdefault(choice.name.partition("[")[0], choice.options) == choice.options
    return found


def test_cells_sit_in_three_stages_of_five() -> None:
    space = bound("nasbench201:cifar10")
    with torch.device("meta"):
        convolutions = [
            (module.in_channels, module.out_channels, module.stride[0])
            for module in space.networks.build((3, 0, 0, 0, 0, 0)).modules()
            if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3)
        ]
    stages = [(16, 16, 1)] * 5 + [(32, 32, 1)] * 5 + [(64, 64, 1)] * 5
    between = [(16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1)]
    assert sorted(convolutions) == sorted([(3, 16, 1), *stages, *between])


@pytest.mark.parametrize(("preset", "side", "classes"), [("cifar10", 32, 10), ("imagenet16-120", 16, 120)])
def test_images_have_their_published_size(preset: str, side: int, classes: int) -> None:
    signature = bound(f"nasbench201:{preset}").signature
    assert (signature.height, signature.width, signature.classes) == (side, side, classes)


def test_channels_of_the_size_space_are_multiples_of_eight() -> None:
    space = bound("nats_size")
    assert [choice.options for choice in space.choices] == [tuple(range(8, 65, 8))] * 5
    assert space.size() == 32_768


@pytest.mark.parametrize(
    ("preset", "widths"),
    [
        ("w1.0", [16, 16, 24, 40, 80, 112, 160, 960, 1280]),
        ("w1.2", [24, 24, 32, 48, 96, 136, 192, 1152, 1536]),
    ],
)
def test_the_once_for_all_network_has_its_published_frame(preset: str, widths: list[int]) -> None:
    space = bound(f"mobilenet:{preset}")
    with torch.device("meta"):
        network = space.networks.supernet()
    frame = network.frame
    found = [frame.stem, frame.first, *(stage.width for stage in frame.stages), frame.final, frame.last]
    assert found == widths
    assert [stage.stride for stage in frame.stages] == [2, 2, 2, 1, 2]
    assert [stage.activation for stage in frame.stages] == ["relu"] * 2 + ["hswish"] * 3
    gated = [
        stage.width
        for stage, blocks in zip(frame.stages, network.largest.stages, strict=True)
        if blocks[0].squeeze
    ]
    assert gated == [widths[3], widths[5], widths[6]]
    assert options(space) == {
        "r": tuple(range(128, 225, 4)),
        "d": (2, 3, 4),
        "ks": (3, 5, 7),
        "e": (3, 4, 6),
    }


def test_gates_read_a_quarter_of_the_channels_rounded_to_eight() -> None:
    space = bound("mobilenet:w1.0")
    form = {"r": 224, "d": [4] * 5, "ks": [3] * 20, "e": [3] * 20}
    with torch.device("meta"):
        network = space.networks.build(space.from_json(form))
    blocks = [block for stage in network.largest.stages for block in stage]
    squeezed = {block.middle: block.squeeze for block in blocks if block.squeeze}
    # Nearest multiples of 8, but 24 and not 16 of 18, as that would be more than a tenth less.
    assert squeezed == {72: 24, 120: 32, 240: 64, 336: 88, 480: 120}


def test_the_shuffle_network_has_its_published_frame() -> None:
    space = bound("shufflenet:paper")
    with torch.device("meta"):
        network = space.networks.supernet()
    frame = network.frame
    assert (frame.stem, frame.repeats, frame.widths, frame.head) == (
        16,
        (4, 4, 8, 4),
        (64, 160, 320, 640),
        1024,
    )
    assert frame.dropout == 0.1
    assert options(bound("shufflenet:paper-scales"))["scales"] == (0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6)
    published = space.from_json({"blocks": [2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3]})
    assert round(space.parameters(published) / 1e6, 1) in (3.5, 3.6)  # printed as 3.5M, which is cut off
    assert round(space.macs(published) / 1e6) == 323


@pytest.mark.parametrize(
    ("preset", "embed", "ratios", "heads", "depths"),
    [
        ("tiny", (192, 216, 240), (3.5, 4.0), (3, 4), (12, 13, 14)),
        ("tiny-paper", (192, 216, 240), (3.0, 3.5, 4.0), (3, 4), (12, 13, 14)),
        ("small", (320, 384, 448), (3.0, 3.5, 4.0), (5, 6, 7), (12, 13, 14)),
        ("base", (528, 576, 624), (3.0, 3.5, 4.0), (9, 10), (14, 15, 16)),
        ("base-paper", (528, 576, 624), (3.0, 3.5, 4.0), (8, 9, 10), (14, 15, 16)),
    ],
)
def test_autoformer_has_its_published_options(
    preset: str,
    embed: tuple[int, ...],
    ratios: tuple[float, ...],
    heads: tuple[int, ...],
    depths: tuple[int, ...],
) -> None:
    space = bound(f"autoformer:{preset}")
    assert options(space) == {"embed_dim": embed, "depth": depths, "mlp_ratio": ratios, "num_heads": heads}
    assert (space.signature.height, space.signature.classes) == (224, 1000)


@pytest.mark.parametrize("preset", ["tiny", "small", "base"])
def test_autoformer_counts_by_the_formula_written_out(preset: str) -> None:
    space = bound(f"autoformer:{preset}")
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


@pytest.mark.parametrize(
    ("preset", "embed", "layers", "heads"),
    [
        ("gpt-s", (192, 384, 768), (10, 11, 12), (4, 8, 12)),
        ("gpt-m", (256, 512, 1024), (22, 23, 24), (8, 12, 16)),
        ("gpt-l", (320, 640, 1280), (34, 35, 36), (8, 16, 20)),
    ],
)
def test_the_decoder_has_its_published_options(
    preset: str, embed: tuple[int, ...], layers: tuple[int, ...], heads: tuple[int, ...]
) -> None:
    space = bound(f"decoder:{preset}")
    found = options(space)
    assert (found["embed_dim"], found["num_layers"], found["num_heads"]) == (embed, layers, heads)
    assert found["mlp_ratio"] == (2, 3, 4)
    assert len(found["bias"]) == 2
    assert (space.signature.classes, space.signature.context) == (50_254, 1024)


def test_the_decoder_counts_by_the_formula_written_out() -> None:
    space = bound("decoder:gpt-s")
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


def test_the_default_of_every_rung_is_the_same_plain_transformer() -> None:
    family = catalog.load("space", "hybrid")
    rungs = [family.space(preset) for preset in family.presets if preset.startswith("micro")]
    assert len(rungs) > 2
    plain = {(rung.parameters(rung.default()), rung.macs(rung.default())) for rung in rungs}
    assert len(plain) == 1
    assert {mixer for rung in rungs for mixer in rung.to_json(rung.default())["mixers"]} == {"attention"}


def test_counting_imports_no_torch() -> None:
    import subprocess

    code = (
        "import sys\n"
        "from harness import catalog\n"
        "for name in catalog.names('space'):\n"
        "    family = catalog.load('space', name)\n"
        "    for preset in family.presets:\n"
        "        space = family.space(preset)\n"
        "        space.parameters(space.default()), space.macs(space.default()), space.size()\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
