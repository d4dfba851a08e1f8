"""A key goes to the host that the environment binds it to, and nowhere else.

Truth: what servers on loopback are sent, and which host another library reads out of an address.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filled
import llm_server
import pytest
from command import python
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import EndpointError, HarnessError
from harness.guard.keys import Key, Keys, host_of, take_keys, wrong_address
from harness.learn.baseline import Opening
from harness.llm import check_endpoint, open_client
from harness.run.place import Place

MINE = "https://mine.example/v1"
SECRET = "sk-mine-0123456789"
OTHER = "sk-openai-9876543210"


def authorizations(headers: list[Mapping[str, str]]) -> list[str | None]:
    """Returns what each request had in that header, whose case differs between HTTP libraries."""
    return [{name.lower(): value for name, value in seen.items()}.get("authorization") for seen in headers]


def environment(**more: str) -> dict[str, str]:
    return {"HARNESS_LLM_API_KEY": SECRET, "OPENAI_API_KEY": OTHER, **more}


@pytest.mark.parametrize(
    ("more", "address", "token"),
    [
        ({"HARNESS_LLM_BASE_URL": MINE}, MINE, SECRET),
        ({"HARNESS_LLM_BASE_URL": MINE}, "https://mine.example:443/v2/chat", SECRET),
        ({"HARNESS_LLM_BASE_URL": MINE}, "https://MINE.example/v1", SECRET),
        ({"HARNESS_LLM_BASE_URL": MINE}, "http://mine.example/v1", ""),
        ({"HARNESS_LLM_BASE_URL": MINE}, "https://mine.example:444/v1", ""),
        ({"HARNESS_LLM_BASE_URL": MINE}, "https://evil.example/v1", ""),
        ({"HARNESS_LLM_BASE_URL": MINE}, "https://mine.example.evil.example/v1", ""),
        ({"HARNESS_LLM_BASE_URL": MINE}, "https://api.openai.com/v1", OTHER),
        ({}, "https://api.openai.com/v1", OTHER),
        ({}, "http://api.openai.com/v1", ""),
        ({}, MINE, ""),
        ({"OPENAI_BASE_URL": MINE}, MINE, OTHER),
        ({"OPENAI_BASE_URL": "mine.example"}, MINE, ""),
        ({"OPENAI_BASE_URL": "mine.example"}, "https://api.openai.com/v1", ""),
        ({"OPENAI_BASE_URL": MINE}, "https://api.openai.com/v1", ""),
        ({"OPENAI_BASE_URL": MINE, "HARNESS_LLM_BASE_URL": MINE}, MINE, SECRET),
    ],
)
def test_a_key_is_for_the_host_that_the_environment_names(
    more: dict[str, str], address: str, token: str
) -> None:
    assert take_keys(environment(**more)).of(address).token == token


PIECES = ["https://", "http://", "mine.example", "evil.example", "@", ":", "443", "/", "\\", "#", "?", "v1"]
PIECES += ["%40", "%2f", ".", " ", "\t", "\n", "[::1]", "user", ";", "ｍ", "\u3002", "//", "&"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_no_address_gets_a_key_that_another_library_takes_to_another_host(address: str) -> None:
    transport: Any = pytest.importorskip("httpx2")
    key = take_keys(environment(HARNESS_LLM_BASE_URL=MINE)).of(address)
    if any(key) or not wrong_address(address):
        url = transport.URL(address)
        host = f"[{url.host}]" if ":" in url.host else url.host
        assert (
            host_of(address) == f"{url.scheme}://{host}:{url.port or {'http': 80, 'https': 443}[url.scheme]}"
        )
        assert not url.userinfo or wrong_address(address)
    if any(key):
        assert (url.scheme, url.host, url.port or 443) == ("https", "mine.example", 443)


def test_what_a_process_starts_finds_no_key_in_its_environment() -> None:
    left = environment(
        HARNESS_LLM_BASE_URL="https://me:word@mine.example/v1?api-key=abcdefgh", OPENAI_ORG_ID="o"
    )
    key = take_keys(left).of(MINE)
    assert left == {"HARNESS_LLM_BASE_URL": MINE}
    assert (key.token, key.login, key.parameters()) == (SECRET, "me:word", {"api-key": "abcdefgh"})


@pytest.mark.parametrize(
    "text", ["mine.example", "ftp://mine.example", "https://", f"{MINE} x", "https://ö.example"]
)
def test_an_address_that_is_none_is_told_without_its_text(text: str) -> None:
    with pytest.raises(HarnessError, match="HARNESS_LLM_BASE_URL is no address; write https://HOST/PATH"):
        take_keys({"HARNESS_LLM_BASE_URL": text})


def test_no_key_is_shown_by_what_carries_it() -> None:
    keys = Keys(by_host={host_of(MINE): Key(SECRET, "me:pass-word-1", "api-key=abcdefgh")})
    shown = [repr(keys), repr(keys.of(MINE)), f"{keys.of(MINE)}", repr(Opening(data=Path(), keys=keys))]
    shown.append(repr(Place(run=Path(), data=Path(), keys=keys)))
    text = " ".join(shown)
    assert [secret for secret in (SECRET, "pass-word-1", "abcdefgh") if secret in text] == []


def test_every_part_of_a_key_is_blotted_out_of_a_text() -> None:
    key = Key(SECRET, "me:pass-word-1", "api-key=abcdefgh")
    basic = key.headers()["Authorization"]
    text = f"{SECRET} {basic} pass-word-1 ?api-key=abcdefgh ftp://you:theirs@host/x"
    hidden = Keys(by_host={host_of(MINE): key}).hidden_in(text)
    assert hidden == "[key] Basic [key] [key] ?[key] ftp://host/x"


def test_a_redirect_is_not_followed_and_the_other_host_is_asked_nothing(tmp_path: Path) -> None:
    with llm_server.served(llm_server.completion("stolen")) as (other, asked, headers):
        moved = llm_server.Answer(307, headers={"Location": f"{other}/chat/completions?api-key=abcdefgh"})
        with llm_server.served(moved) as (url, _, _):
            client = llm_server.endpoint(url, tmp_path / "t.jsonl")
            with pytest.raises(EndpointError, match=r"redirects to http://127.0.0.1:.*no redirect") as error:
                llm_server.asked(client)
            with pytest.raises(EndpointError, match="no redirect is followed"):
                check_endpoint(llm_server.table(url), Key(token=llm_server.KEY))
    assert (asked, headers) == ([], [])
    assert "abcdefgh" not in str(error.value)


def test_user_password_and_query_of_the_environment_are_sent_and_not_kept(tmp_path: Path) -> None:
    key = Key("", "me:pass-word-1", "api-key=abcdefgh")
    said = llm_server.completion(f"pass-word-1 abcdefgh {key.headers()}")
    with llm_server.served(said) as (url, _, headers):
        path, table = tmp_path / "t.jsonl", llm_server.table(url)
        llm_server.asked(open_client(table, model_file=None, transcript=path, key=key))
    assert authorizations(headers)[0] == key.headers()["Authorization"]
    assert headers[0]["path"] == "/v1/chat/completions?api-key=abcdefgh"
    kept = (tmp_path / "t.jsonl").read_text()
    secrets = ("pass-word-1", "abcdefgh", key.headers()["Authorization"].split()[1])
    assert [secret for secret in secrets if secret in kept] == []


def run(tmp_path: Path, address: str, **settings: str) -> Any:
    """Runs `harness eval` of a suite that names `address`, whose key and model it may not have."""
    text = f'{llm_server.TABLE_SUITE}llm = {{base_url = "{address}", model = "m"}}\n'
    (tmp_path / "mine.toml").write_text(text)
    arguments = ["eval", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "run")]
    return CliRunner().invoke(app, arguments, env=settings)


def refused(done: Any, message: str, run: Path) -> None:
    """A secret was refused, told without its text, and written nowhere."""
    assert isinstance(done.exception, HarnessError)
    assert message in str(done.exception)
    assert "pass-word" not in str(done.exception)
    assert not run.exists()


@pytest.mark.parametrize("name", ["HARNESS_LLM_API_KEY", "OPENAI_API_KEY"])
def test_a_suite_that_names_an_address_is_not_given_the_users_key(tmp_path: Path, name: str) -> None:
    with llm_server.served(llm_server.Answer(401)) as (url, _, headers):
        done = run(tmp_path, url, **{name: SECRET})
    assert [SECRET in str(seen) for seen in headers] == [False]
    assert done.exit_code == 1
    told = (
        f"{name} is for another host and is not sent to {url}; to send a key there, set HARNESS_LLM_BASE_URL"
    )
    assert told in done.stderr
    assert "HARNESS_LLM_BASE_URL to this address" in " ".join(done.stdout.split())


def test_the_key_is_sent_where_suite_and_environment_name_one_host(tmp_path: Path) -> None:
    with llm_server.served(llm_server.Answer(401)) as (url, _, headers):
        done = run(tmp_path, url, HARNESS_LLM_API_KEY=SECRET, HARNESS_LLM_BASE_URL=f"{url}/else")
    assert authorizations(headers) == [f"Bearer {SECRET}"]
    assert "is for another host" not in done.stderr


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://me:pass-word@mine.example/v1", "llm.base_url holds a user or a password"),
        ("https://pass-word@mine.example/v1", "llm.base_url holds a user or a password"),
        ("https://mine.example/v1?api-key=pass-word", "llm.base_url holds a query"),
        ("https://mine.example/v1#pass-word", "llm.base_url is no address"),
        ("file:///etc/pass-word", "llm.base_url is no address"),
    ],
)
def test_an_address_with_a_secret_is_refused_in_a_suite_and_written_nowhere(
    tmp_path: Path, address: str, message: str
) -> None:
    refused(run(tmp_path, address), message, tmp_path / "run")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("local-completions?model=m&base_url=https://me:pass-word@h.example/v1", "holds a user or a pass"),
        ("local-completions?model=m&base_url=https://h.example/v1%3Fkey=pass-word", "holds a query"),
        ("local-completions?model=m&auth_token=pass-word", "auth_token is a secret"),
        ("openai-completions?model=m&OPENAI_API_KEY=pass-word", "is a secret"),
        ("hf?pretrained=m&token=pass-word", "token is a secret"),
        ("litellm?model=m&api_base=http://evil.example", "api_base names a host to lm_eval:litellm"),
        ("anthropic-chat?model=m&base_url=https://evil.example", "would send it a key of yours"),
        ("textsynth?engine=m&url=https://evil.example", "would send it a key of yours"),
    ],
)
def test_a_model_of_lm_eval_holds_no_secret_and_leads_no_key_astray(
    tmp_path: Path, model: str, message: str
) -> None:
    out = tmp_path / "run"
    arguments = ["eval", "toy", "--out", str(out), "--model", f"lm_eval:{model}"]
    refused(CliRunner().invoke(app, arguments), message, out)


def test_a_password_of_the_environment_is_in_no_plan(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f"{llm_server.SUITE}llm = {{}}\n")
    settings = {"HARNESS_LLM_BASE_URL": "https://me:pass-word@mine.example/v1?api-key=pass-word"}
    arguments = ["eval", str(tmp_path / "mine.toml"), "--dry-run", "--json"]
    done = CliRunner().invoke(app, arguments, env=settings | {"HARNESS_LLM_MODEL": "m"})
    assert '"base_url": "https://mine.example/v1"' in done.output
    assert "pass-word" not in done.output


def test_doctor_prints_an_address_without_its_password(tmp_path: Path) -> None:
    address = "https://me:pass-word@mine.example/v1?api-key=pass-word"
    done = CliRunner().invoke(app, ["doctor"], env={"HARNESS_LLM_BASE_URL": address})
    assert "language model: https://mine.example/v1" in done.output
    assert "pass-word" not in done.output


ECHO = """
import sys
from collections.abc import Mapping
from pathlib import Path
from harness.guard.keys import Key
from harness.llm import open_client
table = {"base_url": sys.argv[1], "model": "m", "timeout_seconds": 5.0, "max_tokens": 1}
client = open_client(table, model_file=None, transcript=Path(sys.argv[2]), key=Key(token=sys.argv[3]))
client.chat([{"role": "user", "content": "x"}], temperature=0.6)
client.chat([{"role": "user", "content": "y"}], temperature=0.6)
raise RuntimeError(repr(vars(client)))
"""


def test_the_clients_debug_log_does_not_print_what_headers_and_bodies_repeat(tmp_path: Path) -> None:
    said = f"Bearer {llm_server.KEY}"

    def echoed(number: int, request: dict[str, Any]) -> Any:
        answer = llm_server.completion(said) if number == 1 else llm_server.refused(400, said, code=said)
        headers = {"x-request-id": said, "Server": said, "Set-Cookie": said}
        return llm_server.Answer(answer.status, answer.payload, headers=headers)

    with llm_server.served(echoed) as (url, _, headers):
        done = python(ECHO, url, tmp_path / "t.jsonl", llm_server.KEY, OPENAI_LOG="debug")
    assert authorizations(headers) == [said, said]
    assert "RuntimeError" in done.stderr
    assert llm_server.KEY not in done.stdout + done.stderr + (tmp_path / "t.jsonl").read_text()


def test_a_unit_that_fails_with_a_key_in_its_error_records_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.data.view import DataPlace
    from harness.workers import perform as units

    def fail(*arguments: Any) -> None:
        raise error(f"401 for https://me:theirs@mine.example with Bearer {SECRET}")

    monkeypatch.setattr(units, "perform", fail)
    place = Place(run=tmp_path, data=DataPlace(folder=tmp_path), keys=Keys(by_host={"h": Key(token=SECRET)}))
    for error in (RuntimeError, HarnessError):
        assert units.carry_out(filled.unit("score", {"domain": error.__name__}), {}, place) == "failed"
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3
    assert [text for text in files if SECRET in text or "theirs" in text] == []
