"""Any image network of timm by its name, `timm:mobilenetv2_100`, at any input size.

Its weights are random, or come from a file of yours in timm's names: `timm:NAME?weights=FILE`, safetensors or
torch. With `train=head` only a linear head is fitted, to frozen features; otherwise every weight is trained.

A network has its own size: it does not follow the suite's parameters, and its row says how many it has. Small
images are what these networks were not made for. One that needs a fixed input, such as a vision transformer,
is made for this input, with smaller patches; any other sees small images enlarged.
"""

from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import FixedBaseline, HarnessError, Opening, Signature
from harness.errors import UnknownNameError
from harness.learn.baseline import made_of, member_options

if TYPE_CHECKING:
    from torch import nn

LEAST_PATCHES = 7
"""Patches along the shorter side that a network of patches has at least, where the image allows it."""

LEAST_SIDE = 64
"""Pixels of the shorter side below which convolutions with stride 32 would leave a single pixel."""


def _named(name: str) -> FixedBaseline:
    import timm

    name, options = member_options(name, weights=(), train=("all", "head"))
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), n=3, cutoff=0.5)
        if near:
            raise UnknownNameError("network of timm", name, near)
        raise HarnessError(f"timm has no network named {name!r}; `timm.list_models()` shows the names.")
    is_frozen = options.get("train") == "head"
    weights = Path(options["weights"]) if "weights" in options else None
    used = "a linear head on frozen features" if is_frozen else "fine-tuned" if weights else "its own size"
    return FixedBaseline(
        summary=f"{name} of timm, {f'weights of {weights}' if weights else 'random weights'}, {used}.",
        build=partial(_pretrained if weights or is_frozen else _build, name),
        kinds=("image",),
        is_matched=False,
        files=made_of(weights),
        load=partial(_load, name, weights) if weights else None,
        outside="whatever its weights were trained on" if weights else None,
        is_frozen=is_frozen,
    )


def _pretrained(name: str, signature: Signature, parameters: int) -> "nn.Module":
    from harness.nn.pretrained import pretrained_of_timm

    if signature.kind != "image":
        raise HarnessError(f"The baseline 'timm:{name}' sees images and cannot read {signature.kind}.")
    return pretrained_of_timm(name, signature, parameters)


def _load(name: str, file: Path, module: "nn.Module", opening: Opening) -> None:
    import timm

    from harness.nn.pretrained import copy_weights, read_weights

    card = timm.get_pretrained_cfg(name)
    heads = card.classifier if card is not None else ()
    dropped = tuple(f"{head}." for head in ((heads,) if isinstance(heads, str) else heads or ()))
    weights = {key: value for key, value in read_weights(file).items() if not key.startswith(dropped)}
    copy_weights(module.get_submodule("backbone"), weights, str(file))


def patch_side(side: int, native: int) -> int:
    """Returns the side of a patch: the native one, halved until `LEAST_PATCHES` of them fit into `side`."""
    patch = native
    while patch > 1 and side // patch < LEAST_PATCHES:
        patch //= 2
    return patch


def _unnamed(signature: Signature, parameters: int) -> "nn.Module":
    raise HarnessError("The baseline 'timm' needs the name of a network, as in 'timm:resnet10t'.")


def _build(name: str, signature: Signature, parameters: int) -> "nn.Module":
    if signature.kind != "image":
        raise HarnessError(
            f"The baseline 'timm:{name}' sees images and cannot read bytes; compare bytes with 'default' or "
            "'llama'."
        )
    import timm
    from torch import nn

    card = timm.get_pretrained_cfg(name)
    size = (signature.height, signature.width)
    module = _create(name, signature)
    if card is not None and card.fixed_input_size:
        fitted = _fitted(name, signature, module)
        if fitted is not None:
            return fitted
        target: tuple[int, ...] = card.input_size[1:]
    else:
        scale = -(-LEAST_SIDE // min(size))
        target = tuple(scale * side for side in size)
    if target == size:
        return module
    return nn.Sequential(nn.Upsample(size=target, mode="bilinear"), module)


def _fitted(name: str, signature: Signature, native: "nn.Module") -> "nn.Module | None":
    import torch
    from torch import nn

    patches = getattr(getattr(native, "patch_embed", None), "patch_size", None)
    if not patches:
        return None
    size = (signature.height, signature.width)
    patch = patch_side(min(size), patches[0])
    height, width = (-(-side // patch) * patch for side in size)
    resized: dict[str, Any] = {"img_size": (height, width)}
    try:
        module = _create(name, signature, **resized, **({} if patch == patches[0] else {"patch_size": patch}))
        with torch.no_grad():
            module.eval()(torch.zeros(1, signature.channels, height, width))
    except (TypeError, ValueError, RuntimeError, AssertionError):  # this network's input is truly fixed
        return None
    if (height, width) == size:
        return module
    return nn.Sequential(nn.ZeroPad2d((0, width - size[1], 0, height - size[0])), module)


def _create(name: str, signature: Signature, **resized: Any) -> "nn.Module":
    import timm

    module: nn.Module = timm.create_model(
        name, pretrained=False, num_classes=signature.classes, in_chans=signature.channels, **resized
    )
    return module


def _members() -> list[str]:
    import timm

    names: list[str] = timm.list_models()
    return names


BASELINE = FixedBaseline(
    named=_named,
    members=_members,
    example="resnet10t",
    summary="An image network of timm, timm:NAME; random weights or those of ?weights=FILE, any input size.",
    build=_unnamed,
    kinds=("image",),
    is_matched=False,
)
