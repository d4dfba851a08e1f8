"""Any model of lm-eval as a fixed row, `lm_eval:hf?pretrained=PATH`, which comes trained, scored as it is."""

from pathlib import Path
from urllib.parse import parse_qsl

from harness import HarnessError, Opening, Predictor, ReadyBaseline, Signature
from harness.guard.keys import OPENAI, refuse_secrets
from harness.learn.baseline import made_of


def _named(name: str) -> ReadyBaseline:
    kind, _, query = name.partition("?")
    refuse_secrets(kind, query)
    local = [Path(value) for _, value in parse_qsl(query) if "/" in value]

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
        files=made_of(*(path for path in local if path.exists())),
    )


def _unnamed(signature: Signature, opening: Opening) -> Predictor:
    raise HarnessError("The baseline 'lm_eval' needs a model, as in 'lm_eval:hf?pretrained=FOLDER'.")


BASELINE = ReadyBaseline(
    named=_named,
    summary="A language model of lm-eval by its name and arguments, lm_eval:hf?pretrained=PATH, as it is.",
    open=_unnamed,
    kinds=("bytes",),
    outside="whatever its makers trained it on",
)
