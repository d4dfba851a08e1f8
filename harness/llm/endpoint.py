"""Any OpenAI-compatible endpoint, with bounded retries; the key is sent and never written."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import EndpointError
from harness.llm.client import Message, Ratings, Reply, Usage
from harness.llm.transcript import Transcript

if TYPE_CHECKING:
    from openai import OpenAI
    from tenacity import RetryCallState

ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 60.0
UNREADABLE = (json.JSONDecodeError, UnicodeDecodeError)


class EndpointClient:
    """Chats with a server; a reply that fails after all retries is recorded and the search goes on.

    Where no reply can come, as the server is gone, or knows neither the key nor the model, nothing is
    recorded: the search fails, and the same command continues it from the transcript.
    """

    kind: Literal["endpoint", "embedded"] = "endpoint"

    def __init__(self, settings: Mapping[str, Any], api_key: str | None, transcript: Transcript) -> None:
        self.name = str(settings["model"])
        self.transcript = transcript
        self._settings = settings
        self._api_key = (api_key or "").strip()
        self._schema_refused = False

    def chat(
        self, messages: Sequence[Message], *, temperature: float, schema: Mapping[str, Any] | None = None
    ) -> Reply:
        """Returns the answer; `finish_reason` starts with `error` when there was none.

        Raises:
            EndpointError: the server is gone, or knows neither the key nor the model.
        """
        request = {
            "model": self.name,
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": self._settings["max_tokens"],
            "schema": schema,
        }
        return Reply.from_json(self.transcript.answer(request, lambda: self._ask(request).to_json()))

    def letters(self, prompt: str, letters: Sequence[str], *, cold: bool) -> Ratings:
        """Endpoints chat; rating letters is for the embedded model.

        Raises:
            TypeError: always.
        """
        raise TypeError("An endpoint client chats; it does not rate letters.")

    def _ask(self, request: Mapping[str, Any]) -> Reply:
        from openai import APIError

        schema = None if self._schema_refused else request["schema"]
        try:
            return self._retrying(request, schema)
        except (APIError, *UNREADABLE) as error:
            refused = getattr(error, "status_code", None) in (400, 404, 415, 422)
            if schema is None or not refused:
                return self._failed(error)
        self._schema_refused = True
        try:
            return self._retrying(request, None)
        except (APIError, *UNREADABLE) as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> Reply:
        from openai import APIConnectionError

        status = getattr(error, "status_code", None)
        place = self._settings["base_url"]
        if isinstance(error, APIConnectionError):
            raise EndpointError(
                f"The language-model endpoint {place} stopped answering; run the same command again to "
                "continue, or unset HARNESS_LLM_BASE_URL to use the embedded model."
            ) from None
        if status in (401, 404):
            what = "key; set HARNESS_LLM_API_KEY" if status == 401 else f"model {self.name}; check its name"
            raise EndpointError(
                f"The endpoint {place} refused the {what}, or unset HARNESS_LLM_BASE_URL to use the embedded "
                "model."
            ) from None
        what = type(error).__name__ + (f" {status}" if status else "")
        return Reply(text="", finish_reason=f"error: {what}", model=self.name, usage=Usage())

    def _retrying(self, request: Mapping[str, Any], schema: Mapping[str, Any] | None) -> Reply:
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        client = _open(self._settings, self._api_key)
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception(_is_passing),
            reraise=True,
        )
        reply: Reply = retrying(self._once, client, request, schema)
        return reply

    def _once(self, client: "OpenAI", request: Mapping[str, Any], schema: Mapping[str, Any] | None) -> Reply:
        more: dict[str, Any] = {}
        if schema is not None:
            wanted = {"name": "architectures", "schema": schema, "strict": False}
            more["response_format"] = {"type": "json_schema", "json_schema": wanted}
        answer: Any = client.chat.completions.create(
            model=request["model"],
            messages=request["messages"],
            temperature=request["temperature"],
            max_tokens=request["max_tokens"],
            **more,
        )
        return self._read(answer)

    def _read(self, answer: Any) -> Reply:
        """Returns the reply in what a server sent, of which no part need be there or of the right type."""
        usage = getattr(answer, "usage", None)
        details = getattr(usage, "completion_tokens_details", None)
        counted = Usage(
            _tokens(usage, "prompt_tokens"),
            _tokens(usage, "completion_tokens"),
            _tokens(details, "reasoning_tokens"),
        )
        model = self._without_key(str(getattr(answer, "model", None) or self.name))
        choices = getattr(answer, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(choice, "message", None)
        if message is None:
            return Reply(text="", finish_reason="error: the reply has no choice", model=model, usage=counted)
        content = getattr(message, "content", None)
        text = content if isinstance(content, str) else ""
        refusal = getattr(message, "refusal", None)
        reason = "refusal" if refusal else str(getattr(choice, "finish_reason", None) or "stop")
        return Reply(text=self._without_key(text), finish_reason=reason, model=model, usage=counted)

    def _without_key(self, text: str) -> str:
        return text.replace(self._api_key, "[key]") if self._api_key else text


def check_endpoint(settings: Mapping[str, Any], api_key: str | None) -> None:
    """Makes sure that something answers at the endpoint, and that it is no web page.

    Raises:
        EndpointError: nothing does; the sentence names it and the embedded model.
    """
    from openai import APIConnectionError, APIStatusError

    try:
        answer = _open({**settings, "timeout_seconds": 10.0}, api_key).models.with_raw_response.list()
        json.loads(answer.content)
    except UNREADABLE:
        raise EndpointError(
            f"What answers at {settings['base_url']} is no OpenAI-compatible endpoint; its address often "
            "ends in /v1; correct it, or unset HARNESS_LLM_BASE_URL to use the embedded model."
        ) from None
    except APIConnectionError as error:
        raise EndpointError(
            f"Nothing answers at the language-model endpoint {settings['base_url']}; start it, or unset "
            "HARNESS_LLM_BASE_URL to use the embedded model."
        ) from error
    except APIStatusError as error:
        if error.status_code in (401, 403):
            raise EndpointError(
                f"The endpoint {settings['base_url']} refused the key (status {error.status_code}); set "
                "HARNESS_LLM_API_KEY, or unset HARNESS_LLM_BASE_URL to use the embedded model."
            ) from None


def _open(settings: Mapping[str, Any], api_key: str | None) -> "OpenAI":
    from openai import OpenAI

    key = (api_key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise EndpointError(
            "The key in HARNESS_LLM_API_KEY holds a character that no key has; copy it again, without "
            "quotes or line ends."
        )
    return OpenAI(
        base_url=settings["base_url"],
        api_key=key or "none",
        timeout=settings["timeout_seconds"],
        max_retries=0,
    )


def _is_passing(error: BaseException) -> bool:
    from openai import APIConnectionError, APIStatusError

    if isinstance(error, APIStatusError):
        return error.status_code == 429 or error.status_code >= 500
    return isinstance(error, (APIConnectionError, *UNREADABLE))


def _wait(state: "RetryCallState") -> float:
    """Returns the seconds that the server asks for, or 0.5, 1, 2 ..., and at most a minute."""
    error = state.outcome.exception() if state.outcome else None
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after", "") if response is not None else ""
    is_number = re.fullmatch(r"[0-9]+(\.[0-9]+)?", asked.strip())
    seconds = float(asked) if is_number else 0.5 * 2.0 ** (state.attempt_number - 1)
    return min(seconds, LONGEST_WAIT_SECONDS)


def _tokens(usage: Any, name: str) -> int:
    count = getattr(usage, name, None)
    return count if isinstance(count, int) and count > 0 else 0
