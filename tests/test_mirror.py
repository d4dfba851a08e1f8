"""A run's units at another address. Truth: the bytes of a run of one folder, by moto's S3 server."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command import harness, result_bytes

from harness.errors import HarnessError
from harness.workers import mirror as module
from harness.workers.mirror import Mirror

lacks_server = pytest.mark.skipif(
    find_spec("moto") is None or find_spec("s3fs") is None, reason="moto or s3fs is not installed"
)
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


class Faulty:
    """A server between, which answers 503, waits, or cuts the connection, every few requests."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.faults = itertools.cycle([*17 * [""], "503", *11 * [""], "slow", *11 * [""], "cut"])
        self.met: set[str] = set()
        self.is_on = False

    def __call__(self, environ: Any, start: Any) -> Any:
        fault = next(self.faults) if self.is_on else ""
        self.met.add(fault)
        if fault == "503":
            start("503 Slow Down", [("Content-Length", "0")])
            return [b""]
        if fault == "slow":
            time.sleep(0.3)
        if fault == "cut":
            start("200 OK", [("Content-Length", "100000")])
            return [b"half of it"]
        return self.app(environ, start)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Faulty]]:
    """An S3 server on loopback, and what makes it fail."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = int(one.getsockname()[1])
    faulty = Faulty(DomainDispatcherApplication(create_backend_app))
    serving = make_server("127.0.0.1", port, faulty, threaded=True)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}", faulty
    serving.shutdown()
    thread.join()


def test_an_address_of_an_unknown_kind_is_told(tmp_path: Path) -> None:
    for address in ("no://bucket/x", "bucket"):
        with pytest.raises(HarnessError, match="--mirror"):
            Mirror(address, tmp_path)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.filterwarnings("ignore")
@lacks_server
def test_shares_meet_in_a_bucket_whose_server_fails_now_and_then(
    server: tuple[str, Faulty], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    address, faulty = server
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": address}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.2)
    s3fs.S3FileSystem(endpoint_url=address).mkdir("bucket")
    assert harness("eval", "toy_lookup", "--out", tmp_path / "one").returncode == 0
    faulty.is_on = True
    words = ("eval", "toy_lookup", "--mirror", "s3://bucket/runs/mine", "--workers", 1)
    for _ in range(3):
        ended = [
            harness(*words, "--out", tmp_path / name, "--shard", f"{index}/2").returncode
            for index, name in enumerate("ab", 1)
        ]
        if ended == [0, 0]:
            break
    assert ended == [0, 0]
    whole = harness(*words, "--out", tmp_path / "c")
    assert whole.returncode == 0, whole.stderr
    assert "nothing was run" in whole.stderr
    assert result_bytes(tmp_path / "c") == result_bytes(tmp_path / "one")
    assert faulty.met == {"", "503", "slow", "cut"}
