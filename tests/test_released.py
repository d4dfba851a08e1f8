"""Released checkpoints. Truth: state dicts with their names and shapes, made here, and forwards from them.

The names are those of `ofa_mbv3_d234_e346_k357_w1.0` and of AutoFormer's `supernet-tiny`; the forwards follow
the released code step by step: elastic kernels, leading channels, rows of queries, keys and values by threes.
"""

import argparse
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from spaces import named
from torch import Tensor
from working import all_done, done, first, plan_of

from harness.errors import HarnessError
from harness.learn.fit import seeded
from harness.nn.released import read_released
from harness.task.signature import Signature

Weights = dict[str, Tensor]
SMALL = Signature(kind="image", classes=4, channels=3, height=16, width=16)


def filled(shapes: dict[str, tuple[int, ...]]) -> Weights:
    draw = torch.Generator().manual_seed(0)
    made = {name: torch.randn(shape, generator=draw) * 0.3 for name, shape in shapes.items()}
    return {name: value.abs() + 0.5 if name.endswith("_var") else value for name, value in made.items()}


def normed(name: str, width: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (width,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def layer(name: str, *shape: int, elastic: bool = False) -> dict[str, tuple[int, ...]]:
    convolution, norm = ("conv.conv", "bn.bn") if elastic else ("conv", "bn")
    return {f"{name}.{convolution}.weight": shape} | normed(f"{name}.{norm}", shape[0])


def once_for_all(
    stem: int, first: int, stages: list[tuple[int, bool]], deep: int, final: int, last: int, classes: int
) -> Weights:
    """Returns weights under the names of the released files; `stages` holds width and squeeze."""
    fixed = "blocks.0.mobile_inverted_conv"
    shapes = layer("first_conv", stem, 3, 3, 3) | layer(f"{fixed}.depth_conv", stem, 1, 3, 3)
    shapes |= layer(f"{fixed}.point_linear", first, stem, 1, 1)
    width, number = first, 0
    for outputs, has_squeeze in stages:
        for _ in range(deep):
            number += 1
            middle = width * 6
            name = f"blocks.{number}.mobile_inverted_conv"
            shapes |= layer(f"{name}.inverted_bottleneck", middle, width, 1, 1, elastic=True)
            shapes |= layer(f"{name}.depth_conv", middle, 1, 7, 7, elastic=True)
            shapes |= {f"{name}.depth_conv.conv.7to5_matrix": (25, 25)}
            shapes |= {f"{name}.depth_conv.conv.5to3_matrix": (9, 9)}
            if has_squeeze:
                inner, gate = squeezed(middle), f"{name}.depth_conv.se.fc"
                shapes |= {f"{gate}.reduce.weight": (inner, middle, 1, 1), f"{gate}.reduce.bias": (inner,)}
                shapes |= {f"{gate}.expand.weight": (middle, inner, 1, 1), f"{gate}.expand.bias": (middle,)}
            shapes |= layer(f"{name}.point_linear", outputs, middle, 1, 1, elastic=True)
            width = outputs
    shapes |= layer("final_expand_layer", final, width, 1, 1)
    shapes |= {"feature_mix_layer.conv.weight": (last, final, 1, 1)}
    shapes |= {"classifier.linear.weight": (classes, last), "classifier.linear.bias": (classes,)}
    return filled(shapes)


def squeezed(middle: int) -> int:
    wanted = middle // 4
    nearest = max(8, (wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


MICRO = [(16, False), (24, True), (32, True)]


def micro_ofa() -> Weights:
    return once_for_all(16, 16, MICRO, 3, 96, 128, 4)


def norm(hidden: Tensor, weights: Weights, name: str) -> Tensor:
    count = hidden.shape[1]
    mean, variance, weight, bias = (
        weights[f"{name}.{part}"][:count].view(-1, 1, 1)
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return (hidden - mean) / (variance + 1e-5).sqrt() * weight + bias


def kernel_of(weights: Weights, name: str, kernel: int) -> Tensor:
    current = weights[f"{name}.conv.weight"]
    for large, small in ((7, 5), (5, 3)):
        if kernel < large:
            centre = current[:, 0, 1:-1, 1:-1].reshape(len(current), -1)
            moved = torch.stack([weights[f"{name}.{large}to{small}_matrix"] @ one for one in centre])
            current = moved.view(-1, 1, small, small)
    return current


def mobile_by_hand(
    weights: Weights, images: Tensor, depths: list[int], ks: list[int], e: list[int]
) -> Tensor:
    """Follows the released code with h-swish in the stem and the last stage, as the micro preset has."""
    activations = [F.relu, F.relu, F.hardswish]
    hidden = F.conv2d(images, weights["first_conv.conv.weight"], stride=2, padding=1)
    hidden = F.hardswish(norm(hidden, weights, "first_conv.bn"))
    name = "blocks.0.mobile_inverted_conv"
    inner = F.conv2d(hidden, weights[f"{name}.depth_conv.conv.weight"], padding=1, groups=hidden.shape[1])
    inner = F.relu(norm(inner, weights, f"{name}.depth_conv.bn"))
    inner = F.conv2d(inner, weights[f"{name}.point_linear.conv.weight"])
    hidden = hidden + norm(inner, weights, f"{name}.point_linear.bn")
    for stage, (outputs, has_squeeze) in enumerate(MICRO):
        for position in range(depths[stage]):
            at = 3 * stage + position
            name = f"blocks.{at + 1}.mobile_inverted_conv"
            width = hidden.shape[1]
            middle = width * e[at]
            stride = (1, 2, 2)[stage] if position == 0 else 1
            inner = F.conv2d(hidden, weights[f"{name}.inverted_bottleneck.conv.conv.weight"][:middle])
            inner = activations[stage](norm(inner, weights, f"{name}.inverted_bottleneck.bn.bn"))
            kernel = kernel_of(weights, f"{name}.depth_conv.conv", ks[at])[:middle]
            inner = F.conv2d(inner, kernel, stride=stride, padding=ks[at] // 2, groups=middle)
            inner = activations[stage](norm(inner, weights, f"{name}.depth_conv.bn.bn"))
            if has_squeeze:
                gate, small = f"{name}.depth_conv.se.fc", squeezed(middle)
                means = inner.mean((2, 3), keepdim=True)
                reduce, expand = (weights[f"{gate}.{part}.weight"] for part in ("reduce", "expand"))
                read = F.conv2d(means, reduce[:small, :middle], weights[f"{gate}.reduce.bias"][:small])
                bias = weights[f"{gate}.expand.bias"][:middle]
                opened = F.conv2d(F.relu(read), expand[:middle, :small], bias)
                inner = inner * (F.relu6(opened + 3) / 6)
            inner = F.conv2d(inner, weights[f"{name}.point_linear.conv.conv.weight"][:, :middle])
            inner = norm(inner, weights, f"{name}.point_linear.bn.bn")
            hidden = inner + hidden if stride == 1 and width == outputs else inner
    hidden = F.conv2d(hidden, weights["final_expand_layer.conv.weight"])
    hidden = F.hardswish(norm(hidden, weights, "final_expand_layer.bn")).mean((2, 3), keepdim=True)
    hidden = F.hardswish(F.conv2d(hidden, weights["feature_mix_layer.conv.weight"])).flatten(1)
    return F.linear(hidden, weights["classifier.linear.weight"], weights["classifier.linear.bias"])


def test_a_slice_of_a_released_mobilenet_equals_the_released_code() -> None:
    space, weights = named("mobilenet:micro", SMALL), micro_ofa()
    supernet = space.networks.supernet().eval()
    assert space.networks.load_released(supernet, weights) == "once-for-all"
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    draw = random.Random(0)
    for _ in range(8):
        architecture = space.sample(draw)
        form = space.to_json(architecture)
        expected = mobile_by_hand(weights, images, form["d"], form["ks"], form["e"])
        with torch.inference_mode():
            found = supernet(images, space.networks.route(architecture))
            alone = space.networks.slice(supernet, architecture)(images)
        for one in (found, alone):
            torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("preset", "frame"),
    [
        ("w1.0", (16, 16, [(24, False), (40, True), (80, False), (112, True), (160, True)], 4, 960, 1280)),
        ("w1.2", (24, 24, [(32, False), (48, True), (96, False), (136, True), (192, True)], 4, 1152, 1536)),
    ],
)
def test_the_published_widths_load_whole(preset: str, frame: tuple[Any, ...]) -> None:
    weights = once_for_all(*frame, 1000)
    space = named(f"mobilenet:{preset}")
    supernet = space.networks.supernet()
    space.networks.load_released(supernet, weights)
    counted = sum(value.numel() for name, value in weights.items() if name.rpartition(".")[2] not in BUFFERS)
    assert counted == sum(weight.numel() for weight in supernet.parameters())
    last = "blocks.20.mobile_inverted_conv.point_linear.conv.conv.weight"
    assert torch.equal(supernet.get_parameter("stages.4.3.project.conv.weight"), weights[last])


BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def test_the_later_names_of_the_repository_are_read_too() -> None:
    space, weights = named("mobilenet:micro", SMALL), micro_ofa()
    older, newer = space.networks.supernet(), space.networks.supernet()
    space.networks.load_released(older, weights)
    renamed = {name.replace(".mobile_inverted_conv.", ".conv."): value for name, value in weights.items()}
    linear = {name: name.replace("classifier.linear.", "classifier.linear.linear.") for name in renamed}
    space.networks.load_released(newer, {linear[name]: value for name, value in renamed.items()})
    for one, other in zip(older.state_dict().values(), newer.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def autoformer(
    width: int, depth: int, heads: int, head_width: int, patch: int, patches: int, reach: int, classes: int
) -> Weights:
    inner, hidden = heads * head_width, 4 * width
    shapes: dict[str, tuple[int, ...]] = {"cls_token": (1, 1, width), "pos_embed": (1, patches + 1, width)}
    biased = {"patch_embed_super.proj": (width, 3, patch, patch), "norm": (width,), "head": (classes, width)}
    for at in range(depth):
        block = f"blocks.{at}"
        tables = [f"{part}.embeddings_table_{axis}" for part in "kv" for axis in "vh"]
        shapes |= {f"{block}.attn.rel_pos_embed_{one}": (2 * reach + 2, head_width) for one in tables}
        biased |= {f"{block}.attn.qkv": (3 * inner, width), f"{block}.attn.proj": (width, inner)}
        biased |= {f"{block}.fc1": (hidden, width), f"{block}.fc2": (width, hidden)}
        biased |= {f"{block}.attn_layer_norm": (width,), f"{block}.ffn_layer_norm": (width,)}
    for name, shape in biased.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return filled(shapes)


def micro_autoformer() -> Weights:
    return autoformer(64, 4, 4, 16, 4, 16, 7, 4)


def transformer_by_hand(
    weights: Weights, images: Tensor, width: int, heads: list[int], ratios: list[float]
) -> Tensor:
    """Follows the released code for 4 x 4 patches and a reach of 7."""
    patches = F.conv2d(
        images,
        weights["patch_embed_super.proj.weight"][:width],
        weights["patch_embed_super.proj.bias"][:width],
        4,
    )
    tokens = patches.flatten(2).transpose(1, 2)
    tokens = torch.cat([weights["cls_token"][..., :width].expand(len(images), -1, -1), tokens], 1)
    tokens = tokens + weights["pos_embed"][..., :width]
    count = tokens.shape[1]
    rows = torch.zeros(count, count, dtype=torch.int64)
    columns = rows.clone()
    for one in range(count - 1):
        for other in range(count - 1):
            rows[one + 1, other + 1] = other // 4 - one // 4 + 8
            columns[one + 1, other + 1] = other % 4 - one % 4 + 8
    for at, (head_count, ratio) in enumerate(zip(heads, ratios, strict=True)):
        block, inner, hidden = f"blocks.{at}", head_count * 16, int(width * ratio)

        def layer(name: str, inputs: Tensor, outputs: int, block: str = block) -> Tensor:
            weight, bias = weights[f"{block}.{name}.weight"], weights[f"{block}.{name}.bias"]
            return F.linear(inputs, weight[:outputs, : inputs.shape[-1]], bias[:outputs])

        def layer_norm(name: str, inputs: Tensor, block: str = block) -> Tensor:
            pair = (weights[f"{block}.{name}.{part}"][:width] for part in ("weight", "bias"))
            return F.layer_norm(inputs, (width,), *pair)

        def between(part: str, block: str = block) -> Tensor:
            name = f"{block}.attn.rel_pos_embed_{part}.embeddings_table"
            return weights[f"{name}_v"][rows] + weights[f"{name}_h"][columns]

        normed_tokens = layer_norm("attn_layer_norm", tokens)
        weight = weights[f"{block}.attn.qkv.weight"][:, :width]
        sampled = torch.cat([weight[part : 3 * inner : 3] for part in range(3)])
        joined = F.linear(normed_tokens, sampled, weights[f"{block}.attn.qkv.bias"][: 3 * inner])
        query, key, value = joined.reshape(len(images), count, 3, head_count, 16).permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(-1, -2) + torch.einsum("bhqd,qkd->bhqk", query, between("k"))
        mixing = (scores * 16**-0.5).softmax(-1)
        mixed = mixing @ value + torch.einsum("bhqk,qkd->bhqd", mixing, between("v"))
        tokens = tokens + layer("attn.proj", mixed.transpose(1, 2).flatten(2), width)
        raised = F.gelu(layer("fc1", layer_norm("ffn_layer_norm", tokens), hidden))
        tokens = tokens + layer("fc2", raised, width)
    pair = (weights[f"norm.{part}"][:width] for part in ("weight", "bias"))
    pooled = F.layer_norm(tokens, (width,), *pair)[:, 1:].mean(1)
    return F.linear(pooled, weights["head.weight"][:, :width], weights["head.bias"])


def test_a_slice_of_a_released_autoformer_equals_the_released_code() -> None:
    space, weights = named("autoformer:micro", SMALL), micro_autoformer()
    supernet = space.networks.supernet().eval()
    assert space.networks.load_released(supernet, weights) == "AutoFormer"
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    draw = random.Random(0)
    for _ in range(8):
        architecture = space.sample(draw)
        form = space.to_json(architecture)
        expected = transformer_by_hand(
            weights, images, form["embed_dim"], form["num_heads"], form["mlp_ratio"]
        )
        with torch.inference_mode():
            found = supernet(images, space.networks.route(architecture))
            alone = space.networks.slice(supernet, architecture)(images)
        for one in (found, alone):
            torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("preset", "shape"), [("tiny", (256, 14, 4)), ("small", (448, 14, 7)), ("base", (640, 16, 10))]
)
def test_the_published_supernets_have_the_released_shapes(preset: str, shape: tuple[int, int, int]) -> None:
    with torch.device("meta"):
        space = named(f"autoformer:{preset}")
        supernet = space.networks.supernet()
        weights = {
            name: value.to("meta") for name, value in autoformer(*shape, 64, 16, 196, 14, 1000).items()
        }
    space.networks.load_released(supernet, weights)
    counted = sum(value.numel() for value in weights.values())
    assert counted == sum(weight.numel() for weight in supernet.parameters())


def with_zeros(shapes: dict[str, tuple[int, ...]]) -> Callable[[Weights], None]:
    return lambda weights: weights.update({name: torch.zeros(shape) for name, shape in shapes.items()})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("head.bias"), r"it lacks head\.bias\.$"),
        (with_zeros({"extra": (1,)}), r"has besides extra\.$"),
        (with_zeros({f"extra{at}": (1,) for at in range(9)}), r"extra0, extra1, extra2 and 6 more\.$"),
        (
            with_zeros({"head.weight": (10, 64)}),
            r"head\.weight in shape \(10, 64\) and must have \(4, 64\)\.$",
        ),
        (with_zeros({"blocks.0.attn.qkv.weight": (190, 64)}), r"qkv\.weight in shape \(190, 64\)"),
    ],
)
def test_what_does_not_fit_is_named(change: Any, message: str) -> None:
    weights = micro_autoformer()
    change(weights)
    space = named("autoformer:micro", SMALL)
    with seeded(0):
        supernet = space.networks.supernet()
    before = {name: value.clone() for name, value in supernet.state_dict().items()}
    with pytest.raises(HarnessError, match=f"This is no AutoFormer checkpoint of this supernet: .*{message}"):
        space.networks.load_released(supernet, weights)
    assert all(torch.equal(before[name], value) for name, value in supernet.state_dict().items())


def test_checkpoints_of_the_other_space_are_refused() -> None:
    space = named("mobilenet:micro", SMALL)
    supernet = space.networks.supernet()
    with pytest.raises(HarnessError, match=r"it lacks first_conv\.conv\.weight, .* and \d+ more"):
        space.networks.load_released(supernet, micro_autoformer())


def test_a_space_without_released_weights_says_so() -> None:
    space = named("shufflenet:micro")
    with pytest.raises(HarnessError, match="No released checkpoint of shufflenet:micro is known"):
        space.networks.load_released(space.networks.supernet(), {})


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_a_file_is_read_with_or_without_what_stands_around_the_weights(
    tmp_path: Path, key: str | None
) -> None:
    weights = {"a": torch.ones(2)}
    around = {key: weights, "epoch": 3, "args": argparse.Namespace(lr=0.1)} if key else weights
    torch.save(around, tmp_path / "file.pth")
    assert torch.equal(read_released(tmp_path / "file.pth")["a"], weights["a"])


class Harmful:
    def __reduce__(self) -> Any:
        return (print, ("code of the file was run",))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (Harmful(), "is not a checkpoint of weights alone"),
        ([1, 2], "has no state dict"),
        ({"model": {"a": 3}}, "has no state dict"),
        (None, "is not a checkpoint"),
    ],
)
def test_a_file_of_something_else_is_refused_unopened(
    tmp_path: Path, held: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file.pth"
    if held is None:
        path.write_bytes(b"no checkpoint at all")
    else:
        torch.save(held, path)
    with pytest.raises(HarnessError, match=message):
        read_released(path)
    assert capsys.readouterr().out == ""


SUITE = """
extends = "toy"
spaces = ["mobilenet:micro"]
baselines = ["tuned"]
[claim]
method = "local_search"
space = "mobilenet:micro"
[[tasks]]
name = "toy_patterns"
[tasks.supernet.checkpoints]
"mobilenet:micro" = "%s"
"""


def test_a_suite_searches_a_released_supernet(tmp_path: Path) -> None:
    file = tmp_path / "ofa.pth"
    weights = micro_ofa()
    weights["first_conv.conv.weight"] = weights["first_conv.conv.weight"][:, :1]
    torch.save({"state_dict": weights}, file)
    plan = plan_of(SUITE % file, tmp_path)
    supernet, search = (first(plan, kind, space="mobilenet:micro", seed=0) for kind in ("supernet", "search"))
    results = all_done(plan, [supernet, search], tmp_path / "run")
    result = results[supernet.hash]
    assert (result["steps"], result["checkpoint"]["format"]) == (0, "once-for-all")
    assert "strategy" not in supernet.spec.to_json()
    assert len(results[search.hash]["history"]) == 5
    torch.save({"state_dict": weights, "epoch": 1}, file)
    with pytest.raises(HarnessError, match="and the plan was made for"):
        done(plan, supernet, tmp_path / "run")


def test_a_missing_checkpoint_is_told_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"There is no checkpoint .*gone\.pth of mobilenet:micro; give"):
        plan_of(SUITE % (tmp_path / "gone.pth"), tmp_path)
