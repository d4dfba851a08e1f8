"""An endpoint is tried before a suite runs. Truth: what a scripted server was asked."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import llm_server
import pytest
from command import Ended, harness, result_bytes
from llm_server import Answer, completion, refused, served
from working import all_done, done, first, place_of, plan_of, units

from harness import catalog
from harness.errors import EndpointError
from harness.files import write_atomically
from harness.run.loaded import Run, load_run
from harness.study.formats import board_json
from harness.study.lookup.tables import ranking_table
from harness.study.lookup.units import LOOKUP
from harness.study.plan import Plan
from harness.study.study import build_board
from harness.study.work.units import ENDPOINT
from harness.workers.perform import perform

SUITE = f"""{llm_server.TABLE_SUITE}
llm = {{ base_url = "%s", model = "asked-model", timeout_seconds = 5.0, max_tokens = 512 }}
"""
PRICES = "price_per_million_prompt_tokens = 1.0, price_per_million_completion_tokens = 2.0, "
DIGITS = json.dumps({"architectures": [{"digits": [a, b, 1]} for a in range(4) for b in range(4)]})


def good(number: int, request: dict[str, Any]) -> Answer:
    """Steers in words, and proposes sixteen of the toy's architectures."""
    proposes = "You propose" in str(request.get("messages"))
    return completion(DIGITS if proposes else "Try every digit.")


def prose(number: int, request: dict[str, Any]) -> Answer:
    return completion("I would make it wide {or deep}.")


@pytest.mark.parametrize(
    ("answer", "sentence", "asked"),
    [
        (None, r"Nothing answers at the language-model endpoint http://127.0.0.1:9/v1; start it", 0),
        (Answer(401), r"refused the key \(status 401\); set HARNESS_LLM_API_KEY", 0),
        (lambda number, _: Answer(404 if number else 200), r"the model asked-model; check its name", 1),
        (
            lambda number, _: refused(400, "no such model") if number else Answer(),
            r"was asked for a strategy in words by model asked-model, and nothing came \(error: "
            r"BadRequestError 400\); check the model's name",
            1,
        ),
        (
            completion("<think>so", finish_reason="length"),
            r"the reply was cut before it said anything; raise llm.max_tokens",
            1,
        ),
        (
            prose,
            r"was asked for architectures as JSON by model asked-model, and words came that hold no JSON; "
            r"choose a model that writes it; or unset HARNESS_LLM_BASE_URL",
            2,
        ),
    ],
    ids=["nobody", "key", "model", "no such model", "cut", "prose"],
)
def test_an_endpoint_of_no_use_is_told_in_a_sentence_after_one_exchange_a_role(
    tmp_path: Path, answer: Any, sentence: str, asked: int
) -> None:
    with served(answer or Answer()) as (url, requests, _):
        plan = plan_of(SUITE % (url if answer else llm_server.NOBODY), tmp_path)
        with pytest.raises(EndpointError, match=sentence):
            done(plan, plan.units[0], tmp_path / "run")
    assert len(requests) == asked


def evaluated(folder: Path, url: str) -> Ended:
    (folder / "asking.toml").write_text(SUITE % url)
    return harness("eval", folder / "asking.toml", "--out", folder / "run", "--workers", "1")


def statuses(run: Run, searcher: str) -> set[str]:
    return {run.records[unit.hash].status for unit in run.planned(LOOKUP) if unit.spec.searcher == searcher}


@pytest.mark.slow
@pytest.mark.ci
def test_its_rows_end_with_that_sentence_others_run_and_once_mended_it_is_not_tried_again(
    tmp_path: Path,
) -> None:
    answers: list[Callable[..., Answer]] = [prose]
    with served(lambda *words: answers[-1](*words)) as (url, requests, _):
        ended = evaluated(tmp_path, url)
        assert ended.returncode == 1, ended.stderr
        assert "Traceback" not in ended.stdout + ended.stderr
        run = load_run(tmp_path / "run")
        assert statuses(run, "random_search") == {"ok"}
        assert statuses(run, "collm_nas") == {"skipped"}
        told = " ".join(ended.stdout.split())
        assert f"collm_nas on near: needs endpoint {url}, which failed: The endpoint {url} was asked" in told
        assert "this run cannot tell" in told
        answers.append(good)
        assert evaluated(tmp_path, url).returncode == 0
        kept, asked = result_bytes(tmp_path / "run"), len(requests)
        lost = next(unit for unit in run.planned(LOOKUP) if unit.spec.searcher == "collm_nas")
        (run.place(lost) / "record.json").unlink()
        assert evaluated(tmp_path, url).returncode == 0
    assert len(requests) == asked, "the search has its transcript, and the endpoint passed"
    assert result_bytes(tmp_path / "run") == kept


def without(*names: str) -> Callable[[int, dict[str, Any]], Answer]:
    """Returns a server that refuses these settings, one after another, and else answers well."""

    def answer(number: int, request: dict[str, Any]) -> Answer:
        for name in names:
            if name in request:
                more = "; use max_completion_tokens" if name == "max_tokens" else ""
                return refused(400, f"Unsupported parameter: {name}{more}", param=name)
        return good(number, request)

    return answer


def asking(plan: Plan) -> list[Any]:
    return units(plan, "lookup", searcher="collm_nas")


def test_what_it_refuses_is_learned_once_every_search_counts_alike_and_a_replay_asks_nobody(
    tmp_path: Path,
) -> None:
    names = ("max_tokens", "temperature", "response_format")
    with served(without(*names)) as (url, requests, _):
        plan = plan_of(SUITE % url, tmp_path)
        found = all_done(plan, [plan.units[0], first(plan, "table"), *asking(plan)], tmp_path / "run")
    assert found[plan.units[0].hash] == {"refused": ["max_tokens", "schema", "temperature"]}
    refusals = [number for number, one in enumerate(requests) if any(name in one for name in names)]
    assert refusals == [0, 1, 3], "two in the first exchange, one in the second, and never again"
    reports = [found[unit.hash]["searches"][0]["report"] for unit in asking(plan)]
    assert len(reports) == 4
    assert len({json.dumps(one["llm"]) for one in reports}) == 1
    assert "endpoint refused" not in json.dumps(reports)
    place = replace(place_of(tmp_path / "again"), replay=tmp_path / "run")
    again = perform(plan.units[0], {}, place)
    assert again.result.to_json() == found[plan.units[0].hash]
    assert perform(plan.units[0], {}, replace(place, replay=tmp_path)).result.to_json() == {}


def test_a_suite_whose_searchers_ask_nobody_tries_no_endpoint_and_another_tries_it_first(
    tmp_path: Path,
) -> None:
    text = SUITE.replace("collm_nas", "local_search")
    assert units(plan_of(text % llm_server.NOBODY, tmp_path), ENDPOINT.name) == []
    plan = plan_of(f'{llm_server.SUITE}llm = {{base_url = "{llm_server.NOBODY}", model = "m"}}\n', tmp_path)
    (tried,) = units(plan, ENDPOINT.name)
    assert plan.units[0] == tried
    assert all(tried.hash in unit.needs for unit in units(plan, "search"))


def untold(answer: Answer) -> Answer:
    """Returns the same reply of a server that counts no tokens."""
    body = json.loads(answer.payload)
    del body["usage"]
    return Answer(payload=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("told", "tokens", "sums"),
    [
        (lambda number: True, "30", ("80", "40", "0")),
        (lambda number: number % 2, "at least 15", ("at least 40", "at least 20", "unknown")),
        (lambda number: False, "unknown", ("unknown", "unknown", "unknown")),
    ],
    ids=["all", "some", "none"],
)
def test_tokens_that_no_server_told_are_unknown_wherever_they_are_summed(
    tmp_path: Path, told: Any, tokens: str, sums: tuple[str, ...]
) -> None:
    def answer(number: int, request: dict[str, Any]) -> Answer:
        reply = good(number, request)
        return reply if told(number) or not number else untold(reply)

    with served(answer) as (url, _, _):
        plan = plan_of((SUITE % url).replace("max_tokens", PRICES + "max_tokens"), tmp_path)
        all_done(plan, plan.units, tmp_path / "run")
    write_atomically(tmp_path / "run/plan.json", plan.to_json())
    run = load_run(tmp_path / "run")
    board = build_board(run)
    rows = {row[1]: row for row in ranking_table(board, board.rankings[0]).rows}
    assert rows["collm_nas (asked-model)"][-1] == tokens
    block = catalog.load("section", "llm").render(run, board)
    accounting, iterations = block.tables[0], block.appendix[0]
    is_known = tokens == "30"
    assert accounting.rows[0][3:8] == ("8", *sums, "0.0002" if is_known else "—")
    assert any("unknown" in one or "at least" in one for one in iterations.rows[0]) is not is_known
    assert ("30 tokens" in block.paragraphs[0]) is is_known
    assert "refuses none" in block.paragraphs[0]


def test_a_board_says_why_a_search_ended_before_its_budget(tmp_path: Path) -> None:
    with served(completion(json.dumps({"digits": [1, 1, 1]}))) as (url, requests, _):
        plan = plan_of(SUITE % url, tmp_path)
        all_done(plan, [plan.units[0], first(plan, "table"), *asking(plan)], tmp_path / "run")
    assert len(requests) == 2 + 2 * (1 + 5) * 4, "five iterations of each search are empty"
    write_atomically(tmp_path / "run/plan.json", plan.to_json())
    board = build_board(load_run(tmp_path / "run"))
    notes = ranking_table(board, board.rankings[0]).notes
    assert "collm_nas spent 1 of 6 evaluations." in notes
    why = "iteration after iteration proposed nothing new and legal"
    assert f"collm_nas: 4 searches ended before their budget was spent, as {why}." in notes
    kept = json.loads(board_json(board))["rankings"][0]["rows"]
    assert [row["llm"]["ended"] for row in kept if row["llm"]] == [{why: 4}]
