"""Language models behind one client: an OpenAI-compatible endpoint, or a small model in this process."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.guard.keys import Key
from harness.llm.client import Client, Message, Reply, Usage
from harness.llm.endpoint import EndpointClient, check_endpoint
from harness.llm.transcript import Transcript

__all__ = ["Client", "Message", "Reply", "Transcript", "Usage", "check_endpoint", "open_client"]


def open_client(
    settings: Mapping[str, Any],
    *,
    model_file: Path | None,
    transcript: Path,
    key: Key,
    replay: bool = False,
    owner: str = "",
    refused: Collection[str] = (),
) -> Client:
    """Returns the client that the suite's `llm` table means.

    Args:
        settings: the `llm` table; an empty `base_url` means the embedded model.
        model_file: GGUF file of the embedded model; None where only the transcript will answer.
        transcript: file of all exchanges, which answers first.
        refused: settings that the endpoint is known to refuse.

    Raises:
        HarnessError: there is nothing that could answer.
    """
    kept = Transcript(transcript, replay=replay, owner=owner)
    if settings["base_url"]:
        return EndpointClient(settings, key, kept, refused)
    from harness.llm.embedded import EmbeddedClient
    from harness.llm.package import EMBEDDED_NAME

    if model_file is None and not replay:
        raise HarnessError("The embedded language model needs a GGUF file and has none.")
    if settings["model_file"]:
        name = Path(settings["model_file"]).stem
        return EmbeddedClient(model_file, name, kept, max_tokens=settings["max_tokens"])
    return EmbeddedClient(model_file, EMBEDDED_NAME, kept)
