"""Leading-channel slices of convolutions and BatchNorms, which the width-elastic supernets share."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "hswish": F.hardswish}


class Reordering(NamedTuple):
    """What was done to one shared tensor, so that an optimizer's state can follow it.

    Attributes:
        tensor: the tensor, reordered in place.
        order: index that each place along the dimension was taken from, int64, shape (length,).
        dimension: the dimension.
    """

    tensor: Tensor
    order: Tensor
    dimension: int


def channels_last(images: Tensor) -> Tensor:
    """Returns equal images in the memory order that makes convolutions on CPUs up to twice as fast.

    The order passes on from layer to layer. Elsewhere images stay as they come.
    """
    return images.to(memory_format=torch.channels_last) if images.device.type == "cpu" else images


def sliced_conv(conv: nn.Conv2d, inputs: Tensor, outputs: int | None = None) -> Tensor:
    """Returns `conv` from as many leading channels as `inputs` has to its `outputs` leading ones.

    A depth-wise convolution gives as many channels as it gets, whatever `outputs`; None means all.
    """
    channels = inputs.shape[1]
    if conv.groups > 1:
        weight, groups = conv.weight[:channels], channels
    else:
        weight, groups = conv.weight[:outputs, :channels], 1
    bias = None if conv.bias is None else conv.bias[:outputs]
    padding = conv.kernel_size[0] // 2
    return F.conv2d(inputs, weight, bias, conv.stride, padding, groups=groups)


def sliced_norm(norm: nn.BatchNorm2d, inputs: Tensor) -> Tensor:
    """Returns `norm` with its leading channels, whose statistics alone are read and, in training, written.

    The count of batches belongs to the whole module: a cumulative average (momentum None) of a slice is
    right only when the statistics were reset before its first batch.
    """
    channels = inputs.shape[1]
    factor = norm.momentum
    if norm.training and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(1)
        if factor is None:
            factor = 1 / int(norm.num_batches_tracked)
    mean, variance = _leading(norm.running_mean, channels), _leading(norm.running_var, channels)
    return F.batch_norm(
        inputs,
        mean,
        variance,
        _leading(norm.weight, channels),
        _leading(norm.bias, channels),
        norm.training or mean is None,
        0.0 if factor is None else factor,
        norm.eps,
    )


def _leading(tensor: Tensor | None, channels: int) -> Tensor | None:
    return None if tensor is None else tensor[:channels]


def layer_norm(width: int) -> nn.ParameterList:
    """Returns the scale and the shift of a LayerNorm, for `sliced_layer_norm`."""
    return nn.ParameterList([torch.ones(width), torch.zeros(width)])


def sliced_layer_norm(tokens: Tensor, affine: nn.ParameterList) -> Tensor:
    """Returns the LayerNorm of tokens, (..., width), with the leading entries of its scale and shift."""
    width = tokens.shape[-1]
    return F.layer_norm(tokens, (width,), affine[0][:width], affine[1][:width])


class ConvNorm(nn.Module):
    """Convolution without bias, BatchNorm and perhaps an activation, on leading channels."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        depthwise: bool = False,
        activation: str | None = None,
        affine: bool = True,
    ) -> None:
        """Makes the widest layer; `activation` is `relu`, `hswish` or None."""
        super().__init__()
        groups = inputs if depthwise else 1
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, affine=affine)
        self.activation = activation

    def forward(self, inputs: Tensor, outputs: int | None = None) -> Tensor:
        """Returns (batch, outputs, height, width); all channels where `outputs` is None."""
        hidden = sliced_norm(self.norm, sliced_conv(self.conv, inputs, outputs))
        return hidden if self.activation is None else ACTIVATIONS[self.activation](hidden)


class SharedByName(nn.Module):
    """The weight-sharing network of any modules whose tensors are leading parts of the largest's.

    Tensors belong together by their names. A slice runs as the module that it is alone, on views of the
    largest's tensors; so do gradients and statistics reach the slice only.
    """

    def __init__(self, build: Callable[[Any], nn.Module], largest: Any) -> None:
        """Makes the largest module; `build` makes that of any architecture."""
        super().__init__()
        self.whole = build(largest)
        self._build = build

    def forward(self, inputs: Tensor, architecture: Any = None) -> Tensor:
        """Returns what the slice of an architecture gives; that of the largest where there is none."""
        if architecture is None:
            whole: Tensor = self.whole(inputs)
            return whole
        with torch.device("meta"):
            alone = self._build(architecture).train(self.training)
        held = self.whole.state_dict(keep_vars=True)
        views = {name: held[name][_corner(tensor)] for name, tensor in alone.state_dict().items()}
        output: Tensor = functional_call(alone, views, (inputs,))
        return output


def copy_leading(
    alone: nn.Module, supernet: nn.Module, given: Mapping[str, Tensor] | None = None
) -> nn.Module:
    """Returns `alone` with the leading part of each tensor of the same name in `supernet` copied in.

    Tensors in `given` take the place of the supernet's. Device and training mode become the supernet's.
    """
    weights = supernet.state_dict() | dict(given or {})
    alone.to(next(supernet.parameters()).device).train(supernet.training)
    with torch.no_grad():
        for name, target in alone.state_dict().items():
            target.copy_(weights[name][_corner(target)])
    return alone


def _corner(tensor: Tensor) -> tuple[slice, ...]:
    return tuple(slice(0, length) for length in tensor.shape)
