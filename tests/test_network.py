"""What is contacted. Truth: calls that would leave the machine, and a namespace that has no network."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import llm_server
import pytest
from command import COMMAND, apart, python
from typer.testing import CliRunner
from working import FLOORS

from harness.cli.main import app
from harness.errors import HarnessError
from harness.guard.network import OFFLINE, is_loopback, offline

LEAVING = """
import json, socket
from harness.guard.network import shut_network
shut_network()
stream, packets = socket.SOCK_STREAM, socket.SOCK_DGRAM
six = socket.socket(socket.AF_INET6, stream)
calls = {
    "create_connection": lambda: socket.create_connection(("pypi.org", 443)),
    "connect": lambda: socket.socket().connect(("192.0.2.1", 80)),
    "connect_ex": lambda: socket.socket().connect_ex(("192.0.2.1", 80)),
    "connect by name": lambda: socket.socket().connect(("pypi.org", 80)),
    "connect over IPv6": lambda: six.connect(("2001:db8::1", 80)),
    "connect over a mapped address": lambda: six.connect(("::ffff:192.0.2.1", 80)),
    "sendto": lambda: socket.socket(type=packets).sendto(b"x", ("192.0.2.1", 53)),
    "sendmsg": lambda: socket.socket(type=packets).sendmsg([b"x"], [], 0, ("192.0.2.1", 53)),
    "connect of packets": lambda: socket.socket(type=packets).connect(("192.0.2.1", 53)),
    "getaddrinfo": lambda: socket.getaddrinfo("pypi.org", 443),
    "gethostbyname": lambda: socket.gethostbyname("pypi.org"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("pypi.org"),
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
    "getnameinfo": lambda: socket.getnameinfo(("192.0.2.1", 80), 0),
}
told = {}
for name, call in calls.items():
    try:
        told[name] = f"went through: {call()}"
    except Exception as error:
        told[name] = f"{type(error).__name__}: {error}"
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(("localhost", server.getsockname()[1]))
pair = socket.socketpair()
pair[0].sendmsg([b"x"])
told["here"] = pair[1].recv(1).decode()
print(json.dumps(told))
"""
CALLING = """
import socket


def predict(samples):
    print("\\x1b[31mevil")
    socket.create_connection(("192.0.2.1", 80), timeout=5)
"""
QUIET = """
import sys
from harness.cli.main import main
sys.argv = ["harness", "list", "tasks"]
try:
    main()
except SystemExit:
    pass
from huggingface_hub import constants
import datasets
print(constants.HF_HUB_DISABLE_TELEMETRY, datasets.config.HF_UPDATE_DOWNLOAD_COUNTS)
"""


@pytest.mark.slow
@pytest.mark.ci
def test_no_call_of_python_leaves_the_machine_once_the_network_is_shut() -> None:
    told = json.loads(python(LEAVING).stdout)
    assert told.pop("here") == "x"
    assert len(told) == 14
    assert [
        name
        for name, text in told.items()
        if not text.startswith("HarnessError: --offline forbids contacting ")
    ] == []


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        (b"127.0.0.1", True),
        (None, True),
        ("0.0.0.0", True),
        ("fe80::1%eth0", False),
        ("::ffff:192.0.2.1", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("2130706433", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_told_without_asking(host: object, here: bool) -> None:
    assert is_loopback(host) == here


@pytest.mark.slow
@pytest.mark.ci
def test_the_environment_is_as_it_was_when_the_network_opens_again() -> None:
    environment = {"HF_HUB_OFFLINE": "0", "HOME": "/home"}
    with offline(environment):
        assert environment == {"HOME": "/home", **OFFLINE}
    assert environment == {"HF_HUB_OFFLINE": "0", "HOME": "/home"}


@pytest.mark.slow
@pytest.mark.ci
def test_every_verb_that_takes_offline_shuts_the_network_until_it_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = []

    def leave(*arguments: object, **options: object) -> int:
        told.append(os.environ.get("PIP_NO_INDEX"))
        socket.getaddrinfo("192.0.2.1", 80)
        return 0

    for place in ("cli.data.prepare_all", "checks.entries.check_entry", "language.export.export_task"):
        monkeypatch.setattr(f"harness.{place}", leave)
    monkeypatch.setattr("harness.study.suite.load_suite", leave)
    verbs = ["data prepare x", "check task toy_patterns", "export-task toy_patterns --out y", "eval x"]
    for verb in verbs:
        done = CliRunner().invoke(app, [*verb.split(), "--offline"])
        assert str(done.exception) == "--offline forbids contacting 192.0.2.1; run without --offline."
        socket.getaddrinfo("192.0.2.1", 80)
    assert told == ["1"] * len(verbs)


@pytest.mark.slow
@pytest.mark.ci
def test_telemetry_is_off_before_any_package_is_imported() -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "DO_NOT"))}
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, env=plain)
    assert done.stdout.splitlines()[-1] == "True False", done.stderr


@pytest.mark.slow
@pytest.mark.ci
def test_an_endpoint_elsewhere_is_not_asked_offline(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(llm_server.TABLE_SUITE)
    settings = {"HARNESS_LLM_BASE_URL": "https://mine.example/v1", "HARNESS_LLM_MODEL": "m"}
    words = ["eval", str(tmp_path / "s.toml"), "--out", str(tmp_path / "run"), "--offline"]
    done = CliRunner().invoke(app, words, env=settings)
    assert isinstance(done.exception, HarnessError)
    assert str(done.exception).startswith(
        "--offline forbids asking the endpoint https://mine.example/v1; run"
    )


@pytest.mark.slow
@pytest.mark.ci
def test_a_model_of_lm_eval_elsewhere_is_not_asked_offline() -> None:
    from harness.language.external import build_model, parse_address

    address = parse_address("lm_eval:local-completions?model=m&base_url=https://mine.example/v1/completions")
    with pytest.raises(HarnessError, match=r"--offline forbids asking https://mine\.example"):
        build_model(address, offline=True)


@pytest.mark.slow
@pytest.mark.ci
def test_a_worker_and_the_code_it_runs_cannot_leave_the_machine_offline(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(FLOORS)
    (tmp_path / "own.py").write_text(CALLING)
    words = ["eval", tmp_path / "s.toml", "--out", tmp_path / "run", "--offline", "--workers", "1"]
    model = f"file:{tmp_path}/own.py:predict"
    refused = apart(*words, "--model", model)
    assert refused.returncode == 2
    assert "--offline forbids contacting 192.0.2.1" in refused.stderr
    assert not (tmp_path / "run").exists()
    done = apart(*words, "--set", f'baselines=["floor", "{model}"]')
    assert done.returncode == 1, done.stderr
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("record.json")]
    assert "\x1b" not in done.stdout + done.stderr
    failed = {record["reason"] for record in records if record["status"] == "failed"}
    assert failed == {"--offline forbids contacting 192.0.2.1; run without --offline."}


def watched(folder: Path, *words: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Evaluates a folder's suite, and tells the hosts that were contacted."""
    script = Path(__file__).parents[1] / "benchmarks" / "network.py"
    command = [sys.executable, script, "eval", folder / "s.toml", "--out", folder / "run", *words]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | settings, timeout=300)


@pytest.mark.slow
@pytest.mark.ci
def test_a_suite_without_a_language_model_contacts_nobody(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(FLOORS)
    done = watched(tmp_path, "--workers", "1")
    assert done.stderr.splitlines()[-1] == "exit status 0; 0 hosts contacted"


@pytest.mark.slow
@pytest.mark.ci
def test_a_suite_with_a_language_model_contacts_its_host_alone(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(llm_server.TABLE_SUITE)
    with llm_server.served(llm_server.Answer(401)) as (url, _, _):
        done = watched(tmp_path, HARNESS_LLM_BASE_URL=url, HARNESS_LLM_MODEL="m")
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("host")] == ["127.0.0.1"]
    assert done.stderr.splitlines()[-1] == "exit status 1; 1 hosts contacted"


@pytest.mark.slow
@pytest.mark.ci
def test_a_run_offline_ends_where_there_is_no_network(tmp_path: Path) -> None:
    alone = [shutil.which("unshare") or "unshare", "-rn"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace may be made here")
    (tmp_path / "s.toml").write_text(FLOORS)
    words = ["eval", str(tmp_path / "s.toml"), "--out", str(tmp_path / "run"), "--offline", "--workers", "1"]
    done = subprocess.run([*alone, *COMMAND, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").is_file()
