"""A chain of layers that each are an identity or an inverted bottleneck; alone, or all options at once."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from harness.task.signature import Signature

ChainLayer = tuple[int, int, int]
"""One place of the chain: channels that come and go, and the stride between."""
Bottleneck = tuple[int, int]
"""An option: channels in the middle over channels that come, and the side of the depth-wise kernel."""


def option_modules(layer: ChainLayer, option: Bottleneck | None) -> nn.Module:
    """Returns the modules of an option in its place; None means the identity, projected where it must be."""
    inputs, outputs, stride = layer
    if option is None:
        if stride == 1 and inputs == outputs:
            return nn.Identity()
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    expansion, kernel = option
    middle = inputs * expansion
    return nn.Sequential(
        nn.Conv2d(inputs, middle, 1, bias=False),
        nn.BatchNorm2d(middle),
        nn.ReLU6(),
        nn.Conv2d(middle, middle, kernel, stride, kernel // 2, groups=middle, bias=False),
        nn.BatchNorm2d(middle),
        nn.ReLU6(),
        nn.Conv2d(middle, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ChainNetwork(nn.Module):
    """3x3 stem, the chain, 1x1 convolution, mean over pixels, and classifier.

    Source: Su et al. 2021 (arXiv 2103.11922), NAS-Bench-Macro. A bottleneck has a residual where its shape
    allows one.
    """

    def __init__(
        self,
        layers: Sequence[ChainLayer],
        last: int,
        signature: Signature,
        options: Sequence[Sequence[tuple[str, Bottleneck | None]]],
        route: Sequence[str] | None = None,
    ) -> None:
        """Makes the modules of `options`, per layer; `route` is what runs when `forward` gets none."""
        super().__init__()
        self.route = route
        self.layers = layers
        self.residual = {name for layer in options for name, option in layer if option is not None}
        first, outputs = layers[0][0], layers[-1][1]
        self.stem = nn.Sequential(
            nn.Conv2d(signature.channels, first, 3, padding=1, bias=False), nn.BatchNorm2d(first)
        )
        self.blocks = nn.ModuleList(
            nn.ModuleDict({name: option_modules(layer, option) for name, option in offered})
            for layer, offered in zip(layers, options, strict=True)
        )
        self.last = nn.Sequential(nn.Conv2d(outputs, last, 1, bias=False), nn.BatchNorm2d(last))
        self.head = nn.Linear(last, signature.classes)

    def forward(self, inputs: Tensor, route: Sequence[str] | None = None) -> Tensor:
        """Returns logits, (batch, classes), of the sub-network `route`: one option name per layer."""
        chosen = route or self.route
        if chosen is None:
            raise ValueError("A supernet needs a route.")
        hidden = F.relu6(self.stem(inputs))
        for (before, after, stride), offered, name in zip(self.layers, self.blocks, chosen, strict=True):
            assert isinstance(offered, nn.ModuleDict)
            output = offered[name](hidden)
            keeps = stride == 1 and before == after and name in self.residual
            hidden = output + hidden if keeps else output
        pooled = F.relu6(self.last(hidden)).mean(dim=(2, 3))
        logits: Tensor = self.head(pooled)
        return logits
