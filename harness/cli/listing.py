"""Verbs that say what there is, and how the files are written that add to it."""

import json
from typing import Annotated

import typer

from harness import catalog
from harness.cli.options import Json
from harness.errors import UnknownNameError
from harness.guard import inert

PLURALS = {
    f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s": kind for kind in catalog.KINDS
}


def list_entries(
    kind: Annotated[str | None, typer.Argument(help=", ".join(PLURALS))] = None,
    as_json: Json = False,
) -> None:
    """List the catalog."""
    if kind is not None and kind not in PLURALS:
        raise UnknownNameError("kind", kind, PLURALS)
    plurals = PLURALS if kind is None else {kind: PLURALS[kind]}
    if as_json:
        shown = {
            plural: [{**one._asdict(), "file": str(one.file)} for one in catalog.told(each)]
            for plural, each in plurals.items()
        }
        print(json.dumps(shown, indent=1))
    elif kind is None:
        for plural, each in plurals.items():
            print(inert.line(f"{plural}: {' '.join(catalog.names(each))}"))
    else:
        for name, summary, origin, file in catalog.told(PLURALS[kind]):
            where = "" if origin == "shipped" else f" ({origin}: {file})"
            print(inert.line(f"{name}: {summary}{where}"))


def schema(
    kind: Annotated[str, typer.Argument(help="suite, task, table, record, board or result.")] = "suite",
    study: Annotated[
        str | None, typer.Option(help="Of suites, records or boards, those of one study.")
    ] = None,
) -> None:
    """Print the JSON Schema of a file, by which editors complete and check what people or runs write."""
    from harness.results.schema import file_schema

    print(json.dumps(file_schema(kind, study), indent=1, ensure_ascii=False))
