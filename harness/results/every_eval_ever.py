"""Results in the schema of Every Eval Ever: data/SUITE/OWNER/ROW/UUID.json, a file for each row and task.

Source: every-eval-ever 0.3.0, `schemas/eval.schema.json` and the paths that its validator asks for.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from harness import __version__
from harness.board.values import rounded
from harness.catalog import metric_of
from harness.files import canonical_json
from harness.report.site.slug import slug
from harness.results.frames import RunResults
from harness.results.rows import RowResult, row_results

VERSION: Final = "0.3.0"
LEVEL: Final = 0.95
"""Of every interval."""
DETAILS: Final = ("role", "selection", "groups", "limited", "marks")
"""Of a line of a board, what the schema has no member for."""

Json = dict[str, Any]


def log_files(results: RunResults, owner: str, now: datetime) -> Iterator[tuple[Path, str]]:
    """Yields path and text of the log of each row and task.

    Args:
        results: of a run.
        owner: who publishes them.
        now: when, of a run that does not say when it ended.

    Raises:
        HarnessError: the run has no rows.
    """
    ended = datetime.fromisoformat(results.run.dates[1]) if results.run.dates else now
    for one in row_results(results):
        suite, model = slug(one.suite), f"{owner}/{slug(one.name)}"
        log = rounded(_log(results, one, owner, model, f"{ended.timestamp():.0f}"))
        number = UUID(bytes=hashlib.sha256(canonical_json(log).encode()).digest()[:16], version=4)
        yield Path("data", suite, model, f"{number}.json"), canonical_json(log, indent=1) + "\n"


def _log(results: RunResults, one: RowResult, owner: str, model: str, seconds: str) -> Json:
    about = {"suite": one.suite, "task": one.task, "command": results.run.command}
    about |= {"protocol": one.protocol, "code": one.code, "results": one.results}
    found = [canonical_json(network.architecture) for network in one.architectures]
    return {
        "schema_version": VERSION,
        "evaluation_id": f"{slug(one.suite)}/{model}/{seconds}/{slug(one.task)}",
        "retrieved_timestamp": seconds,
        "evaluation_timestamp": seconds,
        "source_metadata": {
            "source_name": results.run.title,
            "source_type": "evaluation_run",
            "source_organization_name": owner,
            # A run trains what it searched; who made a baseline is not said.
            "evaluator_relationship": "first_party" if one.space else "other",
        },
        "eval_library": {
            "name": "crossdomain-harness",
            "version": __version__,
            "additional_details": about,
        },
        "model_info": {
            "name": one.name,
            "id": model,
            "additional_details": {
                "deployment_type": "self_deployed",
                "model_availability": "unknown",
                **({"architectures": f"[{','.join(found)}]"} if found else {}),
            },
        },
        "evaluation_results": [*_means(one), *_domains(one)],
    }


def _means(one: RowResult) -> Iterator[Json]:
    metrics = {line.get("metric") for line in one.domains}
    metric = metrics.pop() if len(metrics) == 1 else None
    for mean in one.means:
        yield {
            "evaluation_name": mean.board,
            "source_data": {"dataset_name": one.task, "source_type": "other"},
            "metric_config": {
                "evaluation_description": one.measured,
                "lower_is_better": one.better == "lower",
                **_metric(metric),
            },
            "score_details": _score(mean.score._asdict(), {"seeds": str(mean.seeds)}),
        }


def _domains(one: RowResult) -> Iterator[Json]:
    """Yields the scores on domains whose metric is one of ours, so that its direction is known."""
    for line in one.domains:
        if "metric" not in line or "value" not in line:
            continue
        told = {key: str(line[key]) for key in DETAILS if line.get(key)}
        yield {
            "evaluation_name": f"{one.task}/{line['domain']}",
            "source_data": {"dataset_name": f"{one.task}/{line['domain']}", "source_type": "other"},
            "metric_config": {
                "lower_is_better": not metric_of(line["metric"]).higher_is_better,
                **_metric(line["metric"]),
            },
            "score_details": _score(line, told, samples=line.get("samples")),
        }


def _metric(name: str | None) -> Json:
    """Returns what is said of a metric of ours; nothing of others."""
    if name is None:
        return {}
    metric = metric_of(name)
    found: Json = {"metric_id": name, "metric_name": metric.title}
    if metric.unit == "%":
        ends = {"score_type": "continuous", "min_score": 0, "max_score": 1}
        return {**found, "metric_unit": "proportion", **ends}
    return {**found, "metric_unit": metric.unit or metric.title}


def _score(line: Mapping[str, Any], details: Mapping[str, str], samples: int | None = None) -> Json:
    uncertainty: Json = {}
    if "low" in line:
        ends = {"lower": line["low"], "upper": line["high"], "confidence_level": LEVEL}
        uncertainty["confidence_interval"] = ends
    if samples:
        uncertainty["num_samples"] = samples
    return {"score": line["value"], "details": dict(details), "uncertainty": uncertainty}
