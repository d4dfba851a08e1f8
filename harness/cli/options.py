"""Options that several verbs of the command line have."""

import os
import shutil
import sys
from typing import Annotated

import typer

from harness.guard.network import offline


def _shut_network(context: typer.Context, value: bool) -> bool:
    """Shuts the network until the verb has ended."""
    if value:
        context.with_resource(offline(os.environ))
    return value


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Contact nothing beyond this machine.", callback=_shut_network)
]


def terminal_width() -> int | None:
    """Returns the characters of a line of the terminal; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
