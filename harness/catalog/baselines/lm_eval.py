"""Any model of lm-eval as a fixed row, `lm_eval:hf?pretrained=PATH`, which comes trained, scored as it is."""

from pathlib import Path
from urllib.parse import parse_qsl

from harness import HarnessError, Opening, Predictor, ReadyBaseline, Signature
from harness.guard.keys import OPENAI, refuse_secrets
from harness.learn.baseline import made_of


def _named(name: str) -> ReadyBaseline:
    """Returns the baseline `lm_eval:MODEL?NAME=VALUE&NAME=VALUE`."""
    kind, _, query = name.partition("?")
    refuse_secrets(kind, query)

    def open_model(signature: Signature, opening: Opening) -> Predictor:
        from harness.language.external import LmEvalLanguageModel, build_model, parse_address

        address = parse_address(f"lm_eval:{name}")
        model = build_model(
            address,
            device=opening.device,
            api_key=opening.keys.of(str(address.arguments.get("base_url", OPENAI))).token,
            offline=opening.offline,
        )
        return LmEvalLanguageModel(model)

    return ReadyBaseline(
        summary=f"{name} of lm-eval, as it is.",
        open=open_model,
        kinds=("bytes",),
        outside="whatever its makers trained it on",
        files=made_of(*_local(name)),
    )


def _local(name: str) -> list[Path]:
    """Returns the files and folders of this machine that the arguments of a model name."""
    values = (value for _, value in parse_qsl(name.partition("?")[2]))
    return [path for value in values if "/" in value and (path := Path(value)).exists()]


def _unnamed(signature: Signature, opening: Opening) -> Predictor:
    raise HarnessError("The baseline 'lm_eval' needs a model, as in 'lm_eval:hf?pretrained=FOLDER'.")


BASELINE = ReadyBaseline(
    named=_named,
    summary="A language model of lm-eval by its name and arguments, lm_eval:hf?pretrained=PATH, as it is.",
    open=_unnamed,
    kinds=("bytes",),
    outside="whatever its makers trained it on",
)
