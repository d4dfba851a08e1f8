"""What comes over the wire is bounded and goes to no log: a server may send anything, and never stop."""

import json
import logging
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from harness.errors import EndpointError
from harness.guard.keys import Key, host_of

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

MOST_BYTES: Final = 8_000_000
LONGEST_NUMBER: Final = 18
"""Digits of a whole number that is read; a longer one, of which Python may refuse to make an int, is None."""
UNREADABLE: Final = (json.JSONDecodeError, UnicodeDecodeError, RecursionError)
TRANSPORTS: Final = ("httpx", "httpx2", "httpcore", "httpcore2")


class TooLongError(Exception):
    """A body of more than `MOST_BYTES`, of which the rest was not read."""


class TooSlowError(Exception):
    """A body that had not ended when its time was over."""


def open_endpoint(settings: Mapping[str, Any], key: Key) -> "OpenAI":
    """Returns the client of the endpoint that `settings` name.

    It follows no redirect, so that neither the key nor a prompt gets to a host that nobody named, takes no
    compressed body, which can be a thousand times what was sent, and writes no log, which would hold what a
    server repeats.

    Raises:
        EndpointError: the key holds what no key holds.
    """
    from openai import DefaultHttpxClient, OpenAI

    token = key.token.strip()
    if not (token.isascii() and token.isprintable()):
        raise EndpointError(
            "The key in HARNESS_LLM_API_KEY holds a character that no key has; copy it again, without "
            "quotes or line ends."
        )
    for name in ("openai", *TRANSPORTS):
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]
    seconds = settings["timeout_seconds"]

    def watch(request: Any) -> None:
        request.extensions = {**request.extensions, "trace": _Watch(2 * seconds)}

    def bound(response: Any) -> None:
        response.headers.pop("content-encoding", None)
        response.stream = _limited(response.stream, seconds)

    # A connection that is kept alive and that the server drops meanwhile would count as a retry.
    headers = {"Connection": "close", "Accept-Encoding": "identity"}
    return OpenAI(
        base_url=settings["base_url"],
        api_key=token or "none",
        timeout=seconds,
        max_retries=0,
        default_headers=headers | (key.headers() if key.login else {}),
        default_query=key.parameters(),
        http_client=DefaultHttpxClient(
            follow_redirects=False, event_hooks={"request": [watch], "response": [bound]}
        ),
    )


def decoded(data: bytes) -> Any:
    """Returns the JSON that a server sent, numbers that are too long as None."""

    def integer(digits: str) -> int | None:
        return int(digits) if len(digits) <= LONGEST_NUMBER else None

    return json.loads(data.decode("utf-8", "replace"), parse_int=integer)


def redirected(base_url: str, error: "APIStatusError") -> EndpointError | None:
    """Returns the error of an endpoint that answered with a redirect, or None where it did not."""
    if not 300 <= error.status_code < 400:
        return None
    place = host_of(error.response.headers.get("location", "")) or "another address"
    return EndpointError(
        f"The endpoint {base_url} redirects to {place}, and no redirect is followed; name the address that "
        "you mean itself."
    )


@contextmanager
def transport_errors() -> Iterator[None]:
    """Turns what the HTTP library raises while a body is read into the connection error it means."""
    from openai import APIConnectionError, APITimeoutError

    try:
        yield
    except TooSlowError as error:
        raise APITimeoutError(request=None) from error  # type: ignore[arg-type]
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in TRANSPORTS:
            raise
        request: Any = getattr(error, "_request", None)
        kind = APITimeoutError if "Timeout" in type(error).__name__ else APIConnectionError
        raise kind(request=request) from error


def _limited(stream: Any, seconds: float) -> Any:
    """Returns the body of a response that ends with an error where it is too long or takes too long."""
    base = next(one for one in type(stream).__mro__ if one.__name__ == "SyncByteStream")
    start = perf_counter()

    def parts(self: Any) -> Iterator[bytes]:
        size = 0
        for part in stream:
            size += len(part)
            if size > MOST_BYTES:
                raise TooLongError
            if perf_counter() - start > seconds:
                raise TooSlowError
            yield part

    return type("Limited", (base,), {"__iter__": parts, "close": lambda self: stream.close()})()


class _Watch:
    """Cuts the connection of an answer that has not ended in time: headers, too, may come a byte at a time.

    The HTTP library calls it with each step of a request.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.timer: threading.Timer | None = None

    def __call__(self, step: str, about: Mapping[str, Any]) -> None:
        if step.endswith((".connect_tcp.complete", ".start_tls.complete", ".response_closed.complete")):
            if self.timer is not None:
                self.timer.cancel()
            stream = about.get("return_value")
            if stream is not None:
                self.timer = threading.Timer(self.seconds, _cut, [stream.get_extra_info("socket")])
                self.timer.daemon = True
                self.timer.start()


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
