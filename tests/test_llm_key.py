"""The key of an endpoint is written nowhere. Truth: every byte of a run folder and of what was printed."""

import base64
import json
import logging
import subprocess
import traceback
from pathlib import Path
from typing import Any

import llm_server
import pytest
from command import apart

from harness.errors import EndpointError
from harness.guard.keys import Key
from harness.llm import check_endpoint

LOGIN, QUERY = "planted-user:planted-password", "api-key=planted-query-key"
BASIC = base64.b64encode(LOGIN.encode()).decode()


def echoing(status: int) -> Any:
    """Returns an answer that repeats the key in every text of its body."""
    said = f"Authorization: Bearer {llm_server.KEY}, {BASIC}, {LOGIN}, {QUERY}"
    answer = llm_server.completion(said, finish_reason=said)
    body = json.loads(answer.payload) | {"model": llm_server.KEY, "id": llm_server.KEY}
    if status != 200:
        body = {"error": {"message": said, "code": llm_server.KEY, "param": llm_server.KEY, "type": said}}
    headers = {"x-request-id": said, "Server": said, "Set-Cookie": said}
    return llm_server.Answer(status, json.dumps(body).encode(), headers=headers)


def run(out: Path, url: str, key: str) -> "subprocess.CompletedProcess[str]":
    settings = {"HARNESS_LLM_BASE_URL": url, "HARNESS_LLM_MODEL": "asked-model", "OPENAI_LOG": "debug"}
    words = ("eval", out.parent / "toy_key.toml", "--out", out)
    return apart(*words, HARNESS_LLM_API_KEY=key, **settings)


@pytest.mark.slow
@pytest.mark.ci
@pytest.mark.parametrize("login", ["", f"{LOGIN}@"], ids=["token", "login"])
def test_a_run_with_an_endpoint_that_echoes_the_key_leaves_it_nowhere(tmp_path: Path, login: str) -> None:
    (tmp_path / "toy_key.toml").write_text(llm_server.SUITE)

    def echoed(number: int, request: dict[str, Any]) -> Any:
        if number in (3, 5, 6):
            return llm_server.improving(number, request)
        return echoing({0: 200, 1: 500, 2: 200, 4: 200, 7: 400, 8: 200}.get(number, 403))

    with llm_server.served(echoed) as (url, _, headers):
        done = run(tmp_path / "run", url.replace("://", f"://{login}") + f"?{QUERY}", llm_server.KEY)
    assert done.returncode != 0
    sent = f"Basic {BASIC}" if login else f"Bearer {llm_server.KEY}"
    assert {sent, f"/v1/chat/completions?{QUERY}"} <= {value for seen in headers for value in seen.values()}
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"transcript.jsonl", "record.json", "report.html"} <= {path.name for path in files}
    written = {**files, Path("stdout"): done.stdout.encode(), Path("stderr"): done.stderr.encode()}
    secrets = [llm_server.KEY, "planted-query-key", *(["planted-password", BASIC] if login else [])]
    found = [
        (secret, path.name) for secret in secrets for path in written if secret.encode() in written[path]
    ]
    assert found == []


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_no_error_and_no_log_names_the_key(
    tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ""
    with llm_server.served(echoing(status)) as (url, _, _):
        client = llm_server.endpoint(url, tmp_path / "t.jsonl")
        try:
            for _ in range(3):
                llm_server.asked(client)
        except EndpointError:
            shown += traceback.format_exc()
        try:
            check_endpoint(llm_server.table(url), Key(token=llm_server.KEY))
        except EndpointError:
            shown += traceback.format_exc()
    assert "EndpointError" in shown
    assert llm_server.KEY not in shown + caplog.text + repr(client) + repr(client.transcript)


def test_a_key_that_is_a_word_of_the_space_does_not_blank_replies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm_server, "KEY", "none")
    with llm_server.served(llm_server.completion("none")) as (url, _, _):
        client = llm_server.endpoint(url, tmp_path / "t.jsonl")
        assert llm_server.asked(client).text == "none"
