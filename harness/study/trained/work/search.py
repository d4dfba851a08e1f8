"""Searches whose proposals are scored by slices of a supernet, and the zero-cost proxies some read."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness import catalog, seeds
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.run.place import Done, Needs
from harness.search.archive import Evaluation
from harness.search.loop import SearchContext, SearcherEntry, SearchResult, run_search
from harness.space.choices import SearchSpace
from harness.study.trained.results import Evaluated, Racing, Search
from harness.study.trained.units import SearchSpec
from harness.study.trained.work.slice_scores import CandidateScores
from harness.study.work.language_model import language_model, priced
from harness.study.work.matched import macs_limit, matched_space
from harness.study.work.proxies import read_proxies


def search(unit: Unit[SearchSpec, Search], needs: Needs, folder: Path) -> Done:
    """Spends one searcher's budget on slices of the supernet, or on trainings of candidates alone."""
    spec = unit.spec
    view = needs.view(spec)
    space = matched_space(spec, view.signature)
    entry: SearcherEntry = catalog.load("searcher", spec.searcher)
    client = language_model(unit, spec.llm, needs, folder) if spec.llm else None
    context = SearchContext(
        space=space,
        seed=seeds.stream(spec.seed, "search", spec.searcher),
        budget=spec.evaluations,
        options=spec.options,
        score_name=_score_name(view),
        proxies=read_proxies(needs) if entry.proxy else None,
        client=client,
        limit=macs_limit(spec),
        target=spec.target or None,
    )
    scores = CandidateScores(unit, needs, view, space, folder)
    searcher = entry.build(context)
    result = run_search(searcher, context, scores)
    if scores.halving is not None:
        result = replace(result, best=_best_whole(result, scores))
    seconds: dict[str, Any] = {"evaluation": scores.cache.charged}
    if client is not None:
        seconds |= {"llm": client.seconds, "llm by iteration": getattr(searcher, "seconds", [])}
    found = _search_result(result, space, scores, priced(result.report, spec.llm))
    return Done(result=found, seconds=seconds, elsewhere=scores.cache.elsewhere)


def _score_name(view: SourceView) -> str:
    metric = catalog.metric_of(view.metric)
    return f"{'' if metric.higher_is_better else 'negative '}validation {metric.title}"


def _best_whole(result: SearchResult, scores: CandidateScores) -> Evaluation | None:
    """Returns the best evaluation within the limit of a candidate that was trained whole."""
    whole = [one for one in result.history if one.architecture not in scores.stopped]
    best = max(whole, key=lambda one: one.fitness, default=None)
    return best if best is not None and best.fitness > -math.inf else None


def _search_result(
    result: SearchResult, space: SearchSpace, scores: CandidateScores, report: Mapping[str, Any]
) -> Search:
    if result.best is None:
        raise HarnessError("No evaluation of this search gave a finite score within its limit.")

    def told(one: Evaluation) -> dict[str, Any]:
        return {
            "samples": scores.dropped.get(one.architecture),
            "steps": scores.stopped.get(one.architecture),
            "architecture": space.to_json(one.architecture),
            "score": one.score,
            "parameters": one.parameters,
            "macs": one.macs,
            "iteration": one.iteration,
        }

    passes = float(scores.passes)
    racing = None
    if scores.race is not None:  # what there would be without it
        whole = scores.race.samples
        spent = sum(scores.dropped.get(one.architecture, whole) for one in result.history)
        racing = Racing(samples=spent, of=whole * len(result.history))
        passes *= racing.samples / max(1, racing.of)
    return Search(
        **told(result.best),
        evaluations=len(result.history),
        stopped=result.stopped,
        history=tuple(Evaluated(**told(one)) for one in result.history),
        compute=round(
            sum(
                (one.macs or 0) * scores.spent.get(one.architecture, passes + scores.trained)
                for one in result.history
            )
        ),
        rank_by_parameters=_rank_by_parameters(result),
        racing=racing,
        report=report,
    )


def _rank_by_parameters(result: SearchResult) -> float | None:
    """Returns Spearman's correlation of score and parameters, the control of every search."""
    from scipy.stats import spearmanr

    scored = [(one.score, one.parameters) for one in result.history if one.score is not None]
    values, sizes = ([pair[index] for pair in scored] for index in (0, 1))
    if len(set(values)) < 2 or len(set(sizes)) < 2:
        return None
    return float(spearmanr(values, sizes).statistic)
