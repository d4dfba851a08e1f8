"""Measured multiply-accumulates of modules that no space counts in closed form."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from harness import catalog
from harness.task.signature import Signature


def measured_macs(module: nn.Module, signature: Signature) -> int:
    """Returns the multiply-accumulates of one sample: linear, convolution and attention products."""
    device = next(module.parameters()).device
    modality = catalog.load("modality", signature.kind)
    kept = torch.int64 if modality.vocabulary else torch.float32
    inputs = torch.zeros(1, *modality.shape(signature), dtype=kept, device=device)
    counter = FlopCounterMode(display=False)
    # The fused kernels hide the products of attention from the counter; the plain ones do not.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        module(inputs)
    return int(counter.get_total_flops()) // 2
