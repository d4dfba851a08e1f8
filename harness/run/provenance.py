"""Where a result was made: what its bytes may depend on besides the unit, and no hash covers."""

import os
import platform
import subprocess  # git, of a checkout alone  # nosec B404
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from harness import __version__
from harness.guard.threads import most_threads

PACKAGES: Final = (
    *("accelerate", "datasets", "lm-eval", "numpy", "optuna", "pandas", "pillow", "pyarrow", "resvg-py"),
    *("safetensors", "scikit-learn", "scipy", "timm", "torch", "torchvision", "transformers", "xllamacpp"),
)
KINDS: Final = ("python", "packages", "processor", "system", "device", "threads", "processes")
"""What makes two machines of different kinds; the version and the commit of the harness do not."""


def provenance(device: str, processes: int) -> dict[str, Any]:
    """Returns what is known of this machine, and how many processes trained together on `cpu` or `cuda`."""
    name = device
    if device == "cuda":
        import torch

        name = torch.cuda.get_device_name()
    return {
        "harness": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {package: package_version(package) for package in PACKAGES},
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()} {'-'.join(platform.libc_ver())}",
        "device": name,
        "threads": most_threads(),
        "processes": processes,
    }


def kind_of(made: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what of a provenance makes a kind of machine."""
    return {key: made.get(key) for key in KINDS}


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the values of nested mappings, each under the names that lead to it."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key} ")
        else:
            yield f"{prefix}{key}", value


@cache
def package_version(package: str) -> str | None:
    """Returns the version of an installed package; None where it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


@cache
def _commit() -> str | None:
    """Returns the commit of a checkout, with `+` where it was edited; None for an installed package."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        found = subprocess.run(  # no shell, and no words from elsewhere  # nosec B603 B607
            ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--exclude=*", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()


@cache
def _processor() -> str:
    """Returns the name of the processor's type."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
