"""JSON Schemas of the files that runs leave, records, boards and results of rows, from the types in Python.

Draft 2020-12. What a schema cannot say is checked where a file is read: its checksum, and whether values fit
together.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from harness import catalog
from harness.errors import HarnessError, UnknownNameError
from harness.files import SCHEMA
from harness.identity.unit import AnyKind, called
from harness.report.submission import RunFacts
from harness.results.rows import RowResult
from harness.results.tree import KIND
from harness.run.record import Record
from harness.study.schema import FILES, described, written_schema
from harness.study.study import load_study

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
HEAD: Final[Mapping[str, Any]] = {
    "schema": {"const": SCHEMA, "description": "version of the format."},
    "checksum": {"type": "string", "description": "sha256 of all else, as canonical JSON."},
}

Json = dict[str, Any]


def file_schema(kind: str, study: str | None = None) -> Json:
    """Returns the schema of the files of a kind; of suites, records and boards, those of one study or of any.

    Raises:
        UnknownNameError: there is no such kind, or no such study.
        HarnessError: a study is named, and files of this kind are of none.
    """
    left = {"record": _records, "board": _boards}
    if kind in FILES:
        return written_schema(kind, study)
    if kind not in (*left, "result"):
        raise UnknownNameError("kind of file", kind, [*FILES, *left, "result"])
    if kind == "result":
        if study:
            raise HarnessError("The result of a row is alike in every study; leave out --study.")
        return {"$schema": DRAFT, "title": kind, **_result()}
    names = [study] if study else catalog.names("study")
    return {"$schema": DRAFT, "title": kind, **left[kind]([load_study(name) for name in names])}


def _records(studies: Iterable[Any]) -> Json:
    """Returns the schema of records, with parameters and results of their kinds where they ended well."""
    kinds: list[AnyKind] = list(dict.fromkeys(kind for study in studies for kind in study.kinds))
    types: dict[tuple[str, str], Any] = {("", "record"): Record}
    for number, kind in enumerate(kinds):
        types |= {(str(number), "spec"): kind.spec, (str(number), "result"): kind.result}
    schemas, definitions = _of_types(types, _AsObjects)
    of_kind: dict[str, list[Json]] = {}
    for number, kind in enumerate(kinds):
        parts = {part: schemas[str(number), part] for part in ("spec", "result")}
        of_kind.setdefault(kind.name, []).append({"properties": parts})
    record = definitions.pop(schemas["", "record"]["$ref"].rpartition("/")[2])
    return {
        **record,
        "properties": {**record["properties"], **HEAD, "kind": {"enum": sorted(of_kind)}},
        "required": [*record["required"], *HEAD],
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}, "status": {"const": "ok"}}},
                "then": parts[0] if len(parts) == 1 else {"anyOf": parts},
            }
            for name, parts in sorted(of_kind.items())
        ],
        "$defs": definitions,
    }


def _boards(studies: Iterable[Any]) -> Json:
    """Returns the schema of the boards of studies that say what theirs are."""
    names = [one.parts["values"] for one in studies if "values" in one.parts]
    types: dict[tuple[str, str], Any] = {("board", name): called(name) for name in names}
    schemas, definitions = _of_types({**types, ("", "run"): RunFacts}, _Described)
    boards = []
    for key, kind in types.items():
        name = schemas[key]["$ref"].rpartition("/")[2]
        board = definitions.pop(name)
        told = {
            "study": {"const": kind.study, "description": "that the run is of."},
            "verdict": {"type": "string", "description": "what the run says of the claim of its suite."},
            "run": {**schemas["", "run"], "description": "what tells the run from others, beside its board."},
        }
        required = [*board["required"], "schema", "study", "verdict"]
        boards.append({**board, "properties": {**board["properties"], **HEAD, **told}, "required": required})
    return {"anyOf": boards, "$defs": definitions}


def _result() -> Json:
    """Returns the schema of the files of a tree of results."""
    schemas, definitions = _of_types({("", "result"): RowResult}, _AsObjects)
    row = definitions.pop(schemas["", "result"]["$ref"].rpartition("/")[2])
    head = {**HEAD, "kind": {"const": KIND}}
    properties, required = {**row["properties"], **head}, [*row["required"], *head]
    return {**row, "properties": properties, "required": required, "$defs": definitions}


def _of_types(
    types: Mapping[tuple[str, str], Any], generator: type[GenerateJsonSchema]
) -> tuple[dict[tuple[str, str], Json], Json]:
    """Returns the schema of each type, and what they refer to."""
    found, shared = TypeAdapter.json_schemas(
        [(key, "validation", TypeAdapter(kind)) for key, kind in types.items()], schema_generator=generator
    )
    return {key: schema for (key, _), schema in found.items()}, dict(shared["$defs"])


class _Described(GenerateJsonSchema):
    """Says of each member what the docstring of its class says."""

    def dataclass_schema(self, schema: Any) -> JsonSchemaValue:
        found = super().dataclass_schema(schema)
        kind = schema["cls"]
        for name, told in described(kind).items():
            if name in found["properties"]:
                found["properties"][name]["description"] = told
        told, _, _ = (kind.__doc__ or "").partition("\n")
        return {**found, "description": told, "additionalProperties": False}


class _AsObjects(_Described):
    """Takes named tuples as `Schema.to_json` writes them."""

    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:
        return self.kw_arguments_schema(schema["fields"], None)

    def p_arguments_schema(self, arguments: Any, var_args_schema: Any) -> JsonSchemaValue:
        return self.kw_arguments_schema(arguments, None)  # of a named tuple, before pydantic 2.14
