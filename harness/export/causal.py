"""Networks of bytes in the form of transformers: LLaMA's as its own class, others with their code."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.export.source import stand_alone
from harness.files import canonical_json, write_atomically
from harness.learn.modality import modality_of
from harness.nn.networks.decoder import Decoder, DecoderBlock
from harness.nn.networks.gpt import GptDecoder
from harness.nn.networks.hybrid import HybridNet
from harness.task.signature import Signature

LLAMA: Final = "llama"
"""What the layout of weights is called that `LlamaForCausalLM` reads."""
START: Final = "<|start|>"
FIRST: Final = 0
"""The token that stands before a document, and its byte."""
BASE: Final = 1000.0
"""Of the rotation, as `harness.nn.positions` has it."""
MODELING: Final = "modeling_harness.py"
_PARTS: Final = ("q_proj", "k_proj", "v_proj")
_PLAIN: Final = {
    "attention_norm": "input_layernorm",
    "outward": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}
"""Our name of a layer in a block -> LLaMA's."""
_ENDS: Final = {
    "embed.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}


_AUTO: Final = {"AutoConfig": "HarnessConfig", "AutoModelForCausalLM": "HarnessForCausalLM"}
"""Class of transformers that chooses one -> the one in the code beside the weights."""


class Causal(NamedTuple):
    """Members of a config.json, and the weights under its names, in a layout of that name."""

    members: dict[str, Any]
    weights: dict[str, Tensor]
    layout: str


def causal(module: nn.Module, signature: Signature, place: Path) -> Causal:
    """Writes what transformers needs beside a config and weights, and returns those.

    Raises:
        HarnessError: it is no network of bytes, or its code is none that transformers could be given.
    """
    if modality_of(signature.kind).gives != "bits":
        raise HarnessError(
            "transformers gets networks that predict the next byte, and this one answers for samples of kind "
            f"{signature.kind}; choose --format safetensors, torch or onnx, or timm for images."
        )
    _write_tokenizer(place, signature.context)
    shared = {
        "bos_token_id": FIRST,
        "dtype": "float32",
        "max_position_embeddings": signature.context,
        "vocab_size": signature.classes,
        "tie_word_embeddings": False,
        "eos_token_id": None,  # no byte ends a document  # nosec B105
    }
    if isinstance(module, Decoder) and _is_llama(module):
        return Causal(shared | _llama_config(module), to_llama(module.state_dict()), LLAMA)
    kind, arguments, made = _shape(module)
    code = stand_alone(kind.__module__, kind.__name__)
    template = Path(__file__).with_name("modeling.txt").read_text(encoding="utf-8")
    for name, part in {"IMPORTS": code.imports, "DEFINITIONS": code.definitions, "MADE": made}.items():
        template = template.replace(name, part, 1)
    write_atomically(place / MODELING, template)
    classes = {name: f"{MODELING.removesuffix('.py')}.{kind}" for name, kind in _AUTO.items()}
    remote = {
        "model_type": "harness_bytes",
        "architectures": [_AUTO["AutoModelForCausalLM"]],
        "auto_map": classes,
        "is_decoder": True,
        "use_cache": False,
        "network": arguments,
    }
    return Causal(shared | remote, dict(module.state_dict()), "")


def _shape(module: nn.Module) -> tuple[type[nn.Module], dict[str, Any], str]:
    """Returns class of a network, its arguments as JSON, and the expression that makes it of those."""
    if isinstance(module, HybridNet):
        arguments = {"signature": asdict(module.signature), "shape": asdict(module.largest)}
        arguments |= {"form": asdict(module.form)}
        made = (
            'HybridNet(Signature(**made["signature"]), [[one] for one in made["shape"]["mixers"]], '
            'HybridShape(**made["shape"]), is_grid=False, is_pooled=False, form=HybridForm(**made["form"]))'
        )
        return HybridNet, arguments, made
    if isinstance(module, GptDecoder):
        arguments = {"frame": asdict(module.frame), "shape": module.largest._asdict()}
        return (
            GptDecoder,
            arguments,
            'GptDecoder(GptFrame(**made["frame"]), TransformerShape(**made["shape"]))',
        )
    if isinstance(module, Decoder):
        return Decoder, _decoder(module), "Decoder(**made)"
    raise HarnessError(
        f"The code of {type(module).__name__} is none of ours, so transformers cannot be given it; choose "
        "--format safetensors, torch or onnx."
    )


def _is_llama(module: Decoder) -> bool:
    return "blocks.0.gate.weight" in module.state_dict()


def _decoder(module: Decoder) -> dict[str, Any]:
    """Returns the arguments that make a decoder."""
    first = module.get_submodule("blocks.0")
    assert isinstance(first, DecoderBlock)
    return {
        "width": module.embed.embedding_dim,
        "depth": len(module.blocks),
        "heads": first.heads,
        "hidden": first.down.in_features,
        "classes": module.classes,
        "is_llama": _is_llama(module),
    }


def _llama_config(module: Decoder) -> dict[str, Any]:
    made = _decoder(module)
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": made["width"],
        "num_hidden_layers": made["depth"],
        "num_attention_heads": made["heads"],
        "num_key_value_heads": made["heads"],
        "head_dim": made["width"] // made["heads"],
        "intermediate_size": made["hidden"],
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": BASE,  # transformers 4 reads this one, 5 the next
        "rope_parameters": {"rope_type": "default", "rope_theta": BASE},
        "attention_bias": False,
        "mlp_bias": False,
    }


def to_llama(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the weights of a decoder under LLaMA's names, with queries, keys and values apart."""
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name in _ENDS:
            found[_ENDS[name]] = value
            continue
        _, layer, part, _ = name.split(".")
        block = f"model.layers.{layer}"
        if part == "inward":
            each = zip(_PARTS, value.chunk(len(_PARTS)), strict=True)
            found |= {f"{block}.self_attn.{one}.weight": rows for one, rows in each}
        else:
            found[f"{block}.{_PLAIN[part]}.weight"] = value
    return found


def from_llama(weights: Mapping[str, Tensor], ours: Iterable[str]) -> dict[str, Tensor]:
    """Returns what `to_llama` was given, by the names that it had."""
    found = {}
    for name in ours:
        if name in _ENDS:
            found[name] = weights[_ENDS[name]]
            continue
        _, layer, part, _ = name.split(".")
        block = f"model.layers.{layer}"
        if part == "inward":
            found[name] = torch.cat([weights[f"{block}.self_attn.{one}.weight"] for one in _PARTS])
        else:
            found[name] = weights[f"{block}.{_PLAIN[part]}.weight"]
    return found


def _write_tokenizer(place: Path, context: int) -> None:
    """Writes a tokenizer whose tokens are bytes, so that a text begins with byte 0 as in training."""
    letters = _letters()
    start = {"id": FIRST, "content": START, "special": True, "normalized": False}
    start |= {"single_word": False, "lstrip": False, "rstrip": False}
    shape = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    piece = {"Sequence": {"id": "A", "type_id": 0}}
    before = {"SpecialToken": {"id": START, "type_id": 0}}
    vocabulary = {START: FIRST} | {letter: byte for byte, letter in letters.items() if byte != FIRST}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [start],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", **shape},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [before, piece],
            "pair": [before, piece, {"Sequence": {"id": "B", "type_id": 0}}],
            "special_tokens": {START: {"id": START, "ids": [FIRST], "tokens": [START]}},
        },
        "decoder": {"type": "ByteLevel", **shape},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": START,
        "model_max_length": context,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
    }
    write_atomically(place / "tokenizer.json", canonical_json(tokenizer, indent=1) + "\n")
    write_atomically(place / "tokenizer_config.json", canonical_json(config, indent=1) + "\n")


def _letters() -> dict[int, str]:
    """Returns byte -> the letter that stands for it in byte-level tokenizers, as GPT-2 chose them."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + at) for at, byte in enumerate(others)}
