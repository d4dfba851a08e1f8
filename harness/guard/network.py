"""What a process may contact: nothing beyond this machine under --offline, and no telemetry ever.

An audit hook sees the sockets of Python code. C extensions and child programs do not pass it: variables tell
those that fetch to stay offline, and a network namespace (`unshare -rn`) holds the rest.
"""

import ipaddress
import socket
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final

from harness.errors import HarnessError

SILENT: Final = {
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "WANDB_MODE": "disabled",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
}
"""Turns off what dependencies, and the clients that fetch, report to their makers."""
OFFLINE: Final = {
    "HF_DATASETS_OFFLINE": "1",
    "HF_EVALUATE_OFFLINE": "1",
    "HF_HUB_OFFLINE": "1",
    "PIP_NO_INDEX": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "npm_config_offline": "true",
}
"""Keeps child programs, and libraries that are imported later, from asking hubs and registries."""
_LOCAL_FAMILIES: Final = {
    getattr(socket, name) for name in ("AF_UNIX", "AF_NETLINK", "AF_ALG") if hasattr(socket, name)
}
_NAMED: Final = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
_SENDING: Final = ("socket.connect", "socket.sendto", "socket.sendmsg")

_shut = 0
_is_hooked = False


def is_loopback(host: object) -> bool:
    """Returns whether a host's name or address is this machine's own, without asking anybody."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host or "")
    text = text.strip("[]").partition("%")[0].lower()
    if text in ("", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def shut_network() -> None:
    """Makes every connection of this process beyond the machine a HarnessError, from now on."""
    global _shut, _is_hooked
    _shut += 1
    if not _is_hooked:
        sys.addaudithook(_refuse)
        _is_hooked = True


@contextmanager
def offline(environment: MutableMapping[str, str]) -> Iterator[None]:
    """Shuts the network for this process, and tells those that it starts to stay offline, inside."""
    global _shut
    before = {name: environment.get(name) for name in OFFLINE}
    shut_network()
    environment.update(OFFLINE)
    try:
        yield
    finally:
        _shut -= 1
        for name, value in before.items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not _shut or not event.startswith("socket."):
        return
    if event in _NAMED:
        host = arguments[0][0] if event == "socket.getnameinfo" else arguments[0]
    elif event in _SENDING and arguments[1] is not None:
        if arguments[0].family in _LOCAL_FAMILIES:
            return
        host = arguments[1][0]
    else:
        return
    if not is_loopback(host):
        shown = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        raise HarnessError(f"--offline forbids contacting {shown}; run without --offline.")
