"""What `doctor` says of this machine."""

import os
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

from harness.checks.finding import Finding
from harness.data.overview import domains

PACKAGES = ("torch", "timm", "datasets", "lm-eval", "openai", "xllamacpp", "pandas", "seaborn")


def doctor(data: Path, base_url: str | None) -> list[Finding]:
    """Returns what this machine has and lacks, what is wrong first."""
    findings = [*_machine(data), *map(_package, PACKAGES)]
    npm = shutil.which("npm")
    findings.append(Finding("pip is there to fetch data", True, "through this interpreter"))
    findings.append(Finding("npm, optional", True, npm or "absent: npm domains cannot be fetched"))
    model = base_url or "embedded (no HARNESS_LLM_BASE_URL)"
    findings += [Finding("language model", True, model), *_data(data)]
    return sorted(findings, key=lambda finding: finding.holds)


def _machine(data: Path) -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free = f"{memory.available / 2**30:.1f} GiB free"
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("processor", True, f"{usable} of {os.cpu_count()} cores, {platform.machine()}")
    yield Finding("memory", memory.available > 2**30, f"{memory.total / 2**30:.1f} GiB, {free}")
    yield Finding(
        "system", True, f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    place = data if data.exists() else data.parent if data.parent.exists() else Path.cwd()
    space = shutil.disk_usage(place).free / 2**30
    yield Finding("disk for data", space > 2, f"{space:.1f} GiB free at {data}")


def _data(data: Path) -> Iterator[Finding]:
    """Yields what of each task is prepared, and each domain that is damaged."""
    for task, rows in groupby(domains(data), key=lambda row: row["task"]):
        there, count = 0, 0
        for row in rows:
            if row["damaged"] is not None:
                claim = f"domain {task}/{row['domain']}" if row["domain"] else f"task {task} loads"
                yield Finding(claim, False, row["damaged"])
            there += bool(row["prepared"])
            count += row["domain"] is not None
        if count:
            more = "" if there == count else f"; `harness data prepare {task}` fetches what lacks"
            yield Finding(f"data of {task}", True, f"{there} of {count} domains prepared{more}")


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", True, version(name))
    except PackageNotFoundError:
        return Finding(f"package {name}", False, f"absent; pip install {name}")
