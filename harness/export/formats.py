"""The forms in which a network leaves: what each adds to weights, config and card, and how it is loaded."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor, nn

from harness.errors import HarnessError
from harness.export.causal import LLAMA, causal
from harness.guard.text import reason_of
from harness.learn.fit import seeded
from harness.learn.modality import modality_of, random_inputs
from harness.task.signature import Signature

PROGRAM: Final = "model.pt2"
ONNX: Final = "model.onnx"
TIMM: Final = "harness_network"
"""What timm calls a network of ours, as `harness.export.timm` registers it."""
INPUT, OUTPUT = "inputs", "logits"
"""Names of the input and the output of an ONNX graph."""


class Leaving(NamedTuple):
    """A network on its way: the module in evaluation mode, what it reads, and the folder that is filled."""

    module: nn.Module
    signature: Signature
    place: Path


@dataclass(frozen=True)
class Added:
    """What a form adds.

    Attributes:
        members: of `config.json`.
        weights: by other names than ours; None for ours.
        layout: what those names are called; empty for ours.
        loads: the lines that load it, where they are not those of the form.
    """

    members: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Tensor] | None = None
    layout: str = ""
    loads: str = ""


class ExportFormat(NamedTuple):
    """A form: what adds to the folder, and the lines of Python that load it, where FOLDER stands for it."""

    add: Callable[[Leaving], Added]
    loads: str


def _nothing(leaving: Leaving) -> Added:
    return Added()


def _torch(leaving: Leaving) -> Added:
    torch.export.save(_program(leaving), leaving.place / PROGRAM)
    return Added()


def _onnx(leaving: Leaving) -> Added:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise HarnessError(
            f'--format onnx needs the package {error.name}; run: pip install "crossdomain-harness[onnx]".'
        ) from error
    program = _program(leaving)
    with _quiet():
        made = torch.onnx.export(
            program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
        )
    assert made is not None
    for node in made.model.graph:
        node.metadata_props.clear()  # paths of this machine
    made.save(leaving.place / ONNX, external_data=False)
    return Added()


def _timm(leaving: Leaving) -> Added:
    signature = leaving.signature
    if modality_of(signature.kind).form != "image":
        raise HarnessError(
            f"timm has networks of images, and this one reads {signature.kind}; choose --format safetensors, "
            "torch or onnx, or transformers for bytes."
        )
    centre = [0.5] * signature.channels
    return Added(
        {
            "architecture": TIMM,
            "num_classes": signature.classes,
            "pretrained_cfg": {
                "input_size": [signature.channels, signature.height, signature.width],
                "fixed_input_size": True,
                "mean": centre,
                "std": centre,
                "crop_pct": 1.0,
                "num_classes": signature.classes,
            },
        }
    )


def _transformers(leaving: Leaving) -> Added:
    made = causal(leaving.module, leaving.signature, leaving.place)
    plain = FORMATS["transformers"].loads.replace(", trust_remote_code=True", "")
    return Added(made.members, made.weights, made.layout, plain if made.layout == LLAMA else "")


def _program(leaving: Leaving) -> torch.export.ExportedProgram:
    """Returns the network as a program of torch for any number of samples."""
    with seeded(0):
        inputs = random_inputs(leaving.signature, 2)
    try:
        with _quiet():
            leaving.module(inputs)  # positions are made once, and those of a trace are none
            program = torch.export.export(
                leaving.module, (inputs,), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
    except Exception as error:  # a network may be anybody's, and torch raises of many kinds
        raise HarnessError(
            f"torch cannot export {type(leaving.module).__name__} as a program ({reason_of(error)}); choose "
            "--format safetensors."
        ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps to itself what exporters tell of their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


_LOAD = "import harness\n\nnetwork = harness.load(FOLDER)"
FORMATS: Final[Mapping[str, ExportFormat]] = {
    "safetensors": ExportFormat(_nothing, _LOAD),
    "torch": ExportFormat(
        _torch, f'import torch\n\nnetwork = torch.export.load(FOLDER + "/{PROGRAM}").module()'
    ),
    "onnx": ExportFormat(
        _onnx,
        f'import onnxruntime\n\nsession = onnxruntime.InferenceSession(FOLDER + "/{ONNX}")\n'
        f'logits = session.run(None, {{"{INPUT}": inputs}})[0]',
    ),
    "timm": ExportFormat(
        _timm,
        "import timm\n\nimport harness.export.timm\n\n"
        'network = timm.create_model("local-dir:" + FOLDER, pretrained=True).eval()',
    ),
    "transformers": ExportFormat(
        _transformers,
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        "network = AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)\n"
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True)",
    ),
}
"""Name -> form."""
