"""A model of your own in one Python file: `file:PATH:FUNCTION`, or `--model PATH:FUNCTION`.

`FUNCTION(signature)` returns a torch module, which is trained by the suite's recipe like every other row;
with `?weights=FILE.safetensors` behind it the module is scored as it is instead. A function that is called
`predict` is the model itself: of images (samples, channels, height, width) in [0, 255] it returns the scores
of the classes, shape (samples, classes), of documents their code lengths in bits, shape (documents,).

`KINDS = ("image",)` in the file leaves the model out of tasks of other kinds of input.
"""

import importlib.util
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import FixedBaseline, HarnessError, Opening, Predictor, ReadyBaseline, Signature, catalog
from harness.guard.text import reason_of, shown
from harness.learn.baseline import made_of, member_options

if TYPE_CHECKING:
    from torch import nn

OUTSIDE = "whatever its file brings"


def _named(name: str) -> FixedBaseline | ReadyBaseline:
    place, options = member_options(name, weights=())
    path, _, function = place.rpartition(":")
    if not path:
        raise HarnessError(f"{place!r} names no function; write PATH.py:FUNCTION.")
    weights = options.get("weights")
    made, kinds = _function(Path(path), function)
    files = made_of(Path(path), Path(weights) if weights else None)
    if function == "predict":
        return ReadyBaseline(
            summary=f"{place}, as it is.",
            open=lambda signature, opening: _Predicting(made, signature),
            outside=OUTSIDE,
            kinds=kinds,
            files=files,
        )
    if weights:
        return ReadyBaseline(
            summary=f"{place} with the weights of {weights}, as it is.",
            open=lambda signature, opening: _restored(made, Path(weights), signature, opening),
            outside=OUTSIDE,
            kinds=kinds,
            files=files,
        )
    return FixedBaseline(
        summary=f"{place}, trained by the suite's recipe.",
        build=lambda signature, parameters: _module(made, signature),
        is_matched=False,
        kinds=kinds,
        files=files,
    )


class _Predicting:
    """A user's `predict` as what the engine scores."""

    def __init__(self, function: Callable[[Any], Any], signature: Signature) -> None:
        self.function = function
        self.signature = signature

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        scores = np.asarray(self.function(images), dtype=np.float64)
        expected = (len(images), self.signature.classes)
        if scores.shape != expected or not np.isfinite(scores).all():
            raise HarnessError(f"predict must return finite scores of shape {expected}, not {scores.shape}.")
        chosen: NDArray[np.int64] = scores.argmax(axis=1)
        return chosen

    def bits(self, documents: Sequence[bytes]) -> NDArray[np.float64]:
        found = np.asarray(self.function(list(documents)), dtype=np.float64)
        if found.shape != (len(documents),) or not np.isfinite(found).all() or (found < 0).any():
            raise HarnessError(f"predict must return {len(documents)} code lengths in bits, each at least 0.")
        return found


def _restored(
    made: Callable[[Signature], Any], weights: Path, signature: Signature, opening: Opening
) -> Predictor:
    from harness.learn.predictors import predictor
    from harness.nn.pretrained import read_weights

    module = _module(made, signature)
    try:
        module.load_state_dict(read_weights(weights))
    except RuntimeError as error:
        raise HarnessError(
            f"{weights} does not hold the weights of this module: {reason_of(error)}"
        ) from error
    return predictor(module.to(opening.device), signature)


def _module(made: Callable[[Signature], Any], signature: Signature) -> "nn.Module":
    from torch import nn

    module = made(signature)
    if not isinstance(module, nn.Module):
        raise HarnessError(
            f"{made.__name__} returned a {type(module).__name__} where a torch.nn.Module is needed; a "
            "function that scores samples itself is called predict."
        )
    return module


def _function(path: Path, name: str) -> tuple[Callable[[Any], Any], tuple[str, ...]]:
    """Returns a function of a file, and the kinds of input that the file says it reads."""
    if not path.is_file():
        raise HarnessError(f"There is no file {path}; give PATH.py:FUNCTION.")
    spec = importlib.util.spec_from_file_location(f"harness_model_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise HarnessError(f"{path} is no Python file; give PATH.py:FUNCTION.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise HarnessError(f"{path} does not import: {type(error).__name__}: {error}.") from error
    found = getattr(module, name, None)
    if not callable(found):
        there = ", ".join(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        raise HarnessError(f"{path} has no function {name!r}; it has: {there or 'none'}.")
    given = "samples" if name == "predict" else "signature"
    try:
        inspect.signature(found).bind(None)
    except TypeError as error:
        raise HarnessError(
            f"{path}: {name} is called with one argument ({error}); write `def {name}({given}):`."
        ) from None
    function: Callable[[Any], Any] = found
    return function, _kinds(path, getattr(module, "KINDS", None), name)


def _kinds(path: Path, said: Any, name: str) -> tuple[str, ...]:
    known = catalog.names("modality")  # none is loaded, as a unit depends on the one that it reads alone
    if said is None:
        return ("image", "bytes") if name == "predict" else ("image", "bytes", "text")
    if not isinstance(said, list | tuple) or not said or not set(said) <= set(known):
        raise HarnessError(f"{path}: KINDS is {shown(said)}; make it a tuple of some of {', '.join(known)}.")
    return tuple(said)


def _unnamed(signature: Signature, opening: Opening) -> Predictor:
    raise HarnessError("The baseline 'file' needs a file and a function, as in 'file:mine.py:build'.")


BASELINE = ReadyBaseline(
    named=_named,
    summary="A model of your own in one Python file, file:PATH:FUNCTION.",
    open=_unnamed,
    outside=OUTSIDE,
)
