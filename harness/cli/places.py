"""Where a command works: a run's folder, and what the environment says of data and tables."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HarnessError

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
