"""What a searcher asks of a language model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TypedDict

from harness.errors import HarnessError
from harness.llm.transcript import Transcript

NO_USAGE: Final = "reply: no usage"
"""The event of a reply whose server told no tokens: they are unknown, and not none."""


class Message(TypedDict):
    """One turn: `system`, `user` or `assistant`, and its text."""

    role: str
    content: str


class Usage(NamedTuple):
    """Tokens of one exchange, or of many; reasoning tokens are part of the completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer.

    Attributes:
        text: what the model wrote; empty when it refused or failed.
        finish_reason: `stop`, `length`, `refusal`, `content_filter`, `empty`, `other`, or `error: ...`.
        model: model id that the server reported.
        usage: tokens.
        events: what else happened, for the report's counters: retries, settings that the server refused.
    """

    text: str
    finish_reason: str
    model: str
    usage: Usage
    events: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the reply as the transcript keeps it."""
        return asdict(self) | {"usage": list(self.usage)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Reply":
        """Returns the reply that `to_json` gave.

        Raises:
            HarnessError: `value` is no reply, as in an edited transcript.
        """
        try:
            reply = cls(**{**value, "usage": Usage(*value["usage"])})
        except (TypeError, KeyError) as error:
            raise HarnessError(
                f"A kept reply of the model is damaged ({error}); delete the transcript and run again."
            ) from error
        texts = (reply.text, reply.finish_reason, reply.model)
        counts = (*reply.usage, *(reply.events.values() if isinstance(reply.events, dict) else [None]))
        if not all(isinstance(text, str) for text in texts) or not all(type(one) is int for one in counts):
            raise HarnessError(
                "A kept reply of the model holds another type; delete the transcript and run again."
            )
        return reply


class Ratings(NamedTuple):
    """Log-probabilities of letters, and the tokens that reading the prompt and rating them took."""

    logs: list[float]
    usage: Usage


class Client(Protocol):
    """A language model.

    Attributes:
        name: shown beside the row.
        kind: `endpoint` chats; `embedded` is a small stand-in that rates letters.
        transcript: answers before the model does.
        seconds: spent waiting for the model, retries included; 0 for what the transcript answered.
    """

    name: str
    kind: Literal["endpoint", "embedded"]
    transcript: Transcript
    seconds: float

    def chat(
        self, messages: Sequence[Message], *, temperature: float, schema: Mapping[str, Any] | None = None
    ) -> Reply:
        """Returns the answer to a conversation; with a schema, JSON where the model can."""

    def letters(self, prompt: str, letters: Sequence[str], *, cold: bool) -> Ratings:
        """Returns the log-probability of each letter as the next token after `prompt`.

        Args:
            letters: capital letters; each is one token with its leading space.
            cold: forget cached text first, so that the same calls give the same numbers.
        """
