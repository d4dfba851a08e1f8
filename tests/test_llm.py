"""CoLLM-NAS over scripted and served models. Truth: a policy written here, and a real HTTP server."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import catalog
from harness.errors import EndpointError, HarnessError
from harness.llm import Client, Transcript, check_endpoint, open_client
from harness.llm.proposals import read_proposals
from harness.llm.scripted import ScriptedClient
from harness.search import SearchContext, SearcherEntry, SearchResult, run_search
from harness.space import Architecture, SearchSpace
from harness.task import Signature

KEY = "sk-planted-key-0123456789"


def space() -> SearchSpace:
    bound: SearchSpace = catalog.load("space", "hybrid").matched(
        "micro", Signature(kind="image", classes=10), 0.05
    )
    return bound


def searched(client: Client, *, budget: int = 12) -> SearchResult:
    entry: SearcherEntry = catalog.load("searcher", "collm_nas")
    bound = space()
    context = SearchContext(space=bound, seed=0, budget=budget, options=entry.options, client=client)

    def score(architecture: Architecture) -> float:
        return sum(family == "recurrence" for family in bound.to_json(architecture)["mixers"]) / 4

    return run_search(entry.build(context), bound, score, budget=budget)


def design(*mixers: str) -> str:
    return json.dumps({"width": 48, "depth": 3, "mixers": list(mixers), "mlp_ratio": [2.0] * 3})


Handler = Callable[[int, dict[str, Any]], tuple[int, dict[str, str], bytes]]


@contextmanager
def served(handle: Handler) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serves POSTs with `handle(number, request) -> status, headers, body` on loopback."""
    requests: list[dict[str, Any]] = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            requests.append(body)
            status, headers, payload = handle(len(requests), body)
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def do_GET(self) -> None:
            self.send_response(200)
            payload = handle(0, {})[2]
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def completion(text: str) -> tuple[int, dict[str, str], bytes]:
    body = {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "served-model",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    return 200, {}, json.dumps(body).encode()


def endpoint(base_url: str, transcript: Path, *, replay: bool = False) -> Client:
    table = {"base_url": base_url, "model": "asked-model", "timeout_seconds": 5.0, "max_tokens": 512}
    return open_client(table, model_file=None, transcript=transcript, api_key=KEY, replay=replay)


def improving(number: int, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Navigates with a word and proposes more and more recurrence."""
    system = request["messages"][0]["content"]
    if "You propose" not in system:
        return completion("SUMMARY: more recurrence")
    families = ["attention", "local", "recurrence", "convolution"]
    start = sum(len(message["content"]) for message in request["messages"]) % len(families)
    batch = [design(families[start], one, two) for one in families for two in families]
    return completion("Here they are:\n```json\n[" + ", ".join(batch) + ",]\n```")


def test_a_served_model_finds_what_it_was_told_and_every_token_is_counted(tmp_path: Path) -> None:
    with served(improving) as (url, requests):
        result = searched(endpoint(url, tmp_path / "t.jsonl"))
    assert result.stopped == "budget"
    assert result.best is not None
    assert result.best.score == 0.75 or result.best.score == 0.5
    llm = result.report["llm"]
    assert llm["calls"] == len(requests)
    assert llm["prompt_tokens"] == 10 * len(requests)
    assert result.report["counters"]["evaluated"] == 12


def test_bad_weather_at_the_endpoint_loses_no_evaluation(tmp_path: Path) -> None:
    def chaos(number: int, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        storms: dict[int, tuple[int, dict[str, str], bytes]] = {
            1: (429, {"Retry-After": "0"}, b"{}"),
            2: (500, {"Retry-After": "0"}, b"oops"),
            4: completion(""),
            5: completion("<script>alert(1)</script> [not json"),
            7: (200, {}, b'{"choices": []}'),
            9: (403, {}, b"{}"),
        }
        return storms.get(number) or improving(number, request)

    with served(chaos) as (url, _):
        result = searched(endpoint(url, tmp_path / "t.jsonl"))
    assert len(result.history) == 12
    counters = result.report["counters"]
    assert any(name.startswith("dropped: ") for name in counters)


def test_a_schema_that_the_endpoint_refuses_is_left_out(tmp_path: Path) -> None:
    def plain(number: int, request: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
        return (400, {}, b"{}") if "response_format" in request else improving(number, request)

    with served(plain) as (url, requests):
        result = searched(endpoint(url, tmp_path / "t.jsonl"))
    assert len(result.history) == 12
    assert sum("response_format" in request for request in requests) == 1


def test_a_transcript_replays_without_a_server_to_the_same_history(tmp_path: Path) -> None:
    with served(improving) as (url, _):
        first = searched(endpoint(url, tmp_path / "t.jsonl"))
    before = (tmp_path / "t.jsonl").read_bytes()
    again = searched(endpoint(url, tmp_path / "t.jsonl", replay=True))
    assert again == first
    assert (tmp_path / "t.jsonl").read_bytes() == before


def test_a_replay_that_lacks_a_request_names_the_difference(tmp_path: Path) -> None:
    with served(improving) as (url, _):
        searched(endpoint(url, tmp_path / "t.jsonl"))
    lines = (tmp_path / "t.jsonl").read_text().replace("broad first strategy", "bold first strategy")
    (tmp_path / "t.jsonl").write_text(lines)
    with pytest.raises(HarnessError, match=r"lacks request 1: messages.1. was .*bold"):
        searched(endpoint("http://127.0.0.1:9/v1", tmp_path / "t.jsonl", replay=True))


def test_what_the_transcript_holds_is_not_asked_again_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with served(improving) as (url, whole):
        first = searched(endpoint(url, path))
    kept = path.read_text().splitlines(keepends=True)
    complete = path.read_bytes()
    path.write_text("".join(kept[:2]) + kept[2][:40])
    with served(improving) as (url, asked):
        again = searched(endpoint(url, path))
    assert again.history == first.history
    assert len(asked) == len(whole) - 2
    assert path.read_bytes() == complete


def test_the_key_is_written_nowhere(tmp_path: Path) -> None:
    with served(improving) as (url, _):
        result = searched(endpoint(url, tmp_path / "t.jsonl"))
    written = (tmp_path / "t.jsonl").read_text() + json.dumps(dict(result.report))
    assert KEY not in written


def test_an_endpoint_that_is_not_there_is_named_with_the_way_out() -> None:
    table = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "timeout_seconds": 1.0, "max_tokens": 1}
    with pytest.raises(EndpointError, match=r"http://127.0.0.1:9/v1.*embedded model"):
        check_endpoint(table, KEY)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>{design('pooling', 'pooling', 'pooling')}</think>[{design('local', 'local', 'local')}]",
        "```json\n" + design("local", "local", "local") + "\n```",
        '{"architectures": [' + design("local", "local", "local") + ', {"width": 48, "dep',
        design("local", "local", "local").replace('"', "'"),
        design("local", "local", "local").replace("48", '"48"').replace("2.0]", "2.0,]"),
        design("Local", "local", "locall"),
        "[" + design("local", "local", "local") + " // the best\n]",
        "For widths [48, 64] I propose: [" + design("local", "local", "local") + "]",
    ],
)
def test_nearly_json_is_read(text: str) -> None:
    bound = space()
    proposals = read_proposals(text, bound)
    wanted = bound.from_json(json.loads(design("local", "local", "local")))
    assert proposals.architectures == [wanted]


@given(text=st.text(max_size=400) | st.text(alphabet='[]{}",:width48depth3mixers ', max_size=300))
@settings(max_examples=400, deadline=None)
def test_no_text_of_a_model_raises_or_gives_what_is_not_in_the_space(text: str) -> None:
    bound = space()
    for architecture in read_proposals(text, bound).architectures:
        assert bound.from_json(bound.to_json(architecture)) == architecture


def test_an_embedded_search_resumes_from_its_transcript_without_its_model(tmp_path: Path) -> None:
    first = ScriptedClient(transcript=tmp_path / "t.jsonl")
    whole = searched(first)
    again = ScriptedClient(transcript=tmp_path / "t.jsonl", replay=True)
    assert searched(again) == whole
    assert first.calls > 0
    assert again.calls == 0


@pytest.mark.parametrize("odd", ["\u2028", "\u0085", "\ud83d", "\x1c"])
def test_a_transcript_keeps_any_character_of_a_model(tmp_path: Path, odd: str) -> None:
    kept = Transcript(tmp_path / "t.jsonl")
    given_back = kept.answer({"number": 1}, lambda: {"text": f"a{odd}b"})
    kept.answer({"number": 2}, lambda: {"text": "c"})
    again = Transcript(tmp_path / "t.jsonl", replay=True)
    assert again.answer({"number": 1}, dict) == given_back
    assert again.answer({"number": 2}, dict) == {"text": "c"}


@pytest.mark.parametrize("tail", ['{"reply":"é'.encode()[:-1], b"\0" * 40 + b"\n", b"[1]\n"])
def test_a_damaged_last_line_of_a_transcript_is_dropped(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "t.jsonl"
    Transcript(path).answer({"number": 1}, lambda: {"text": "a"})
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    again = Transcript(path)
    again.answer({"number": 1}, dict)
    again.answer({"number": 2}, lambda: {"text": "b"})
    assert path.read_bytes().startswith(whole)
    assert len(Transcript(path).kept) == 2


def asked_once(url: str, path: Path) -> Any:
    return endpoint(url, path).chat([{"role": "user", "content": "x"}], temperature=0.6)


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b"null",
        b'{"choices": [{}]}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": {"a": 1}}',
        b'{"choices": ["a"]}',
        b'{"choices": [{"message": {"content": 5}}], "usage": {"prompt_tokens": NaN}}',
    ],
)
def test_a_reply_of_any_shape_is_recorded_and_not_raised(tmp_path: Path, body: bytes) -> None:
    with served(lambda number, request: (200, {}, body)) as (url, _):
        reply = asked_once(url, tmp_path / "t.jsonl")
    assert reply.text == ""
    assert reply.usage == (0, 0, 0)


def test_a_body_that_is_no_json_is_asked_for_again(tmp_path: Path) -> None:
    with served(lambda number, request: (200, {}, b"<html>") if number == 1 else completion("fine")) as (
        url,
        _,
    ):
        assert asked_once(url, tmp_path / "t.jsonl").text == "fine"


def test_a_key_that_the_server_echoes_is_not_kept(tmp_path: Path) -> None:
    with served(lambda number, request: completion(f"your key is {KEY}")) as (url, _):
        assert asked_once(url, tmp_path / "t.jsonl").text == "your key is [key]"
    assert KEY not in (tmp_path / "t.jsonl").read_text()


@pytest.mark.parametrize(("status", "word"), [(401, "key"), (404, "asked-model")])
def test_a_refusal_of_key_or_model_fails_the_search_and_is_not_kept(
    tmp_path: Path, status: int, word: str
) -> None:
    with (
        served(lambda number, request: (status, {}, b"{}")) as (url, _),
        pytest.raises(EndpointError, match=word),
    ):
        asked_once(url, tmp_path / "t.jsonl")
    assert not (tmp_path / "t.jsonl").exists()


def test_a_check_tells_an_endpoint_from_a_web_page() -> None:
    table = {"model": "m", "timeout_seconds": 5.0, "max_tokens": 1}
    with served(lambda number, request: (200, {}, b'{"object": "list", "data": []}')) as (url, _):
        check_endpoint({**table, "base_url": url}, f"{KEY}\n")
    with (
        served(lambda number, request: (200, {}, b"<html>")) as (url, _),
        pytest.raises(EndpointError, match="no OpenAI-compatible endpoint"),
    ):
        check_endpoint({**table, "base_url": url}, KEY)


def test_a_server_that_goes_away_fails_the_search_and_keeps_the_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.llm.endpoint.ATTEMPTS", 1)
    with served(lambda number, request: completion("fine")) as (url, _):
        client = endpoint(url, tmp_path / "t.jsonl")
        client.chat([{"role": "user", "content": "x"}], temperature=0.6)
    before = (tmp_path / "t.jsonl").read_bytes()
    with pytest.raises(EndpointError, match=r"stopped answering.*embedded"):
        client.chat([{"role": "user", "content": "y"}], temperature=0.6)
    assert (tmp_path / "t.jsonl").read_bytes() == before
