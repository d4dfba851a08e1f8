"""Networks that come trained: their view of images, a head of the task, and frozen features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.guard.text import reason_of
from harness.nn.floors import logistic_regression, spread
from harness.nn.released import misfit, read_released
from harness.task.signature import Signature
from harness.task.split import Split

LEAST_SIDE = 112
"""Pixels of the shorter side that a convolutional network which comes trained sees at least: half of 224."""

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)
"""Inverse strengths of the ridge penalty that a head on frozen features is chosen from."""

BATCH = 64


@dataclass(frozen=True, kw_only=True)
class View:
    """How a network that comes trained saw its images.

    Attributes:
        size: height and width in pixels.
        mean: of each of the three channels, of values in [0, 1].
        deviation: standard deviation of each.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    deviation: tuple[float, ...] = (0.5, 0.5, 0.5)


def enlarged(signature: Signature, native: int) -> tuple[int, int]:
    """Returns the least whole multiple of the images' size that reaches 112 pixels, or the native side."""
    scale = -(-min(LEAST_SIDE, native) // min(signature.height, signature.width))
    return (scale * signature.height, scale * signature.width)


class _Seeing(nn.Module):
    """Shows images (batch, 1 or 3, height, width) in [-1, 1] as a network saw those it was trained with."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, view: View) -> None:
        super().__init__()
        self.size = view.size
        self.register_buffer("mean", torch.tensor(view.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(view.deviation).view(3, 1, 1), persistent=False)

    def seen(self, images: Tensor) -> Tensor:
        """Returns what the network is shown, (batch, 3, height, width); one channel is repeated."""
        shown = ((images + 1) / 2 - self.mean) / self.deviation
        if shown.shape[-2:] == self.size:
            return shown
        return F.interpolate(shown, size=self.size, mode="bilinear", antialias=True)


@runtime_checkable
class Frozen(Protocol):
    """A network that comes trained, to whose features a head is fitted."""

    head: nn.Linear

    def inputs(self, splits: Sequence[Split]) -> Sequence[Any]:
        """Returns the samples of splits, as `frozen` reads them."""

    def frozen(self, inputs: Sequence[Any]) -> NDArray[np.float64]:
        """Returns the features of samples, shape (samples, width)."""


class Pretrained(_Seeing):
    """A backbone behind its view of images, and a linear head of the task, which starts at zero.

    The backbone takes (batch, 3, height, width) and gives features (batch, width).

    Raises:
        HarnessError: the task's images have neither one channel nor three.
    """

    def __init__(self, backbone: nn.Module, width: int, signature: Signature, view: View) -> None:
        super().__init__(view)
        if signature.channels not in (1, 3):
            raise HarnessError(
                f"A network that comes trained sees colours, and these images have {signature.channels} "
                "channels where 1 or 3 are read."
            )
        self.backbone = backbone
        self.head = nn.Linear(width, signature.classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, images: Tensor) -> Tensor:
        """Returns the features of images in [-1, 1], shape (batch, width)."""
        found: Tensor = self.backbone(self.seen(images))
        return found

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits

    def inputs(self, splits: Sequence[Split]) -> list[NDArray[np.uint8]]:
        return [image for split in splits for image in split.images]

    @torch.inference_mode()
    def frozen(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        device = self.head.weight.device
        parts = []
        for start in range(0, len(images), BATCH):
            inputs = torch.tensor(np.stack(images[start : start + BATCH])).to(device)
            parts.append(self.features(inputs.float() / 127.5 - 1).double().cpu())
        return np.asarray(torch.cat(parts).numpy(), np.float64)


class ReadyClassifier(_Seeing):
    """An image classifier of transformers behind its view of images, as it is."""

    def __init__(self, network: nn.Module, view: View) -> None:
        super().__init__(view)
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(pixel_values=self.seen(images)).logits
        return logits


class MeanState(nn.Module):
    """The last states of a network of transformers, averaged over its tokens or places: (batch, width)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        states: Tensor = self.network(pixel_values=images).last_hidden_state
        return states.mean(dim=1) if states.dim() == 3 else states.flatten(2).mean(dim=2)


def fit_head(
    module: Frozen, splits: Sequence[Split], value: Callable[[], float], *, higher_is_better: bool
) -> dict[str, float]:
    """Fits the head by logistic regression on frozen features, and leaves the head that does best.

    Args:
        module: in evaluation mode, on its device; only its head changes.
        splits: training splits of the sources; at most 20,000 samples of them, spread evenly, are read.
        value: the module's value on source validation, which chooses among `STRENGTHS`.

    Returns:
        The value at each strength.

    Source: the linear probe of Radford et al. 2021 (CLIP, arXiv 2103.00020), appendix A.3.
    """
    inputs = module.inputs(splits)
    labels = np.concatenate([split.labels for split in splits])
    kept = spread(len(labels))
    features, labels = module.frozen([inputs[place] for place in kept]), labels[kept]
    centre, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0] = 1.0
    values: dict[str, float] = {}
    best: tuple[float, dict[str, Tensor]] | None = None
    for strength in STRENGTHS:
        weights, biases, seen = logistic_regression((features - centre) / scale, labels, strength)
        weights = weights / scale
        _set_head(module.head, weights, biases - weights @ centre, seen)
        reached = value()
        values[repr(strength)] = reached
        gain = reached if higher_is_better else -reached
        if best is None or gain > best[0]:
            best = (gain, {name: tensor.clone() for name, tensor in module.head.state_dict().items()})
    assert best is not None
    module.head.load_state_dict(best[1])
    return values


def _set_head(
    head: nn.Linear, weights: NDArray[np.float64], biases: NDArray[np.float64], seen: NDArray[np.int64]
) -> None:
    """Sets the rows of the classes that were seen; one that was not never wins."""
    rows = torch.from_numpy(seen)
    with torch.no_grad():
        head.weight.zero_()
        head.bias.fill_(float(biases.min()) - 1e4)
        head.weight[rows] = torch.from_numpy(weights).to(head.weight)
        head.bias[rows] = torch.from_numpy(biases).to(head.bias)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Returns the state dict in a file of safetensors or of torch.

    Raises:
        HarnessError: there is no such file, or it holds no state dict.
    """
    if path.suffix != ".safetensors":
        return read_released(path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        raise HarnessError(f"{path} does not hold weights in safetensors: {reason_of(error)}.") from error


def copy_weights(module: nn.Module, weights: Mapping[str, Tensor], origin: str) -> None:
    """Copies `weights` into a module that has exactly these, but for counts of batches.

    Raises:
        HarnessError: a tensor is left over on either side, or has another shape.
    """
    wrong = misfit(module.state_dict(), weights)
    if wrong:
        raise HarnessError(
            f"{origin} does not fit the network: it {wrong}; give weights of the same network by the same "
            "library."
        )
    module.load_state_dict(dict(weights), strict=False)


def pretrained_of_timm(name: str, signature: Signature, parameters: int) -> Pretrained:
    """Returns timm's backbone `name` behind the view of images that it was made for, and a linear head."""
    import timm

    card = timm.get_pretrained_cfg(name)
    backbone: Any = timm.create_model(name, pretrained=False, num_classes=0)
    width: int = getattr(backbone, "head_hidden_size", None) or backbone.num_features
    if card is None:
        return Pretrained(backbone, width, signature, View(size=(signature.height, signature.width)))
    native: tuple[int, int] = card.input_size[1:]
    size = native if card.fixed_input_size else enlarged(signature, min(native))
    view = View(size=size, mean=tuple(card.mean), deviation=tuple(card.std))
    return Pretrained(backbone, width, signature, view)
