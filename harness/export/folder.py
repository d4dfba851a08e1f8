"""The folder of a network that left its run: written whole or not at all, and read as it was written."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from safetensors.torch import save as tensors_of
from torch import Tensor, nn

from harness.errors import HarnessError, UnknownNameError
from harness.export.card import card_text
from harness.export.causal import LLAMA, from_llama
from harness.export.formats import FORMATS, Leaving
from harness.files import canonical_json, file_hash, folder_beside, unwritable, write_atomically
from harness.guard.paths import path_part
from harness.guard.text import parse_json, read_text, reason_of
from harness.identity.schema import Schema
from harness.learn.fit import seeded
from harness.learn.modality import random_inputs
from harness.nn.released import misfit
from harness.study.network import NetworkFacts, RowNetwork

WEIGHTS: Final = "model.safetensors"
CONFIG: Final = "config.json"
CARD: Final = "README.md"
MEMBER: Final = "harness"
"""What of a config is ours; the rest is what other libraries read."""
SCHEMA: Final = 1
"""Of our part of a config."""
PROBED: Final = 8
"""Outputs that are kept, the last ones, so that code which changed since is found out."""
FOREIGN: Final = "file"
"""The baselines that run a Python file which their name says."""
FAR: Final = 1e-3
"""How far an output may be from the kept one, of its size and at least of 1: machines round differently."""


@dataclass(frozen=True, kw_only=True)
class ExportedConfig(Schema):
    """Our part of a config.

    Attributes:
        network: its facts.
        layout: how the weights are named, where these are not our names.
        probe: the last outputs for inputs that are drawn from seed 0.
        files: name -> sha256 of each file beside config and card.
    """

    network: NetworkFacts
    layout: str
    probe: tuple[float, ...]
    files: Mapping[str, str]


def check_target(folder: Path, format_name: str) -> None:
    """Makes sure, before anything is made, that a network can be written there in that form.

    Raises:
        UnknownNameError: there is no such form.
        HarnessError: the folder holds something.
    """
    if format_name not in FORMATS:
        raise UnknownNameError("format", format_name, FORMATS)
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise HarnessError(f"{folder} is no empty folder; choose another --to, or empty it.")


def write_network(found: RowNetwork, folder: Path, format_name: str) -> str:
    """Writes a network as a new folder; the same network gives the same bytes.

    Returns:
        The lines of Python that load it, where FOLDER stands for the folder.

    Raises:
        UnknownNameError: there is no such form.
        HarnessError: the folder holds something, the network has no such form, or a package for it lacks.
    """
    check_target(folder, format_name)
    module = _restored(found.facts, read_tensors(found.weights))
    folder = folder.resolve()
    with folder_beside(folder) as part:
        try:
            loads = _fill(found, module, part, format_name)
            part.rename(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
    return loads


def _fill(found: RowNetwork, module: nn.Module, place: Path, format_name: str) -> str:
    facts = found.facts
    form = FORMATS[format_name]
    added = form.add(Leaving(module, facts.blueprint.signature, place))
    weights = module.state_dict() if added.weights is None else added.weights
    told = {"architecture": canonical_json(facts.blueprint.to_json()), "row": facts.row}
    told |= {"record_sha256": facts.record, "run_weights_sha256": facts.weights, "format": "pt"}
    write_atomically(place / WEIGHTS, _safetensors(weights, told))
    files = {one.name: file_hash(one) for one in sorted(place.iterdir())}
    probe = tuple(_probe(module, facts))
    ours = ExportedConfig(network=facts, layout=added.layout, probe=probe, files=files)
    config: dict[str, Any] = {**added.members, MEMBER: ours.to_json() | {"schema": SCHEMA}}
    config[MEMBER] |= {"checksum": _checksum(config)}
    write_atomically(place / CONFIG, canonical_json(config, indent=1) + "\n")
    loads = added.loads or form.loads
    if _runs_code(facts):
        loads = loads.replace("load(FOLDER)", "load(FOLDER, trust=True)")
    write_atomically(place / CARD, card_text(found, loads, files))
    return loads


def load(folder: str | Path, *, trust: bool = False) -> nn.Module:
    """Returns the network that `harness export` wrote into a folder, ready for evaluation.

    It is made by the catalog that is here, and has to give what it gave when it was exported.

    Args:
        folder: that was written.
        trust: whether a Python file may run that the folder names, as those of `--model FILE:FUNCTION` do.

    Raises:
        HarnessError: there is none, a file is not what was written, or the catalog makes another network.
    """
    folder = Path(folder)
    config = _config(folder, trust=trust)
    for name, wanted in config.files.items():
        _check(folder / path_part("file", name), wanted)
    facts = config.network
    try:
        weights = read_tensors((folder / WEIGHTS).read_bytes())
    except SafetensorError as error:
        raise HarnessError(f"{folder / WEIGHTS} holds no weights: {reason_of(error)}.") from error
    module = _restored(facts, weights, config.layout)
    given, kept = torch.tensor(_probe(module, facts)), torch.tensor(config.probe)
    if given.shape != kept.shape or ((given - kept).abs() > FAR * kept.abs().clamp(min=1)).any():
        raise HarnessError(
            f"The code of {_source(facts)} computes something else than when {folder} was exported; use the "
            f"version {facts.engine} of the harness, and the entry as it was."
        )
    return module


def _check(file: Path, sha256: str) -> None:
    try:
        is_whole = file_hash(file) == sha256
    except OSError as error:
        raise HarnessError(f"{file} cannot be read ({error.strerror}); export it again.") from error
    if not is_whole:
        raise HarnessError(f"{file} is damaged: it is not what was written; export it again.")


def facts_in(folder: Path) -> NetworkFacts:
    """Returns what is told of the network in a folder; raises as `load` does for its config."""
    return _config(folder, trust=False).network


def _config(folder: Path, *, trust: bool) -> ExportedConfig:
    if not (folder / CONFIG).is_file():
        raise HarnessError(f"{folder} has no {CONFIG}; give a folder that `harness export` wrote.")
    damaged = f"{folder / CONFIG} is damaged: it is not what was written; export it again."
    try:
        config = parse_json(read_text(folder / CONFIG))
    except ValueError as error:
        raise HarnessError(damaged) from error
    if not isinstance(config, dict) or not isinstance(ours := config.get(MEMBER), dict):
        raise HarnessError(
            f"{folder} holds no network of the harness; give a folder that `harness export` wrote."
        )
    if ours.pop("checksum", None) != _checksum(config):
        raise HarnessError(damaged)
    if (schema := ours.pop("schema", None)) != SCHEMA:
        raise HarnessError(
            f"{folder} has schema {schema}, this version reads {SCHEMA}; export it again from the run."
        )
    config = ExportedConfig.from_json(ours)
    if _runs_code(config.network) and not trust:
        raise HarnessError(
            f"The network of {folder} is made by code that loading it would run, "
            f"{config.network.blueprint.method}; write harness.load(FOLDER, trust=True) where you trust it."
        )
    return config


def _runs_code(facts: NetworkFacts) -> bool:
    return FOREIGN in facts.blueprint.method.split(":")


def _checksum(config: Mapping[str, Any]) -> str:
    """Returns the sha256 of a config, whose own checksum is none of it."""
    return hashlib.sha256(canonical_json(config).encode()).hexdigest()


def _restored(facts: NetworkFacts, weights: Mapping[str, Tensor], layout: str = "") -> nn.Module:
    """Returns the network with its weights, which have to be those of what the catalog makes."""
    with seeded(0):
        module = facts.blueprint.build().eval()
    wanted = module.state_dict()
    if layout == LLAMA:
        weights = from_llama(weights, wanted)
    if wrong := misfit(wanted, weights):
        raise HarnessError(
            f"{_source(facts)} makes another network than the one that was trained, which {wrong}; use the "
            f"version {facts.engine} of the harness, and the entry as it was."
        )
    module.load_state_dict(weights)
    return module


def _source(facts: NetworkFacts) -> str:
    return facts.blueprint.space or facts.blueprint.method


@torch.no_grad()
def _probe(module: nn.Module, facts: NetworkFacts) -> list[float]:
    """Returns the last outputs of a network for inputs that are drawn from seed 0."""
    with seeded(0):
        inputs = random_inputs(facts.blueprint.signature, 2)
    return [float(one) for one in module(inputs).flatten()[-PROBED:]]


def _safetensors(weights: Mapping[str, Tensor], told: Mapping[str, str]) -> bytes:
    """Returns tensors in safetensors, with the members of its header sorted: it has them in any order."""
    kept = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    data = tensors_of(kept, metadata=dict(told))
    (length,) = struct.unpack("<Q", data[:8])
    head = canonical_json(json.loads(data[8 : 8 + length])).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data[8 + length :]
