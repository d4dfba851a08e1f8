"""Initial values: one scheme for all networks of tokens, so that no two forms differ by it alone.

- A matrix that reads tokens, patches or pixels (the first of attention, MLP and mixer; the head; the
  embedding of images) is normal with a standard deviation of fan-in^-1/2, as is the kernel of a depth-wise
  convolution.
- A matrix that adds to the tokens (the last of attention, mixer and MLP): (2 layers x fan-in)^-1/2.
- The embedding of bytes or tokens: 1, or width^-1/2 where it gives the logits, too.
- Learned positions start as the sines and cosines that others keep; a class token has none and is zero.
  Relative positions are normal, 0.02.
- Scales of norms are one and biases zero, but for those of a recurrence's forget gates: even from 0 to 4 over
  its channels, memories of 2 to 55 tokens.

Networks of convolutions with batch norms, and those of `timm:NAME`, start as their own code says.

Source: fan-in, LeCun et al. 1998 (Efficient BackProp), section 4.6; what adds to the tokens, Radford et al.
2019 (GPT-2), section 2.3, whose N are the two additions of each layer; forget gates, Gu et al. 2020 (arXiv
1910.09890), evenly instead of drawn.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from harness.nn.positions import sine_cosine

RELATIVE = 0.02
FORGET = 4.0


def reading(*shape: int, fan_in: int | None = None) -> nn.Parameter:
    """Returns a matrix, or kernel, that reads `fan_in` channels; those of its last dimension by default."""
    return nn.Parameter(torch.randn(shape) * (fan_in or shape[-1]) ** -0.5)


def adding(width: int, inner: int, layers: int) -> nn.Parameter:
    """Returns a matrix (width, inner) that adds to the tokens of a network of so many layers."""
    return nn.Parameter(torch.randn(width, inner) * (inner * 2 * layers) ** -0.5)


def embedding(tokens: int, width: int, *, is_head: bool = False) -> nn.Parameter:
    """Returns a vector for each of the tokens, (tokens, width); `is_head` where it gives the logits, too."""
    return nn.Parameter(torch.randn(tokens, width) * (width**-0.5 if is_head else 1.0))


def positions(tokens: int, width: int) -> nn.Parameter:
    """Returns learned positions, (tokens, width)."""
    return nn.Parameter(sine_cosine(tokens, width, torch.get_default_device()).clone())


def relative(rows: int, width: int) -> nn.Parameter:
    """Returns learned vectors of relative positions, (rows, width)."""
    return nn.Parameter(torch.randn(rows, width) * RELATIVE)


def zeros(*shape: int) -> nn.Parameter:
    """Returns a bias, or what else starts at zero."""
    return nn.Parameter(torch.zeros(shape))


def forget_gates(channels: int) -> nn.Parameter:
    """Returns the biases of a recurrence's forget gates, (channels,)."""
    return nn.Parameter(torch.linspace(0.0, FORGET, channels))


def start(*, reads: Sequence[nn.Module], adds: Sequence[nn.Module] = (), layers: int) -> None:
    """Gives layers of torch the values of matrices that read, and of those that add to the tokens."""
    for module in reads:
        _draw(module, 1)
    for module in adds:
        _draw(module, 2 * layers)


def _draw(module: nn.Module, times: int) -> None:
    weight = module.get_parameter("weight")
    nn.init.normal_(weight, std=(weight[0].numel() * times) ** -0.5)
    if isinstance(bias := getattr(module, "bias", None), Tensor):
        nn.init.zeros_(bias)
