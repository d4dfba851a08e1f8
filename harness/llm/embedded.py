"""A small GGUF model in this process, on one thread: same calls, same numbers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

from harness.errors import EndpointError
from harness.llm.client import Message, Ratings, Reply, Usage
from harness.llm.transcript import Transcript

CONTEXT_TOKENS = 8192
STRATEGY_TOKENS = 96
"""Longest chat reply of the packaged model, which only ever chats a strategy."""
TOP = 40


class EmbeddedClient:
    """Runs llama.cpp through `xllamacpp`; the model is loaded at the first question."""

    kind: Literal["endpoint", "embedded"] = "embedded"

    def __init__(
        self, model_file: Path | None, name: str, transcript: Transcript, *, max_tokens: int = STRATEGY_TOKENS
    ) -> None:
        self.name = name
        self.transcript = transcript
        self._model_file = model_file
        self._max_tokens = min(max_tokens, CONTEXT_TOKENS // 4)
        self.seconds = 0.0

    def chat(
        self, messages: Sequence[Message], *, temperature: float, schema: Mapping[str, Any] | None = None
    ) -> Reply:
        """Returns the answer of the model's chat template."""
        request: dict[str, Any] = {
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": self._max_tokens,
            "seed": 0,
            "cache_prompt": False,
        }
        if schema is not None:
            request["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}

        def ask() -> dict[str, Any]:
            self._model().stable = ""
            answer = self._call("handle_chat_completions", request)
            choice, usage = answer["choices"][0], answer["usage"]
            text = choice["message"].get("content") or ""
            reason = str(choice["finish_reason"])
            return Reply(
                text=text,
                finish_reason="empty" if reason == "stop" and not text.strip() else reason,
                model=self.name,
                usage=Usage(usage["prompt_tokens"], usage["completion_tokens"]),
            ).to_json()

        return Reply.from_json(self.transcript.answer({"model": self.name, **request}, ask))

    def letters(self, prompt: str, letters: Sequence[str], *, stable: str = "") -> Ratings:
        """Returns log-probabilities; a letter outside the 40 likeliest tokens is one nat below the last.

        The last bits of a number depend on how many tokens are read at once, so a stable beginning is read
        at once, and its last token once more alone: that is what comes of asking for it when it is known.

        The caller keeps these exchanges in the transcript, one per iteration.
        """
        if stable:
            model = self._model()
            if model.stable != stable:
                model.stable = ""  # where the question fails
                self._complete(stable, is_known=False)
                model.stable = stable
            self._complete(stable, is_known=True)
        answer = self._complete(prompt, is_known=True)
        usage = Usage(answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"])
        logprobs = answer["choices"][0]["logprobs"]
        if not logprobs or not logprobs["content"]:  # an empty reply rates nothing
            return Ratings([0.0 for _ in letters], usage)
        found = {entry["token"]: entry["logprob"] for entry in logprobs["content"][0]["top_logprobs"]}
        lowest = min(found.values()) - 1.0
        return Ratings([float(found.get(f" {letter}", lowest)) for letter in letters], usage)

    def _complete(self, prompt: str, *, is_known: bool) -> Any:
        """Returns the likeliest next tokens; what was read before is read again unless it `is_known`."""
        request = {
            "prompt": prompt,
            "max_tokens": 1,
            "logprobs": TOP,
            "temperature": 0.0,
            "cache_prompt": is_known,
            "id_slot": 0,
        }
        return self._call("handle_completions", request)

    def _model(self) -> "_Model":
        if self._model_file is None or not self._model_file.is_file():
            raise EndpointError(
                f"The embedded model's file {self._model_file} is gone; run `harness eval` online."
            )
        return _loaded(self._model_file)

    def _call(self, method: str, request: Mapping[str, Any]) -> Any:
        model = self._model()
        start = perf_counter()
        answer = getattr(model.server, method)(dict(request))
        self.seconds += perf_counter() - start
        value = answer if isinstance(answer, dict) else json.loads(answer)
        if "error" in value:
            raise EndpointError(f"The embedded model {self.name} refused a request: {value['error']}.")
        return value


@dataclass
class _Model:
    """A loaded model, and the stable beginning of which it still knows what it read; empty for none."""

    server: Any
    stable: str = ""


@lru_cache(maxsize=1)
def _loaded(model_file: Path) -> _Model:
    """Returns the model of this process, which is kept for the next search."""
    try:
        import xllamacpp
    except ImportError as error:
        raise EndpointError(
            "The embedded language model needs the package xllamacpp; pip install xllamacpp, or set "
            "HARNESS_LLM_BASE_URL."
        ) from error
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file)
    parameters.n_ctx = CONTEXT_TOKENS
    parameters.n_parallel = 1
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.verbosity = -1
    parameters.warmup = False
    try:
        return _Model(xllamacpp.Server(parameters))
    except Exception as error:
        raise EndpointError(f"{model_file} does not load as a GGUF model: {error}.") from error
