"""What `doctor` says of this machine."""

import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.checks.finding import Finding
from harness.data.overview import domains


def doctor(data: Path, base_url: str | None) -> list[Finding]:
    """Returns what this machine has and lacks."""
    findings = [_package(name) for name in ("torch", "timm", "datasets", "openai", "xllamacpp", "seaborn")]
    findings.append(Finding("pip is there to fetch data", True, "through this interpreter"))
    npm = shutil.which("npm")
    findings.append(Finding("npm, optional", True, npm or "absent: npm domains cannot be fetched"))
    place = data if data.exists() else data.parent if data.parent.exists() else Path.cwd()
    free = shutil.disk_usage(place).free / 2**30
    findings.append(Finding("disk for data", free > 2, f"{free:.1f} GiB free at {data}"))
    model = base_url or "embedded (no HARNESS_LLM_BASE_URL)"
    findings.append(Finding("language model", True, model))
    for row in domains(data):
        state = "prepared" if row["prepared"] else "not prepared; `harness data prepare` fetches it"
        what = f"domain {row['task']}/{row['domain']}" if row["domain"] else f"task {row['task']} loads"
        findings.append(Finding(what, row["damaged"] is None, row["damaged"] or state))
    return findings


def _package(name: str) -> Finding:
    try:
        return Finding(f"package {name}", True, version(name))
    except PackageNotFoundError:
        return Finding(f"package {name}", False, f"absent; pip install {name}")
