"""Parameters of units that several studies plan."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.files import file_hash
from harness.study.settings import TaskSettings


def training_spec(settings: TaskSettings) -> dict[str, Any]:
    """Returns how a network is trained alone, as members of a `TrainingSpec` and `learning_rates`."""
    rates = tuple(settings.training.learning_rates)
    return {**asdict(settings.training), "learning_rates": rates, "recipe": settings.recipe}


def supernet_spec(settings: TaskSettings, space: str) -> dict[str, Any]:
    """Returns how the supernet of `SPACE:PRESET` comes to be: trained, or read from a released checkpoint.

    Raises:
        HarnessError: there is no such checkpoint.
    """
    chosen = asdict(settings.supernet)
    checkpoints = chosen.pop("checkpoints")
    if space not in checkpoints:
        return {**chosen, "recipe": settings.recipe}
    path = Path(checkpoints[space]).expanduser()
    if not path.is_file():
        raise HarnessError(
            f"There is no checkpoint {path} of {space}; give the file in supernet.checkpoints of task "
            f"{settings.name!r}, or leave it out to train the supernet."
        )
    return {"checkpoint": str(path), "checkpoint_sha256": file_hash(path)}
