"""Options that several verbs have, and where a command works: a run's folder, data and tables."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import HarnessError
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


if TYPE_CHECKING:
    from harness.guard.keys import Keys
    from harness.run.place import Place


def place_of(
    run: Path,
    *,
    device: str,
    offline: bool,
    keys: "Keys",
    replay: Path | None = None,
    is_trusted: bool = False,
) -> "Place":
    """Returns where the units of a run work."""
    from harness.data.view import DataPlace
    from harness.run.place import Place

    if replay is not None and not (replay / "plan.json").is_file():
        raise HarnessError(f"{replay} is not a run folder; give one that `harness eval` wrote.")
    return Place(
        run=run,
        data=DataPlace(folder=data_folder(), offline=offline),
        device=device,
        keys=keys,
        replay=replay,
        tables=tables(),
        is_trusted=is_trusted,
    )


def tables() -> tuple[Path, ...]:
    """Returns the folder that `HARNESS_BENCHMARKS` names, where it does."""
    text = os.environ.get("HARNESS_BENCHMARKS")
    return (Path(text).expanduser().resolve(),) if text else ()


def data_folder() -> Path:
    """Returns the data cache: what `HARNESS_DATA` names, or a folder of the user's cache."""
    text = os.environ.get("HARNESS_DATA")
    return Path(text).expanduser() if text else Path.home() / ".cache" / "crossdomain-harness"
