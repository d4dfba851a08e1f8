"""Processes that train one network together, as `accelerate launch` or `torchrun` starts them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from harness.errors import HarnessError

if TYPE_CHECKING:
    from torch import nn

PATIENCE = timedelta(days=7)
"""How long a process waits for the others; the first works alone between trainings."""


class Peers(NamedTuple):
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1


@contextmanager
def data_parallel(device: str, *, launched: bool = True) -> Iterator[Peers]:
    """Joins the processes of a launcher: inside, `harness.learn.fit.fit` gives each its share of every batch.

    Every process must build the same network and draw the same batches and architectures, that is, run the
    same code from the same seeds; their weights then stay the same. Only the first writes checkpoints. The
    device is `cpu`, or `cuda` for what the launcher gives to each process.
    """
    if not launched:
        yield Peers()
        return
    from accelerate import PartialState

    state = PartialState(cpu=device == "cpu", timeout=PATIENCE)
    try:
        yield Peers(state.process_index, state.num_processes)
    finally:
        state.destroy_process_group()
        PartialState._reset_state()


def peers() -> Peers:
    """Returns this process's place; the only one of one outside of `data_parallel`."""
    if "torch" not in sys.modules:  # who joined others has imported it
        return Peers()
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        return Peers()
    return Peers(dist.get_rank(), dist.get_world_size())


def told(value: Any) -> Any:
    """Returns the first process's value in every process."""
    import torch.distributed as dist

    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def sum_gradients(module: "nn.Module") -> None:
    """Sums gradients over processes, in one message; the same weights have one everywhere."""
    import torch
    import torch.distributed as dist

    found = [weight.grad for weight in module.parameters() if weight.grad is not None]
    joined = torch.cat([gradient.flatten() for gradient in found])
    dist.all_reduce(joined)
    for gradient, values in zip(found, joined.split([one.numel() for one in found]), strict=True):
        gradient.copy_(values.view_as(gradient))


def average_statistics(module: "nn.Module") -> None:
    """Averages over processes what each saw of its own samples, as BatchNorm keeps it."""
    import torch.distributed as dist

    for buffer in module.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer /= dist.get_world_size()


def agree_on(step: int) -> None:
    """Makes sure that every process goes on from the same step."""
    if told(step) != step:
        raise HarnessError("The processes do not see the same checkpoint; give them one run folder.")
