"""CoLLM-NAS over scripted and served models, and transcripts. Truth: a policy over a real HTTP server."""

import json
import random
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import llm_server
import pytest

from harness.errors import EndpointError, HarnessError
from harness.guard.keys import Key
from harness.llm import Reply, Transcript, Usage, check_endpoint
from harness.llm.endpoint import _complaint
from harness.llm.scripted import ScriptedClient
from harness.llm.wire import decoded


def test_a_served_model_finds_what_it_was_told_and_every_token_is_counted(tmp_path: Path) -> None:
    with llm_server.served(llm_server.improving) as (url, requests, _):
        result = llm_server.searched(llm_server.endpoint(url, tmp_path / "t.jsonl"))
    assert result.stopped == "budget"
    assert result.best.score == 0.75 or result.best.score == 0.5
    llm = result.report["llm"]
    assert llm["calls"] == len(requests)
    assert llm["prompt_tokens"] == 10 * len(requests)
    assert result.report["counters"]["evaluated"] == 12


def test_an_endpoint_of_which_one_proposal_in_twenty_is_legal_spends_its_whole_budget(
    tmp_path: Path,
) -> None:
    space, draw = llm_server.hybrid(), random.Random(0)
    hits: list[bool] = []

    def wild(number: int, request: dict[str, Any]) -> Any:
        if "You propose" not in request["messages"][0]["content"]:
            return llm_server.completion("Try everything.")
        genes = [tuple(draw.randrange(len(one.options)) for one in space.choices) for _ in range(10)]
        hits.extend(map(space.legal, map(space.canonical, genes)))
        return llm_server.completion(json.dumps([space.to_json(space.canonical(one)) for one in genes]))

    with llm_server.served(wild) as (url, _, _):
        result = llm_server.searched(llm_server.endpoint(url, tmp_path / "t.jsonl"), budget=24)
    assert (len(result.history), result.stopped) == (24, "budget")
    assert sum(hits) < 24 / 4, "what is legal alone would not do"
    assert all(space.legal(one.architecture) for one in result.history)
    assert result.report["counters"]["repaired"] >= 20


def test_a_replay_that_lacks_a_request_names_the_difference(tmp_path: Path) -> None:
    with llm_server.served(llm_server.improving) as (url, _, _):
        llm_server.searched(llm_server.endpoint(url, tmp_path / "t.jsonl"))
    edit(tmp_path / "t.jsonl", "broad first strategy", "bold first strategy")
    with pytest.raises(HarnessError, match=r"lacks request 1: messages.1. was .*bold"):
        llm_server.searched(llm_server.replaying(tmp_path / "t.jsonl"))


def test_an_endpoint_that_is_not_there_is_named_with_the_way_out() -> None:
    with pytest.raises(EndpointError, match=r"http://127.0.0.1:9/v1.*embedded model"):
        check_endpoint(llm_server.table(llm_server.NOBODY), Key(token=llm_server.KEY))


def test_an_embedded_search_resumes_from_its_transcript_without_its_model(tmp_path: Path) -> None:
    first = ScriptedClient(transcript=tmp_path / "t.jsonl")
    whole = llm_server.searched(first)
    again = ScriptedClient(transcript=tmp_path / "t.jsonl", replay=True)
    assert llm_server.searched(again) == whole
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


def edit(path: Path, old: str, new: str) -> None:
    """Writes a transcript anew with other words, as a forger would; checksums are against accident alone."""
    kept = Transcript(path).journal.entries
    path.unlink()
    journal = Transcript(path).journal
    for entry in json.loads(json.dumps(kept).replace(old, new)):
        journal.append(**entry)


def asked_once(url: str, path: Path) -> Any:
    return llm_server.asked(llm_server.endpoint(url, path))


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
    with llm_server.served(llm_server.Answer(200, body)) as (url, _, _):
        reply = asked_once(url, tmp_path / "t.jsonl")
    assert reply.text == ""
    assert reply.usage == (0, 0, 0)


@pytest.mark.parametrize(("status", "word"), [(401, "key"), (404, "asked-model")])
def test_a_refusal_of_key_or_model_fails_the_search_and_is_not_kept(
    tmp_path: Path, status: int, word: str
) -> None:
    with (
        llm_server.served(llm_server.Answer(status, b"{}")) as (url, _, _),
        pytest.raises(EndpointError, match=word),
    ):
        asked_once(url, tmp_path / "t.jsonl")
    assert not (tmp_path / "t.jsonl").exists()


@pytest.mark.parametrize(
    "damage",
    [
        {"text": 5},
        {"usage": ["1", 2, 3]},
        {"usage": [1, 2, 3, 4]},
        {"events": [1]},
        {"events": {"a": "b"}},
        {"x": 1},
    ],
)
def test_a_kept_reply_of_other_types_is_one_sentence(damage: dict[str, Any]) -> None:
    kept = Reply(text="", finish_reason="stop", model="m", usage=Usage()).to_json()
    assert Reply.from_json(kept).model == "m"
    with pytest.raises(HarnessError, match=r"A kept reply of the model .*; delete the transcript"):
        Reply.from_json(kept | damage)


def test_a_check_tells_an_endpoint_from_a_web_page() -> None:
    with llm_server.served(llm_server.Answer(200, b'{"object": "list", "data": []}')) as (url, _, _):
        check_endpoint(llm_server.table(url), Key(token=f"{llm_server.KEY}\n"))
    with (
        llm_server.served(llm_server.Answer(200, b"<html>")) as (url, _, _),
        pytest.raises(EndpointError, match="no OpenAI-compatible endpoint"),
    ):
        check_endpoint(llm_server.table(url), Key(token=llm_server.KEY))


def test_a_server_that_goes_away_fails_the_search_and_keeps_the_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.llm.endpoint.ATTEMPTS", 1)
    with llm_server.served(llm_server.completion("fine")) as (url, _, _):
        client = llm_server.endpoint(url, tmp_path / "t.jsonl")
        llm_server.asked(client)
    before = (tmp_path / "t.jsonl").read_bytes()
    with pytest.raises(EndpointError, match=r"stopped answering.*embedded"):
        llm_server.asked(client, "y")
    assert (tmp_path / "t.jsonl").read_bytes() == before


def test_a_kept_reply_that_was_edited_is_named(tmp_path: Path) -> None:
    with llm_server.served(llm_server.completion("fine")) as (url, _, _):
        asked_once(url, tmp_path / "t.jsonl")
    edit(tmp_path / "t.jsonl", "finish_reason", "finished")
    with pytest.raises(HarnessError, match="kept reply of the model is damaged"):
        asked_once(llm_server.NOBODY, tmp_path / "t.jsonl")


def test_a_message_in_parts_and_a_body_of_odd_usage_are_read(tmp_path: Path) -> None:
    answer = llm_server.completion([{"type": "text", "text": "fi"}, {"type": "text", "text": "ne"}, 5])
    payload = answer.payload.replace(b'"prompt_tokens": 10', b'"prompt_tokens": -1e999')
    with llm_server.served(llm_server.Answer(payload=payload)) as (url, _, _):
        reply = asked_once(url, tmp_path / "t.jsonl")
    assert (reply.text, reply.usage) == ("fine", (0, 5, 0))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            {"content": None, "tool_calls": [{"function": {"name": "json", "arguments": '{"a": 1}'}}]},
            '{"a": 1}',
        ),
        ({"content": "", "reasoning_content": 'so I say {"a": 2}'}, 'so I say {"a": 2}'),
        ({"content": None, "reasoning": [{"text": '{"a": 3}'}]}, '{"a": 3}'),
        ({"content": None, "reasoning": "I cannot say."}, ""),
        ({"content": "words", "tool_calls": [{"function": {"arguments": "{}"}}]}, "words"),
        ({"content": None, "tool_calls": [5, {"function": 5}, {"function": {"arguments": [1]}}]}, ""),
    ],
)
def test_what_stands_beside_an_empty_content_is_read(tmp_path: Path, message: Any, text: str) -> None:
    body = {"choices": [{"message": message, "finish_reason": "tool_calls"}]}
    with llm_server.served(llm_server.Answer(200, json.dumps(body).encode())) as (url, _, _):
        reply = asked_once(url, tmp_path / "t.jsonl")
    assert (reply.text, reply.finish_reason) == (text, "stop" if text else "empty")
    assert reply.events["reply: no usage"] == 1, "no usage is not usage of no tokens"


def test_a_turn_that_was_empty_is_sent_with_words_in_it(tmp_path: Path) -> None:
    with llm_server.served(llm_server.completion("fine")) as (url, requests, _):
        client = llm_server.endpoint(url, tmp_path / "t.jsonl")
        client.chat([{"role": "assistant", "content": ""}], temperature=0.6)
    assert requests[0]["messages"] == [{"role": "assistant", "content": "(no answer)"}]


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
