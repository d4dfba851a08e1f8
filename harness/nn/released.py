"""Supernets that others released: their state dicts, key by key, into ours.

Both layouts fit to the last bit. Three conventions of names and order differ from ours: once-for-all wraps
layers once more in elastic ones than in fixed ones, and its repository renamed them later (both names are
read); AutoFormer interleaves the rows of queries, keys and values by threes, where ours are three matrices;
and it keeps a scale and a shift as a norm's weight and bias.
"""

import argparse
import pickle  # only for its error; torch reads weights alone  # nosec B403
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.nn.networks.autoformer import VisionTransformer
from harness.nn.networks.mobilenet import MobileNet

Names = Mapping[str, str]
"""Our name of a tensor -> its name in the released state dict."""
_BROKEN = (
    *(pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError),
    *(AssertionError, OverflowError, MemoryError),
)
"""What torch raises for a damaged file, as two thousand of them showed."""


def read_released(path: Path) -> dict[str, Tensor]:
    """Returns the state dict in a checkpoint file, whether it is alone, under `state_dict` or `model`.

    Raises:
        HarnessError: there is no such file, or it holds anything but tensors and plain values.
    """
    try:
        # The released AutoFormer files keep their command line beside the weights.
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of pickles of other protocols
            held = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise HarnessError(f"Cannot read the checkpoint {path}: {error.strerror}.") from error
    except _BROKEN as error:
        raise HarnessError(
            f"{path} is not a checkpoint of weights alone; save its state dict by torch.save and give that."
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(held, dict) and isinstance(held.get(key), dict):
            held = held[key]
    if not isinstance(held, dict) or not all(isinstance(value, Tensor) for value in held.values()):
        raise HarnessError(f"{path} has no state dict, alone or under 'state_dict' or 'model'.")
    return held


def load_once_for_all(supernet: MobileNet, released: Mapping[str, Tensor]) -> None:
    """Copies the weights of `ofa_mbv3_d234_e346_k357_w1.0` or `w1.2` into a supernet of that width."""
    renamed = {_plain(name): value for name, value in released.items()}
    _load(supernet, renamed, dict(_once_for_all(supernet)), "once-for-all")


def load_autoformer(supernet: VisionTransformer, released: Mapping[str, Tensor]) -> None:
    """Copies the weights of `supernet-tiny`, `-small` or `-base` into a supernet of that size."""
    ordered = {
        name: _by_part(value) if name.endswith("attn.qkv.weight") else value
        for name, value in released.items()
    }
    _load(supernet, ordered, dict(_autoformer(supernet)), "AutoFormer")


def _load(supernet: nn.Module, released: Mapping[str, Tensor], names: Names, origin: str) -> None:
    ours = supernet.state_dict()
    wrong = misfit({theirs: ours[name] for name, theirs in names.items()}, released)
    if wrong:
        raise HarnessError(f"This is no {origin} checkpoint of this supernet: it {wrong}.")
    with torch.no_grad():
        for name, theirs in names.items():
            ours[name].copy_(released[theirs])


def misfit(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Returns how given tensors differ from the wanted ones in name or shape; empty where they do not.

    Counts of batches, which no function depends on, are left alone.
    """
    lacking = [name for name in wanted if name not in given]
    over = [name for name in given if name not in wanted]
    for what, names in (("lacks", lacking), ("has besides", over)):
        counted = [name for name in names if not name.endswith("num_batches_tracked")]
        if counted:
            more = f" and {len(counted) - 3} more" if len(counted) > 3 else ""
            return f"{what} {', '.join(counted[:3])}{more}"
    for name, tensor in wanted.items():
        if name in given and given[name].shape != tensor.shape:
            return f"has {name} in shape {tuple(given[name].shape)} and must have {tuple(tensor.shape)}"
    return ""


def _plain(name: str) -> str:
    """Returns a name without the wrappers of elastic layers."""
    pairs = (
        (".mobile_inverted_conv.", ".conv."),
        (".bn.bn.", ".bn."),
        (".conv.conv.weight", ".conv.weight"),
        (".linear.linear.", ".linear."),
    )
    for wrapped, plain in pairs:
        name = name.replace(wrapped, plain)
    return name


def _once_for_all(network: MobileNet) -> Iterator[tuple[str, str]]:
    def layer(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
        yield f"{ours}.conv.weight", f"{theirs}.conv.weight"
        for part in ("weight", "bias", "running_mean", "running_var"):
            yield f"{ours}.norm.{part}", f"{theirs}.bn.{part}"

    yield from layer("stem", "first_conv")
    yield from layer("first.0", "blocks.0.conv.depth_conv")
    yield from layer("first.1", "blocks.0.conv.point_linear")
    number = 0
    for stage, blocks in enumerate(network.largest.stages):
        for position, inner in enumerate(blocks):
            number += 1
            ours, theirs = f"stages.{stage}.{position}", f"blocks.{number}.conv"
            yield from layer(f"{ours}.expand", f"{theirs}.inverted_bottleneck")
            yield from layer(f"{ours}.depth", f"{theirs}.depth_conv")
            yield from layer(f"{ours}.project", f"{theirs}.point_linear")
            for step in ("7to5", "5to3"):
                yield f"{ours}.depth.transforms.{step}", f"{theirs}.depth_conv.conv.{step}_matrix"
            for part in ("reduce", "expand") if inner.squeeze else ():
                for kind in ("weight", "bias"):
                    yield f"{ours}.squeeze.{part}.{kind}", f"{theirs}.depth_conv.se.fc.{part}.{kind}"
    yield from layer("final", "final_expand_layer")
    yield "mix.weight", "feature_mix_layer.conv.weight"
    yield "head.weight", "classifier.linear.weight"
    yield "head.bias", "classifier.linear.bias"


def _autoformer(network: VisionTransformer) -> Iterator[tuple[str, str]]:
    yield from (("class_token", "cls_token"), ("positions", "pos_embed"))
    yield from _affine("embed", "embed_bias", "patch_embed_super.proj")
    yield from _affine("norm.0", "norm.1", "norm")
    yield from _affine("head", "head_bias", "head")
    for index in range(len(network.largest.heads)):
        block = f"blocks.{index}"
        yield from _affine(
            f"{block}.attention_norm.0", f"{block}.attention_norm.1", f"{block}.attn_layer_norm"
        )
        yield from _affine(f"{block}.inward", f"{block}.inward_bias", f"{block}.attn.qkv")
        yield from _affine(f"{block}.outward", f"{block}.outward_bias", f"{block}.attn.proj")
        yield from _affine(f"{block}.mlp_norm.0", f"{block}.mlp_norm.1", f"{block}.ffn_layer_norm")
        yield from _affine(f"{block}.up", f"{block}.up_bias", f"{block}.fc1")
        yield from _affine(f"{block}.down", f"{block}.down_bias", f"{block}.fc2")
        for ours, theirs in (("key", "k"), ("value", "v")) if network.frame.reach is not None else ():
            for axis in ("vertical", "horizontal"):
                table = f"{block}.attn.rel_pos_embed_{theirs}.embeddings_table_{axis[0]}"
                yield f"{block}.{ours}_position.{axis}", table


def _affine(weight: str, bias: str, theirs: str) -> Iterator[tuple[str, str]]:
    yield weight, f"{theirs}.weight"
    yield bias, f"{theirs}.bias"


def _by_part(rows: Tensor) -> Tensor:
    """Returns rows q0, k0, v0, q1, ... as (3, rows / 3, width)."""
    return rows.unflatten(0, (-1, 3)).transpose(0, 1) if len(rows) % 3 == 0 else rows
