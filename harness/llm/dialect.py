"""What an endpoint accepts of a request: servers differ in three settings, and say so by refusing."""

from collections.abc import Mapping
from typing import Any, Final, Literal

Setting = Literal["schema", "max_tokens", "temperature"]
SETTINGS: Final[tuple[Setting, ...]] = ("schema", "max_tokens", "temperature")
REFUSALS: Final = (400, 404, 415, 422)
EVENT: Final = "endpoint refused: "
NO_ANSWER: Final = "(no answer)"
"""Stands for an empty turn, which some servers refuse with the whole conversation."""
_PARAMETERS: Final[Mapping[Setting, str]] = {
    "schema": "response_format",
    "max_tokens": "max_tokens",
    "temperature": "temperature",
}
_SIGNS: Final[Mapping[Setting, tuple[str, ...]]] = {
    "schema": ("response_format", "json_schema", "schema", "grammar"),
    "max_tokens": ("max_completion_tokens",),
    "temperature": ("temperature",),
}


def body(request: Mapping[str, Any], refused: frozenset[Setting]) -> dict[str, Any]:
    """Returns the arguments of a chat completion, those that the server refused left out or renamed."""
    limit = "max_completion_tokens" if "max_tokens" in refused else "max_tokens"
    messages = [{**turn, "content": turn["content"] or NO_ANSWER} for turn in request["messages"]]
    made = {"model": request["model"], "messages": messages, limit: request["max_tokens"]}
    if "temperature" not in refused:
        made["temperature"] = request["temperature"]
    if request["schema"] is not None and "schema" not in refused:
        wanted = {"name": "architectures", "schema": request["schema"], "strict": False}
        made["response_format"] = {"type": "json_schema", "json_schema": wanted}
    return made


def blamed(
    parameter: str | None, complaint: str, request: Mapping[str, Any], refused: frozenset[Setting]
) -> Setting | None:
    """Returns the setting that a refusal is about, or None when it is about none that can still change.

    One at a time, as an error that repeats the whole request names every setting; a refusal that names none
    is taken to be about the schema, of which a server may know nothing.
    """
    left = [one for one in SETTINGS if one not in refused and (one != "schema" or request["schema"])]
    for setting in left:
        if parameter and parameter.startswith(_PARAMETERS[setting]):
            return setting
    for setting in left:
        if any(sign in complaint.lower() for sign in _SIGNS[setting]):
            return setting
    return "schema" if "schema" in left else None


def learned(events: Mapping[str, int]) -> frozenset[Setting]:
    """Returns the settings that the events of a reply say are refused."""
    return frozenset(setting for setting in SETTINGS if EVENT + setting in events)
