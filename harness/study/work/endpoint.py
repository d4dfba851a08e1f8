"""One exchange for each role before any search: whether an endpoint answers, and what it refuses.

An endpoint that cannot be of use ends the rows that ask it at once, with a sentence, and costs no other row.
What it refuses of a request is learned here alone, so that what a search asks and counts does not depend on
which search ran first.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.errors import EndpointError
from harness.identity.unit import Unit
from harness.llm import Client, Message, Reply, Transcript, check_endpoint
from harness.llm.dialect import learned
from harness.llm.endpoint import EndpointClient
from harness.run.place import Done, Needs
from harness.run.record import read_record
from harness.run.stored import RECORD
from harness.search.llm.mending import json_values, mended
from harness.search.llm.proposals import outside_reasoning
from harness.space.form import object_schema
from harness.study.work.units import Dialect, EndpointSpec

TEMPERATURE: Final = 0.6
"""Of both roles by default; a server that refuses to be given one refuses this one."""
_DESIGN: Final = object_schema({"width": {"enum": [16, 32, 64]}, "depth": {"enum": [1, 2, 3, 4]}})


class _Role(NamedTuple):
    """What a role is asked: its system text, a question, what must come, and the schema of that."""

    system: str
    question: str
    wanted: str
    schema: Mapping[str, Any] | None


_ROLES: Final = (
    _Role(
        "You study the results of neural architecture search and steer a partner who proposes architectures.",
        "There are no results yet. Give a first strategy in one sentence.",
        "a strategy in words",
        None,
    ),
    _Role(
        "You propose neural architectures that follow a strategy.",
        "The strategy:\nwide and deep\n\n"
        'Propose 2 different architectures as JSON, {"architectures": [...]}, each in the form of '
        '{"width": 16, "depth": 2}, with a width of 16, 32 or 64 and a depth of 1 to 4.',
        "architectures as JSON",
        object_schema({"architectures": {"type": "array", "items": _DESIGN}}),
    ),
)


def endpoint(unit: Unit[EndpointSpec, Dialect], needs: Needs, folder: Path) -> Done:
    """Asks each role once; a replay asks nothing and says what the run that it replays had learned.

    Raises:
        EndpointError: nothing answers, or what comes is of no use.
    """
    settings = unit.spec.llm
    if needs.place.replay is not None:
        return _kept(unit, needs.place.replay)
    key, table = needs.place.keys.of(settings.base_url), asdict(settings)
    check_endpoint(table, key)
    replies = exchanges(EndpointClient(table, key, Transcript(None)), settings.base_url)
    refused = frozenset[str]().union(*(learned(reply.events) for reply in replies))
    return Done(
        result=Dialect(refused=tuple(sorted(refused))),
        about={"replies": [reply.to_json() for reply in replies]},
    )


def exchanges(client: Client, address: str) -> list[Reply]:
    """Returns the reply to each role.

    Raises:
        EndpointError: one of them says nothing, or no JSON where that was asked for.
    """
    replies = []
    for role in _ROLES:
        messages: list[Message] = [
            {"role": "system", "content": role.system},
            {"role": "user", "content": role.question},
        ]
        reply = client.chat(messages, temperature=TEMPERATURE, schema=role.schema)
        if fault := _fault(reply, needs_json=role.schema is not None):
            raise EndpointError(
                f"The endpoint {address} was asked for {role.wanted} by model {client.name}, and {fault}; or "
                "unset HARNESS_LLM_BASE_URL to use the embedded model."
            )
        replies.append(reply)
    return replies


def _fault(reply: Reply, *, needs_json: bool) -> str:
    """Returns why a reply is of no use, and what to do; nothing where it is."""
    text = outside_reasoning(reply.text)
    if not text.strip():
        if reply.finish_reason == "length":
            return "the reply was cut before it said anything; raise llm.max_tokens"
        return f"nothing came ({reply.finish_reason}); check the model's name, or choose another"
    if needs_json and not (json_values(text).values or json_values(mended(text)).values):
        return "words came that hold no JSON; choose a model that writes it"
    return ""


def _kept(unit: Unit[EndpointSpec, Dialect], replay: Path) -> Done:
    """Returns what a run had learned of the same endpoint; nothing where it knows of none."""
    for folder in sorted((replay / "units").glob(f"{unit.kind}-*")):
        record = read_record(folder / RECORD)
        if record is not None and (record.status, record.spec) == ("ok", unit.spec.to_json()):
            return Done(result=Dialect.from_json(record.result), about=record.about)
    return Done(result=Dialect())
