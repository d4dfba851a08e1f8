"""A language model that needs none: it answers by a fixed rule, for checks and tests."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.llm.client import Message, Ratings, Reply, Usage
from harness.llm.transcript import Transcript


class ScriptedClient:
    """Rates letters by a hash of the prompt, and chats the texts it was given, then nothing."""

    def __init__(
        self, replies: Sequence[str] = (), *, transcript: Path | None = None, replay: bool = False
    ) -> None:
        self.name = "scripted"
        self.kind: Literal["endpoint", "embedded"] = "endpoint" if replies else "embedded"
        self.calls = 0
        self.seconds = 0.0
        self._replies = list(replies)
        self.transcript = Transcript(transcript, replay=replay)

    def chat(
        self, messages: Sequence[Message], *, temperature: float, schema: Mapping[str, Any] | None = None
    ) -> Reply:
        """Returns the next of its texts; the last one again when they are used up."""

        def ask() -> dict[str, Any]:
            text = self._replies[min(self.calls, len(self._replies) - 1)]
            self.calls += 1
            usage = Usage(sum(len(message["content"]) for message in messages), len(text))
            return Reply(text=text, finish_reason="stop", model=self.name, usage=usage).to_json()

        return Reply.from_json(self.transcript.answer({"messages": list(messages)}, ask))

    def letters(self, prompt: str, letters: Sequence[str], *, cold: bool) -> Ratings:
        """Returns numbers in [-2, 0) that depend on the prompt and the letter alone."""
        self.calls += 1
        logs = [
            -2 * hashlib.sha256(f"{prompt} {letter}".encode()).digest()[0] / 256 - 1e-3 for letter in letters
        ]
        return Ratings(logs, Usage(len(prompt), len(letters)))
