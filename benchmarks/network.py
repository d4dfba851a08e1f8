"""Which hosts a command contacts, and which programs it starts.

    python benchmarks/network.py eval toy --offline

Every Python process of the command, workers and pip among them, has an audit hook that notes what its sockets
connect to and look up. Other programs are told by name; what C extensions send is not seen, and for those a
run in a namespace without network (`unshare -rn harness ... --offline`) is the test.
"""

import json
import os
import subprocess  # this script runs the harness itself  # nosec B404
import sys
import tempfile
from collections import Counter
from pathlib import Path

NOTING = """
import json, os, sys

def _note(event, arguments, _open=os.open, _write=os.write, _dumps=json.dumps):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        what = ["host", str(arguments[0])]
    elif event in ("socket.connect", "socket.sendto", "socket.sendmsg") and isinstance(arguments[1], tuple):
        what = ["host", str(arguments[1][0])]
    elif event == "subprocess.Popen":
        what = ["program", os.path.basename(os.fsdecode(arguments[0] or arguments[1][0]))]
    else:
        return
    file = _open(os.environ["HARNESS_NOTED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    _write(file, (_dumps(what) + chr(10)).encode())
    os.close(file)

sys.addaudithook(_note)
"""
CLEAN = "from harness.cli.main import main; main()"


def contacted(words: list[str]) -> tuple[int, Counter[tuple[str, str]]]:
    """Returns the exit status of `harness WORDS`, and how often each host and program was called on."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(NOTING)
        path = os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])])
        noted = Path(folder) / "noted.jsonl"
        settings = {"PYTHONPATH": path, "HARNESS_NOTED": str(noted)}
        done = subprocess.run(  # the harness itself  # nosec B603
            [sys.executable, "-c", CLEAN, *words], env=os.environ | settings, check=False
        )
        lines = noted.read_text().splitlines() if noted.exists() else []
    return done.returncode, Counter((kind, name) for kind, name in map(json.loads, lines))


def main() -> None:
    """Runs the command and prints a line for each host and program."""
    status, found = contacted(sys.argv[1:])
    for (kind, name), count in sorted(found.items()):
        print(f"{kind:8} {name}  {count}")
    hosts = {name for kind, name in found if kind == "host"}
    print(f"exit status {status}; {len(hosts)} hosts contacted", file=sys.stderr)


if __name__ == "__main__":
    main()
