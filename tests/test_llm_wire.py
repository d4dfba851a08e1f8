"""What a hostile server sends is bounded. Truth: sockets that never stop, and values too deep to print."""

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import llm_server
import pytest

from harness.errors import EndpointError
from harness.llm.endpoint import _complaint
from harness.llm.wire import decoded


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nX-Long: ", b""], ids=["headers", "interim answers"])
def test_a_server_whose_headers_never_end_is_left_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    monkeypatch.setattr("harness.llm.endpoint.ATTEMPTS", 2)
    stopping = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.sendall(start)
            while not stopping.wait(0.05):
                connection.sendall(b"x" if start else b"HTTP/1.1 102 Processing\r\n\r\n")

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=drip, args=[server.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, args=[server], daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        client = llm_server.endpoint(url, tmp_path / "t.jsonl", timeout=0.3)
        pytest.importorskip("openai")  # not timed
        begun = time.perf_counter()
        with pytest.raises(EndpointError, match="stopped answering"):
            client.chat([{"role": "user", "content": "x"}], temperature=0.6)
        assert time.perf_counter() - begun < 10
        stopping.set()


def test_a_refusal_that_is_too_deep_to_be_printed_is_about_nothing() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    error = RuntimeError("x")
    error.body = deep
    assert _complaint(error) == ""


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (b"9" * 5000, None),
        (b"-" + b"9" * 5000, None),
        (b"999999999999999999", 10**18 - 1),
        (b'{"a": 1e999, "b": -1e999}', {"a": float("inf"), "b": float("-inf")}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\xff\\ud800\\u0000"', "\ufffd\ud800\x00"),
    ],
)
def test_json_of_a_server_is_read_whatever_its_numbers_are(sent: bytes, read: Any) -> None:
    assert decoded(sent) == read
