"""Options that several verbs have, and where a command works: a run's folder, data and tables."""

import math
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import __version__, catalog
from harness.errors import HarnessError
from harness.guard import inert
from harness.guard.network import offline


def _shut_network(context: typer.Context, value: bool) -> bool:
    """Shuts the network until the verb has ended."""
    if value:
        context.with_resource(offline(os.environ))
    return value


PLURALS = {
    f"{kind.removesuffix('y')}ies" if kind.endswith("y") else f"{kind}s": kind for kind in catalog.KINDS
}
"""How lists call the kinds."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Offline = Annotated[
    bool, typer.Option("--offline", help="Contact nothing beyond this machine.", callback=_shut_network)
]


def _print_version(asked: bool) -> None:
    if asked:
        print(f"harness {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
]


def of_kind(kind: str) -> Callable[[str], list[str]]:
    """Returns what completes a word by the names of entries of a kind."""
    return lambda incomplete: _completed(kind, incomplete)


def of_named_kind(context: typer.Context, incomplete: str) -> list[str]:
    """Completes a word by the names of entries of the kind that was typed before it."""
    kind = str(context.params.get("kind") or "")
    return _completed(PLURALS.get(kind, kind), incomplete)


def kinds(incomplete: str) -> list[str]:
    """Completes a word by the kinds of entries."""
    return [kind for kind in catalog.KINDS if kind.startswith(incomplete)]


def _completed(kind: str, incomplete: str) -> list[str]:
    """Returns the names that go on as begun; none where the catalog cannot be read, as nobody reads why."""
    try:
        return [name for name in catalog.names(kind) if name.startswith(incomplete)]
    except HarnessError:
        return []


def terminal_width() -> int | None:
    """Returns the characters of a line of the terminal; None where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


if TYPE_CHECKING:
    from harness.guard.keys import Keys
    from harness.run.place import Place
    from harness.run.store import Store

STORE_GIB = 20.0
"""What the results of all runs may take where `HARNESS_CACHE_GIB` says nothing."""


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


def results_of_all_runs(*, device: str = "cpu", processes: int = 1, answers: bool = True) -> "Store":
    """Returns what all runs of this user share, beside the data."""
    from harness.run.store import Store

    return Store(
        data_folder() / "results",
        _gib(),
        device=device,
        processes=processes,
        answers=answers,
        tell=lambda line: print(f"harness: {inert.line(line)}", file=sys.stderr),
    )


def _gib() -> float:
    text = os.environ.get("HARNESS_CACHE_GIB", "")
    try:
        found = float(text or STORE_GIB)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise HarnessError(f"HARNESS_CACHE_GIB is {text!r}; give a number of GiB, 0 to keep nothing.")
    return found


def tables() -> tuple[Path, ...]:
    """Returns the folder that `HARNESS_BENCHMARKS` names, where it does."""
    text = os.environ.get("HARNESS_BENCHMARKS")
    return (Path(text).expanduser().resolve(),) if text else ()


def data_folder() -> Path:
    """Returns the data cache: what `HARNESS_DATA` names, or a folder of the user's cache."""
    text = os.environ.get("HARNESS_DATA")
    return Path(text).expanduser() if text else Path.home() / ".cache" / "crossdomain-harness"
