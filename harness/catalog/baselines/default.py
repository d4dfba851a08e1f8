"""The plain fixed transformer, in the very code of the searched networks: the attention rung of `hybrid`.

At the size of a preset of `hybrid` it is the default architecture of that preset, weight for weight, so that
a row which finds it scores what it does.

`default:SPACE:PRESET` is the default architecture of a search space, trained alone. It has its own size, as a
window of parameters changes what may be searched and no default, and its row says how many it has.
"""

import random
from collections.abc import Iterator
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any

from harness import FixedBaseline, Signature, SpaceFamily, catalog
from harness.nn.counts import HEAD_WIDTH, mixer_parameters, shell_parameters
from harness.nn.heads import PLAIN_DEPTH, PLAIN_RATIO, nearest_width

if TYPE_CHECKING:
    from torch import nn

PATCH = 4
WIDEST = 1024
LARGE = 1_000_000
"""Parameters from which on a plain transformer is deeper, as the presets of `hybrid` are."""
HEAD_WIDTHS = (8, 16, 32)
DEPTHS = (1, 2, 3, 4, 5, 6, 8)
RATIOS = (0.5, 6.0)
"""Least and largest MLP width over token width of a tuned transformer."""


def _named(name: str) -> FixedBaseline:
    """Returns the baseline `default:SPACE:PRESET`; `default:SPACE` is that of the space's usual preset."""
    space, _, preset = name.partition(":")
    family: SpaceFamily = catalog.load("space", space)
    bound = family.space(preset or None)
    return FixedBaseline(
        summary=f"The default architecture of {bound.name}, trained alone, its own size.",
        build=partial(_default_of, family, preset or None),
        kinds=family.kinds,
        is_matched=False,
    )


def _default_of(
    family: SpaceFamily, preset: str | None, signature: Signature, parameters: int
) -> "nn.Module":
    space = family.space(preset, signature)
    return space.networks.build(space.default())


def _build(
    signature: Signature,
    parameters: int,
    *,
    width: int | None = None,
    depth: int | None = None,
    hidden: int | None = None,
    **form: Any,
) -> "nn.Module":
    """Returns a transformer; without a width the plain one that is nearest to `parameters`."""
    from harness.nn.networks.hybrid import HybridForm, HybridNet, HybridShape

    plain_depth, ratio = _plain(parameters)
    width, depth = width or _plain_width(signature, parameters), depth or plain_depth
    inner = int(width * ratio) if hidden is None else hidden
    return HybridNet(
        signature,
        [["attention"]] * depth,
        HybridShape(width=width, mixers=("attention",) * depth, hidden=(inner,) * depth),
        is_grid=signature.kind == "image",
        is_pooled=signature.kind == "text",
        form=HybridForm(**form),
    )


def _outside(signature: Signature, width: int, *, learns_positions: bool, averages: bool) -> int:
    """Returns the parameters outside of the layers."""
    patches = (signature.height // PATCH) * (signature.width // PATCH)
    image: dict[str, int] = {}
    if signature.kind == "image":
        image = {"pixels": signature.channels * PATCH**2, "patches": patches}
    positions = (patches if image else signature.context) * width if learns_positions else 0
    return positions + shell_parameters(width, signature.classes, **image, averages=averages)


def _plain(parameters: int) -> tuple[int, float]:
    """Returns depth, and MLP width over token width, of the plain transformer of a size."""
    return (PLAIN_DEPTH, PLAIN_RATIO) if parameters < LARGE else (6, 3.0)


@cache
def _plain_width(signature: Signature, parameters: int) -> int:
    depth, ratio = _plain(parameters)

    def size(width: int) -> int:
        layer = 2 * width * (1 + int(width * ratio)) + mixer_parameters("attention", width)
        return depth * layer + _outside(signature, width, learns_positions=False, averages=False)

    return nearest_width(list(range(HEAD_WIDTH, WIDEST, HEAD_WIDTH)), size, parameters)


def _vary(draw: random.Random, signature: Signature, parameters: int) -> dict[str, Any]:
    """Draws positions, head, heads, and a width and depth whose MLP then meets the parameters."""
    is_image = signature.kind == "image"
    every = product(HEAD_WIDTHS, (False, True), (False, True) if is_image else (False,))
    ways = [shapes for form in every if (shapes := list(_shapes(signature, parameters, *form)))]
    return draw.choice(draw.choice(ways)) if ways else {}


def _shapes(
    signature: Signature, parameters: int, head_width: int, learns_positions: bool, averages: bool
) -> Iterator[dict[str, Any]]:
    """Yields every shape of a form that has the parameters, as arguments of `_build`."""
    form = {"head_width": head_width, "learns_positions": learns_positions, "averages": averages}
    for width in range(head_width, WIDEST, head_width):
        outside = _outside(signature, width, learns_positions=learns_positions, averages=averages)
        for depth in DEPTHS if outside < parameters else ():
            layer = (parameters - outside) / depth - mixer_parameters("attention", width)
            hidden = round(layer / (2 * width)) - 1
            if RATIOS[0] * width <= hidden <= RATIOS[1] * width:
                yield {"width": width, "depth": depth, "hidden": hidden, **form}


BASELINE = FixedBaseline(
    named=_named,
    summary="Plain transformer for images, bytes and texts, in the code of the searched networks.",
    build=_build,
    kinds=("image", "bytes", "text"),
    vary=_vary,
)
