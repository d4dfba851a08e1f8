"""Any OpenAI-compatible endpoint, with bounded retries; the key is sent and never written."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from harness.errors import EndpointError
from harness.guard.keys import Key
from harness.llm.client import NO_USAGE, Message, Ratings, Reply, Usage
from harness.llm.dialect import EVENT, REFUSALS, SETTINGS, Setting, blamed, body, learned
from harness.llm.transcript import Transcript
from harness.llm.wire import UNREADABLE, TooLongError, decoded, open_endpoint, redirected, transport_errors

if TYPE_CHECKING:
    from openai import OpenAI
    from tenacity import RetryCallState

ATTEMPTS = 6
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
MOST_FAILURES = 3
"""Replies in a row that may fail after all retries before the search stops to be continued later."""
LONGEST_TEXT = 200_000
KEY_IS_SET = "key; set HARNESS_LLM_API_KEY, and HARNESS_LLM_BASE_URL to this address"
ENDS = {
    **{name: name for name in ("stop", "length", "content_filter")},
    **dict.fromkeys(("", "eos", "eos_token", "end_turn", "stop_sequence"), "stop"),
    "max_tokens": "length",
    "tool_calls": "stop",
}


class EndpointClient:
    """Chats with a server; a reply that fails after all retries is recorded and the search goes on.

    Where no reply can come, as the server is gone, knows neither the key nor the model, or fails again and
    again, nothing is recorded: the search fails, and the same command continues it from the transcript.
    """

    kind: Literal["endpoint", "embedded"] = "endpoint"

    def __init__(
        self,
        settings: Mapping[str, Any],
        key: Key,
        transcript: Transcript,
        refused: Collection[str] = (),
    ) -> None:
        self.name = str(settings["model"])
        self.transcript = transcript
        self.seconds = 0.0
        self._settings = settings
        self._key = key
        self._opened: OpenAI | None = None
        self._refused = frozenset[Setting](one for one in SETTINGS if one in refused)
        self._failures = 0

    def chat(
        self, messages: Sequence[Message], *, temperature: float, schema: Mapping[str, Any] | None = None
    ) -> Reply:
        """Returns the answer; `finish_reason` starts with `error` when there was none.

        Raises:
            EndpointError: no answer can come; see the class.
        """
        request = {
            "model": self.name,
            "messages": list(messages),
            "temperature": temperature,
            "max_tokens": self._settings["max_tokens"],
            "schema": schema,
        }
        reply = Reply.from_json(self.transcript.answer(request, lambda: self._timed(request).to_json()))
        self._refused |= learned(reply.events)  # a continued search knows what the kept replies taught
        self._failures = self._failures + 1 if reply.finish_reason.startswith("error") else 0
        return reply

    def letters(self, prompt: str, letters: Sequence[str], *, cold: bool) -> Ratings:
        """Endpoints chat; rating letters is for the embedded model."""
        raise TypeError("An endpoint client chats; it does not rate letters.")

    def _timed(self, request: Mapping[str, Any]) -> Reply:
        start = perf_counter()
        try:
            return self._ask(request)
        finally:
            self.seconds += perf_counter() - start

    def _ask(self, request: Mapping[str, Any]) -> Reply:
        """Returns the reply, asked for with fewer settings as long as the server refuses one more."""
        from openai import APIError

        refused = self._refused
        events: Counter[str] = Counter()
        while True:
            try:
                answer = self._retrying(body(request, refused), events)
                break
            except (APIError, *UNREADABLE) as error:
                setting = None
                if getattr(error, "status_code", None) in REFUSALS:
                    parameter = getattr(error, "param", None)
                    setting = blamed(
                        parameter if isinstance(parameter, str) else None, _complaint(error), request, refused
                    )
                if setting is None:
                    return self._failed(error, events)
                refused |= {setting}
        events.update(EVENT + setting for setting in refused - self._refused)
        return self._read(answer, events)

    def _failed(self, error: Exception, events: Counter[str]) -> Reply:
        from openai import APIConnectionError, APIStatusError

        if isinstance(error, APIStatusError) and (moved := redirected(self._settings["base_url"], error)):
            raise moved from None
        status = getattr(error, "status_code", None)
        place = self._settings["base_url"]
        way_out = "or unset HARNESS_LLM_BASE_URL to use the embedded model."
        if isinstance(error, APIConnectionError):
            raise EndpointError(
                f"The language-model endpoint {place} stopped answering; run the same command again to "
                f"continue, {way_out}"
            ) from None
        if status in (401, 404):
            what = KEY_IS_SET if status == 401 else f"model {self.name}; check its name"
            raise EndpointError(f"The endpoint {place} refused the {what}, {way_out}") from None
        what = type(error).__name__ + (f" {status}" if status else "")
        if self._failures + 1 >= MOST_FAILURES:
            raise EndpointError(
                f"The endpoint {place} failed {self._failures + 1} times in a row, last with {what}; mend it "
                f"and run the same command again to continue, {way_out}"
            ) from None
        return Reply(
            text="", finish_reason=f"error: {what}", model=self.name, usage=Usage(), events=dict(+events)
        )

    def _retrying(self, arguments: Mapping[str, Any], events: Counter[str]) -> Any:
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        def count(state: "RetryCallState") -> None:
            error = state.outcome.exception() if state.outcome else None
            events[f"retried: {_kind(error)}"] += 1

        if self._opened is None:
            self._opened = open_endpoint(self._settings, self._key)
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception(_is_passing),
            before_sleep=count,
            reraise=True,
        )
        return retrying(self._once, self._opened, arguments, events)

    def _once(self, client: "OpenAI", arguments: Mapping[str, Any], events: Counter[str]) -> Any:
        try:
            with (
                transport_errors(),
                client.chat.completions.with_streaming_response.create(**arguments) as response,
            ):
                sent = b"".join(response.iter_bytes())
        except TooLongError:
            events["reply: too long"] += 1
            return None
        value = decoded(sent)
        events["reply: not UTF-8"] += sent.decode("utf-8", "replace").encode() != sent
        return value

    def _read(self, answer: Any, events: Counter[str]) -> Reply:
        """Returns the reply in what a server sent, of which no part need be there or of the right type."""
        usage = _part(answer, "usage")
        events[NO_USAGE] += not isinstance(usage, dict)
        counted = Usage(
            _tokens(usage, "prompt_tokens"),
            _tokens(usage, "completion_tokens"),
            _tokens(_part(usage, "completion_tokens_details"), "reasoning_tokens"),
        )
        model = _part(answer, "model")
        choices = _part(answer, "choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = _part(choice, "message")
        text = _written(message)
        ended = _part(choice, "finish_reason")
        reason = ENDS.get(ended.lower() if isinstance(ended, str) else "", "other")
        if len(text) > LONGEST_TEXT:
            text, reason = text[:LONGEST_TEXT], "length"
        if not isinstance(message, dict):
            reason = "error: the reply has no choice"
        elif _part(message, "refusal"):
            reason = "refusal"
        elif reason == "stop" and not text.strip():
            reason = "empty"
        return Reply(
            text=self._key.hidden_in(text),
            finish_reason=reason,
            model=self._key.hidden_in(model)[:200] if isinstance(model, str) and model else self.name,
            usage=counted,
            events=dict(+events),
        )


def check_endpoint(settings: Mapping[str, Any], key: Key) -> None:
    """Makes sure that something answers at the endpoint, and that it is no web page.

    Raises:
        EndpointError: nothing does; the sentence names it and the embedded model.
    """
    from openai import APIConnectionError, APIStatusError

    try:
        with transport_errors(), open_endpoint({**settings, "timeout_seconds": 10.0}, key) as client:
            decoded(client.models.with_raw_response.list().content)
    except (*UNREADABLE, TooLongError):
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
        if moved := redirected(settings["base_url"], error):
            raise moved from None
        if error.status_code in (401, 403):
            raise EndpointError(
                f"The endpoint {settings['base_url']} refused the key (status {error.status_code}); set "
                "HARNESS_LLM_API_KEY, and HARNESS_LLM_BASE_URL to this address, or unset "
                "HARNESS_LLM_BASE_URL to use the embedded model."
            ) from None


def _is_passing(error: BaseException) -> bool:
    from openai import APIConnectionError, APIStatusError

    if isinstance(error, APIStatusError):
        return error.status_code in (408, 409, 425, 429) or error.status_code >= 500
    return isinstance(error, (APIConnectionError, *UNREADABLE))


def _kind(error: BaseException | None) -> str:
    """Returns the class of a passing failure, for the counters; nothing of what the server wrote."""
    from openai import APIStatusError, APITimeoutError

    if isinstance(error, APIStatusError):
        return f"status {error.status_code}"
    if isinstance(error, APITimeoutError):
        return "timeout"
    return "unreadable" if isinstance(error, UNREADABLE) else "connection"


def _wait(state: "RetryCallState") -> float:
    """Returns the seconds that the server asks for, or 0.5, 1, 2 ..., and at most a minute."""
    error = state.outcome.exception() if state.outcome else None
    response = getattr(error, "response", None)
    asked = response.headers.get("retry-after", "").strip() if response is not None else ""
    is_number = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", asked)
    seconds = float(asked) if is_number else FIRST_WAIT_SECONDS * 2.0 ** (state.attempt_number - 1)
    return min(seconds, LONGEST_WAIT_SECONDS)


def _complaint(error: Exception) -> str:
    """Returns what a refusal says; nothing where it is nested too deep to be printed."""
    try:
        return f"{getattr(error, 'message', '')} {getattr(error, 'body', '')}"
    except (RecursionError, ValueError):
        return ""


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _text(content: Any) -> str:
    """Returns the text of a message, which some servers send in parts."""
    parts = [_part(part, "text") for part in content] if isinstance(content, list) else [content]
    return "".join(part for part in parts if isinstance(part, str))


def _written(message: Any) -> str:
    """Returns what a message says: its content, else arguments of its tool calls, else a thought with JSON.

    Some servers answer a request for JSON by a call of a tool of their own, and some reasoning models leave
    the content empty and put the answer into what they thought.
    """
    text = _text(_part(message, "content"))
    if text.strip():
        return text
    calls = _part(message, "tool_calls")
    asked = [_part(call, "function") for call in calls] if isinstance(calls, list) else []
    called = "\n".join(one for call in asked if isinstance(one := _part(call, "arguments"), str))
    thought = _text(_part(message, "reasoning_content") or _part(message, "reasoning"))
    return called or (thought if "{" in thought else text)


def _tokens(usage: Any, name: str) -> int:
    count = _part(usage, name)
    return count if type(count) is int and 0 < count < 10**12 else 0
