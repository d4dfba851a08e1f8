"""An image network in a folder of transformers, `transformers:FOLDER`, as `save_pretrained` leaves it.

Every weight is trained by the suite's recipe; `?train=head` fits a linear head to frozen features instead,
and `?train=nothing` scores the classifier of the folder as it is. Needs the extra `language`.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import FixedBaseline, HarnessError, Opening, Predictor, ReadyBaseline, Signature
from harness.guard.text import parse_json, read_text, reason_of
from harness.learn.baseline import member_options

if TYPE_CHECKING:
    from torch import nn

    from harness.nn.pretrained import View

OUTSIDE = "whatever its makers trained it on"
DEFAULT_SIDE = 224


def _named(name: str) -> FixedBaseline | ReadyBaseline:
    place, options = member_options(name, train=("all", "head", "nothing"))
    _transformers()
    folder = Path(place)
    held = sorted([*folder.glob("*.json"), *folder.glob("*.safetensors"), *folder.glob("*.bin")])
    if not (folder / "config.json").is_file():
        raise HarnessError(f"{folder} has no config.json; give a folder that save_pretrained wrote.")
    files = tuple(held)
    train = options.get("train", "all")
    if train == "nothing":
        return ReadyBaseline(
            summary=f"{folder}, as it is.",
            open=partial(_open, folder),
            outside=OUTSIDE,
            kinds=("image",),
            files=files,
        )
    return FixedBaseline(
        summary=f"{folder}, {'a linear head on frozen features' if train == 'head' else 'fine-tuned'}.",
        build=partial(_build, folder),
        kinds=("image",),
        is_matched=False,
        files=files,
        load=partial(_load, folder),
        outside=OUTSIDE,
        is_frozen=train == "head",
    )


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise HarnessError(
            "The baseline 'transformers' needs the package of that name; run: "
            'pip install "crossdomain-harness[language]".'
        ) from error
    return transformers


def _build(folder: Path, signature: Signature, parameters: int) -> "nn.Module":
    import torch

    from harness.nn.pretrained import MeanState, Pretrained

    if signature.kind != "image":
        raise HarnessError(f"The network of {folder} sees images and cannot read {signature.kind}.")
    view = _view(folder)
    backbone = MeanState(_network(_transformers().AutoModel.from_config(_config(folder))))
    with torch.no_grad():
        width = backbone.eval()(torch.zeros(1, 3, *view.size)).shape[-1]
    return Pretrained(backbone, width, signature, view)


def _load(folder: Path, module: "nn.Module", opening: Opening) -> None:
    from harness.nn.pretrained import copy_weights

    trained = _network(_trained("AutoModel", folder))
    copy_weights(module.get_submodule("backbone.network"), trained.state_dict(), str(folder))


def _open(folder: Path, signature: Signature, opening: Opening) -> Predictor:
    from harness.learn.predictors import TorchClassifier
    from harness.nn.pretrained import ReadyClassifier

    network = _trained("AutoModelForImageClassification", folder)
    if network.config.num_labels != signature.classes:
        raise HarnessError(
            f"{folder} tells {network.config.num_labels} classes apart, and the task has "
            f"{signature.classes}; write ?train=head to fit a head of the task."
        )
    return TorchClassifier(ReadyClassifier(network, _view(folder)).to(opening.device).eval())


def _trained(kind: str, folder: Path) -> Any:
    """Returns the network of a folder, without the report of what is in it that another kind would use."""
    transformers = _transformers()
    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        made = getattr(transformers, kind)
        network, found = made.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise HarnessError(f"{folder} holds no network that can be read: {reason_of(error)}") from error
    finally:
        transformers.logging.set_verbosity(verbosity)
    absent = sorted(name for name in found["missing_keys"] if "pooler." not in name)
    if absent:
        raise HarnessError(f"{folder} lacks {len(absent)} weights of its network, {absent[0]} among them.")
    return network


def _config(folder: Path) -> Any:
    return _transformers().AutoConfig.from_pretrained(folder, local_files_only=True)


def _view(folder: Path) -> "View":
    """Returns what the folder says of images: its processor's mean and deviation, its network's size."""
    from harness.nn.pretrained import View

    file = folder / "preprocessor_config.json"
    try:
        said = parse_json(read_text(file)) if file.is_file() else {}
    except ValueError as error:
        raise HarnessError(f"{file} is not JSON: {error}.") from error
    if not isinstance(said, dict):
        raise HarnessError(f"{file} holds no JSON object.")
    size = said.get("size")
    if isinstance(size, dict):
        size = size.get("height") or size.get("shortest_edge")
    side = getattr(_config(folder), "image_size", None) or size or DEFAULT_SIDE
    mean, deviation = (tuple(said.get(key, (0.5, 0.5, 0.5))) for key in ("image_mean", "image_std"))
    return View(size=(side, side) if isinstance(side, int) else tuple(side), mean=mean, deviation=deviation)


def _network(made: "nn.Module") -> "nn.Module":
    """Returns a network without its pooler where that has weights, as those are no part of a classifier's."""
    pooler = getattr(made, "pooler", None)
    if pooler is not None and list(pooler.parameters()):
        made.pooler = None  # type: ignore[assignment]
    return made


def _unnamed(signature: Signature, opening: Opening) -> Predictor:
    raise HarnessError("The baseline 'transformers' needs a folder, as in 'transformers:models/mine'.")


BASELINE = ReadyBaseline(
    named=_named,
    summary="An image network in a folder of transformers, transformers:FOLDER, fine-tuned, or ?train=head.",
    open=_unnamed,
    outside=OUTSIDE,
    kinds=("image",),
)
