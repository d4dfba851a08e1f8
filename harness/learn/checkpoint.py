"""Checkpoints, so that an interrupted training ends in the same bytes as an undisturbed one.

One safetensors file holds weights, optimizer tensors and generator states; its metadata says in JSON which
training it belongs to, the step to go on from, the states of Python's and numpy's generators, and a digest of
all of it.
"""

import hashlib
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from harness.files import canonical_json, write_atomically
from harness.guard.text import parse_json, reason_of

LARGEST_SHARE = 0.02
"""Largest share of a training's time that goes into writing its checkpoints."""

Stream = random.Random | np.random.Generator


class Resumable(Protocol):
    """Something besides weights and generators that a training needs in order to go on."""

    def state(self) -> dict[str, Tensor]:
        """Returns the tensors that restore it."""
        return {}

    def restore(self, state: Mapping[str, Tensor], module: nn.Module) -> None:
        """Takes back what `state` gave; `module` has its weights already."""


@dataclass(kw_only=True)
class Checkpoint:
    """Where and how often a training is kept, and the generators that it draws from.

    torch's own generators are always kept. A damaged file, or one of another training, is as good as none.

    Attributes:
        path: the file; it lies in the unit's folder.
        owner: whose training it is, so that another's file in its place is not used.
        streams: name -> generator of batches, architectures and whatever else the training draws.
        strategy: what else it remembers.
        seconds: a file is written when this many have passed since the last, or more where writing is slow.
        steps: a file is written after each this many steps instead.
    """

    path: Path
    owner: str = ""
    streams: Mapping[str, Stream] = field(default_factory=dict)
    strategy: Resumable | None = None
    seconds: float = 20.0
    steps: int | None = None
    _due: float = field(default=0.0, init=False)

    def resume(self, training: "Training") -> int:
        """Restores what was kept and returns the step to go on from, 0 when there is nothing to restore."""
        step = 0
        kept = _read(self.path, _identity(training, self))
        if kept is not None:
            _restore(kept, training, self)
            step = kept.header["step"]
        self._due = perf_counter() + self.seconds
        return step

    def offer(self, training: "Training", step: int) -> None:
        """Writes the file if it is due; `step` is the one to go on from."""
        if self.steps is None and perf_counter() < self._due:
            return
        if self.steps is not None and step % self.steps:
            return
        started = perf_counter()
        self.write(training, step)
        ended = perf_counter()
        self._due = ended + max(self.seconds, (ended - started) / LARGEST_SHARE)

    def write(self, training: "Training", step: int) -> None:
        """Writes the file; `step` is the one to go on from."""
        write_atomically(self.path, _written(training, self, step))

    def delete(self) -> None:
        """Deletes the file, if there is one."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a checkpoint is taken of.

    Attributes:
        module: the network.
        optimizer: its optimizer, which keeps only tensors.
        recipe: all that says how it is trained, as JSON; a checkpoint of another recipe is not used.
    """

    module: nn.Module
    optimizer: torch.optim.Optimizer
    recipe: Mapping[str, Any]


class _Kept(NamedTuple):
    header: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def part(self, prefix: str) -> dict[str, Tensor]:
        start = f"{prefix}/"
        return {name[len(start) :]: one for name, one in self.tensors.items() if name.startswith(start)}


def _written(training: Training, checkpoint: Checkpoint, step: int) -> bytes:
    tensors = {f"module/{name}": value for name, value in training.module.state_dict().items()}
    for index, weight in enumerate(_weights(training.optimizer)):
        for name, value in training.optimizer.state.get(weight, {}).items():
            tensors[f"optimizer/{index}/{name}"] = value
    if checkpoint.strategy is not None:
        tensors |= {f"strategy/{name}": value for name, value in checkpoint.strategy.state().items()}
    tensors["torch/cpu"] = torch.random.get_rng_state()
    device = _device(training)
    if device.type == "cuda":
        tensors["torch/cuda"] = torch.cuda.get_rng_state(device)
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    header: dict[str, Any] = {
        "training": _identity(training, checkpoint),
        "step": step,
        "streams": {name: _stream_state(stream) for name, stream in checkpoint.streams.items()},
    }
    text = canonical_json(header)
    return save(copies, metadata={"header": text, "sha256": _digest(text, copies)})


def _identity(training: Training, checkpoint: Checkpoint) -> str:
    """Returns what a file must agree on to be of this training."""
    told = {
        "owner": checkpoint.owner,
        "recipe": dict(training.recipe),
        "shapes": {name: list(value.shape) for name, value in training.module.state_dict().items()},
        "streams": sorted(checkpoint.streams),
        "strategy": type(checkpoint.strategy).__name__,
        "torch": torch.__version__,
    }
    return canonical_json(told)


def _read(path: Path, identity: str) -> _Kept | None:
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        _tell(path, reason_of(error))
        return None
    text = metadata.get("header", "")
    if metadata.get("sha256") != _digest(text, tensors):
        _tell(path, "its digest is wrong")
        return None
    try:
        header = parse_json(text)
    except ValueError as error:
        _tell(path, f"its header is no JSON ({error})")
        return None
    if not isinstance(header, dict) or header.get("training") != identity:
        _tell(path, "it is of another training")
        return None
    return _Kept(header, tensors)


def _restore(kept: _Kept, training: Training, checkpoint: Checkpoint) -> None:
    training.module.load_state_dict(kept.part("module"))
    for index, weight in enumerate(_weights(training.optimizer)):
        state = kept.part(f"optimizer/{index}")
        if state:
            training.optimizer.state[weight] = {name: _like(weight, state[name]) for name in state}
    if checkpoint.strategy is not None:
        checkpoint.strategy.restore(kept.part("strategy"), training.module)
    for name, stream in checkpoint.streams.items():
        _restore_stream(stream, kept.header["streams"][name])
    torch.random.set_rng_state(kept.tensors["torch/cpu"])
    if "torch/cuda" in kept.tensors:
        torch.cuda.set_rng_state(kept.tensors["torch/cuda"], _device(training))


def _like(weight: Tensor, value: Tensor) -> Tensor:
    """Returns `value` laid out in memory as the optimizer made it, so that sums round alike."""
    if value.shape != weight.shape or not weight.dim():
        return value.clone()
    return torch.empty_like(weight, memory_format=torch.preserve_format, requires_grad=False).copy_(value)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _device(training: Training) -> torch.device:
    return next(training.module.parameters()).device


def _stream_state(stream: Stream) -> Any:
    if isinstance(stream, random.Random):
        return stream.getstate()
    return stream.bit_generator.state


def _restore_stream(stream: Stream, state: Any) -> None:
    if isinstance(stream, random.Random):
        version, words, normal = state
        stream.setstate((version, tuple(words), normal))
    else:
        stream.bit_generator.state = state


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(canonical_json([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _tell(path: Path, reason: str) -> None:
    logging.getLogger(__name__).warning("%s is not used, training starts anew: %s.", path, reason)
