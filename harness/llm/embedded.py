"""A small GGUF model in this process, on one thread: same calls, same numbers."""

import json
from collections.abc import Mapping, Sequence
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
        self._server: Any = None

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

    def letters(self, prompt: str, letters: Sequence[str], *, cold: bool) -> Ratings:
        """Returns log-probabilities; a letter outside the 40 likeliest tokens is one nat below the last.

        The caller keeps these exchanges in the transcript, one per iteration.
        """
        request = {
            "prompt": prompt,
            "max_tokens": 1,
            "logprobs": TOP,
            "temperature": 0.0,
            "cache_prompt": not cold,
            "id_slot": 0,
        }
        answer = self._call("handle_completions", request)
        usage = Usage(answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"])
        logprobs = answer["choices"][0]["logprobs"]
        if not logprobs or not logprobs["content"]:  # an empty reply rates nothing
            return Ratings([0.0 for _ in letters], usage)
        found = {entry["token"]: entry["logprob"] for entry in logprobs["content"][0]["top_logprobs"]}
        lowest = min(found.values()) - 1.0
        return Ratings([float(found.get(f" {letter}", lowest)) for letter in letters], usage)

    def _call(self, method: str, request: Mapping[str, Any]) -> Any:
        if self._server is None:
            self._server = _load(self._model_file)
        start = perf_counter()
        answer = getattr(self._server, method)(dict(request))
        self.seconds += perf_counter() - start
        value = answer if isinstance(answer, dict) else json.loads(answer)
        if "error" in value:
            raise EndpointError(f"The embedded model {self.name} refused a request: {value['error']}.")
        return value


def _load(model_file: Path | None) -> Any:
    if model_file is None or not model_file.is_file():
        raise EndpointError(f"The embedded model's file {model_file} is gone; run `harness eval` online.")
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
        return xllamacpp.Server(parameters)
    except Exception as error:
        raise EndpointError(f"{model_file} does not load as a GGUF model: {error}.") from error
