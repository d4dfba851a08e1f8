"""What networks cost where no space counts it in closed form: multiply-accumulates, and seconds here."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness import catalog
from harness.task.signature import Signature

LEAST_CALLS = 20
"""Calls of a network that are timed at least, whatever they take, after a quarter as many that are not."""
MOST_CALLS = 1000


def measured_macs(module: nn.Module, signature: Signature) -> int:
    """Returns the multiply-accumulates of one sample: linear, convolution and attention products."""
    counter = FlopCounterMode(display=False)
    # The fused kernels hide the products of attention from the counter; the plain ones do not.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module(_zeros(module, signature, 1))
    return int(counter.get_total_flops()) // 2


def call_seconds(
    module: nn.Module, signature: Signature, batch_size: int, *, seconds: float = 0.5
) -> NDArray[np.float64]:
    """Returns the seconds of each call with a batch that lies on the network's device, shape (calls,).

    Calls are made for so many `seconds`, at least `LEAST_CALLS` and at most `MOST_CALLS`.
    """
    inputs, is_cuda = _zeros(module, signature, batch_size), next(module.parameters()).is_cuda
    took: list[float] = []
    with torch.inference_mode():
        for index in count(-(LEAST_CALLS // 4)):
            begin = perf_counter()
            module(inputs)
            if is_cuda:
                torch.cuda.synchronize()
            if index >= 0:
                took.append(perf_counter() - begin)
            if len(took) >= MOST_CALLS or (len(took) >= LEAST_CALLS and sum(took) >= seconds):
                return np.array(took)
    raise AssertionError


@contextmanager
def threads_of(number: int) -> Iterator[None]:
    """Lets torch use so many threads, and puts back what there were."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _zeros(module: nn.Module, signature: Signature, samples: int) -> Tensor:
    modality = catalog.load("modality", signature.kind)
    kept = torch.int64 if modality.vocabulary else torch.float32
    device = next(module.parameters()).device
    return torch.zeros(samples, *modality.shape(signature), dtype=kept, device=device)
