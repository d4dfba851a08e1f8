"""Zero-cost proxies: scores of an untrained network that cost one batch rather than a training.

Functions of activations and norms are recognised where they are called, so that a module which calls
`F.gelu` counts as one that holds `nn.GELU`.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from harness.errors import UnknownNameError
from harness.learn.modality import modality_of, random_inputs
from harness.space.choices import SearchSpace
from harness.space.form import Architecture
from harness.task.signature import Signature

if TYPE_CHECKING:
    from torch import Tensor, nn

PROXIES = ("parameters", "synflow", "naswot")
BATCH = 32
"""Random inputs that NASWOT tells apart."""
BENT = (
    *("relu", "gelu", "silu", "elu", "hardtanh", "relu6"),
    *("leaky_relu", "hardswish", "mish", "selu", "celu", "prelu"),
)
"""Activations whose signs NASWOT reads."""
Rewrite = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


def proxy_score(name: str, space: SearchSpace, architecture: Architecture, seed: int) -> float:
    """Returns the proxy of an untrained network, higher is better; minus infinity where it has none.

    Args:
        name: one of `PROXIES`.
        seed: of the initial values and of the random inputs; the caller's generator is left alone.
    """
    if name not in PROXIES:
        raise UnknownNameError("zero-cost proxy", name, PROXIES)
    if name == "parameters":
        return float(space.parameters(architecture))
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.random.manual_seed(seed)
        module = space.networks.build(architecture)
        inputs = random_inputs(space.signature, BATCH)
    score = synflow(module, space.signature) if name == "synflow" else naswot(module, inputs)
    return score if math.isfinite(score) else -math.inf


def synflow(module: "nn.Module", signature: Signature) -> float:
    """Returns the logarithm of the synaptic flow: the sum over parameters of |weight x gradient|.

    The module is used up: its weights are absolute and in float64 afterwards.

    The gradient is that of the summed outputs for an input of ones, with absolute weights, in float64; batch
    norms only scale and shift, and the input of ones of an embedding is the sum of its rows.

    Source: Tanaka et al. 2020 (arXiv 2006.05467), equation 2. Ours: products are made absolute, as positions
    make some negative; matrices that start at zero, which would stop all flow, are drawn; layer norms divide
    by the root mean square, held constant, as gates multiply the flow by itself and would overflow.
    """
    import torch

    module = module.double().eval()
    modality = modality_of(signature.kind)
    kept = torch.int64 if modality.vocabulary else torch.float64
    inputs = torch.ones(1, *modality.shape(signature), dtype=kept)
    drawn = torch.Generator().manual_seed(0)
    weights = [weight for weight in module.parameters() if weight.requires_grad]
    with torch.no_grad():
        for weight in weights:
            if weight.dim() > 1 and not weight.any():
                fresh = torch.randn(weight.shape, generator=drawn, dtype=weight.dtype)
                weight.copy_(fresh * weight[0].numel() ** -0.5)
            weight.abs_()
    with _rewriting(_without_norms()):
        flow = module(inputs).sum()
    gradients = torch.autograd.grad(flow, weights, allow_unused=True)
    total = sum(
        float((weight.detach() * gradient).abs().sum())
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is not None
    )
    return math.log(total) if total > 0 else -math.inf


def naswot(module: "nn.Module", inputs: "Tensor") -> float:
    """Returns the log-determinant of the kernel that counts equal activation signs of two inputs.

    Args:
        module: any network, of which only modes are changed; batch norms use the batch's statistics.
        inputs: a batch, shape (batch, ...); equal inputs make the kernel singular, minus infinity.

    Source: Mellor et al. 2021 (arXiv 2006.04647), equation 2, where the codes are of ReLUs. Ours: of ReLU,
    GELU, SiLU, ELU and their kin; of sigmoid and tanh only where there are no others.
    """
    import torch
    import torch.nn.functional as F
    from torch import nn

    module = module.eval()
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.train()
    bent: set[Any] = {getattr(F, name) for name in BENT}
    bent |= {torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_}
    squashed = {getattr(owner, name) for owner in (torch, F, torch.Tensor) for name in ("sigmoid", "tanh")}
    size = len(inputs)
    kernels: dict[bool, Tensor] = {
        kind: torch.zeros(size, size, dtype=torch.float64) for kind in (True, False)
    }

    def count(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function in bent or function in squashed:
            before = args[0] if args else kwargs["input"]
            if before.shape[0] == size:
                code = (before > 0).flatten(1).float()  # counts stay exact below 2 ** 24
                kernels[function in bent] += (code @ code.T + (1 - code) @ (1 - code).T).double()
        return function(*args, **kwargs)

    with torch.no_grad(), _rewriting(count):
        module(inputs)
    kernel = kernels[True] if kernels[True].any() else kernels[False]
    sign, logarithm = torch.linalg.slogdet(kernel)
    return float(logarithm) if sign > 0 and math.isfinite(logarithm) else -math.inf


def _rewriting(rewrite: Rewrite) -> AbstractContextManager[Any]:
    """Returns a context in which every call of a torch function goes through `rewrite`."""
    from torch.overrides import TorchFunctionMode

    class Rewriting(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            return rewrite(func, args, kwargs or {})

    return Rewriting()


def _without_norms() -> Rewrite:
    """Returns the rewriting of norms to their scale and shift, and of embeddings to the sum of their rows."""
    import torch.nn.functional as F

    def layer_norm(
        inputs: "Tensor", shape: Any, weight: Any = None, bias: Any = None, **rest: Any
    ) -> "Tensor":
        return _affine(inputs / inputs.detach().square().mean().sqrt().clamp_min(1e-12), weight, bias)

    def group_norm(
        inputs: "Tensor", groups: int, weight: Any = None, bias: Any = None, *rest: Any
    ) -> "Tensor":
        return _affine(inputs.movedim(1, -1), weight, bias).movedim(-1, 1)

    def batch_norm(
        inputs: "Tensor", mean: Any, variance: Any, weight: Any = None, bias: Any = None, **rest: Any
    ) -> "Tensor":
        return _affine(inputs.movedim(1, -1), weight, bias).movedim(-1, 1)

    def embedding(inputs: "Tensor", weight: "Tensor", **rest: Any) -> "Tensor":
        return weight.sum(0).expand(*inputs.shape, -1)

    instead: dict[Any, Callable[..., Any]] = {
        F.layer_norm: layer_norm,
        F.rms_norm: layer_norm,
        F.group_norm: group_norm,
        F.batch_norm: batch_norm,
        F.embedding: embedding,
    }

    def rewrite(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        chosen = instead.get(function)
        return function(*args, **kwargs) if chosen is None else chosen(*args, **kwargs)

    return rewrite


def _affine(inputs: "Tensor", weight: "Tensor | None", bias: "Tensor | None") -> "Tensor":
    scaled = inputs if weight is None else inputs * weight
    return scaled if bias is None else scaled + bias
