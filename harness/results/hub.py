"""Results as the Hub's evaluation results: ROW/.eval_results/TASK.yaml, a file for each row and task.

A model's page shows what lies in its repository's `.eval_results`, and the page of the dataset that an entry
names ranks it. Values are in the unit in which boards print them.

Source: the format that `huggingface_hub.parse_eval_result_entries` reads.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from harness.board.values import Estimate
from harness.catalog import metric_of
from harness.report.site.slug import slug
from harness.results.frames import RunResults
from harness.results.rows import RowResult, row_results


def hub_files(results: RunResults, owner: str, now: datetime) -> Iterator[tuple[Path, str]]:
    """Yields path and text of each file.

    Args:
        results: of a run.
        owner: of the Hub's dataset OWNER/SUITE, which stands for the suite.
        now: when, of a run that does not say when it ended.

    Raises:
        HarnessError: the run has no rows.
    """
    import yaml

    date = results.run.dates[1] if results.run.dates else now.isoformat(timespec="minutes")
    for one in row_results(results):
        dataset = f"{owner}/{slug(one.suite)}"
        entries = [
            {
                "dataset": {"id": dataset, "task_id": task},
                "value": value,
                "date": date,
                "notes": notes,
            }
            for task, value, notes in _scores(one)
        ]
        text = yaml.safe_dump(entries, sort_keys=True, allow_unicode=True, width=1000)
        yield Path(slug(one.name), ".eval_results", f"{slug(one.task)}.yaml"), text


def _scores(one: RowResult) -> Iterator[tuple[str, float, str]]:
    """Yields the name of each score within the suite, its value as it is printed, and how it came to be."""
    shared = f"suite {one.suite}, protocol {one.protocol}, results {one.results}"
    for mean in one.means:
        told = f"{one.measured}, mean of {mean.seeds} seeds, {_ends(mean.score, one.factor)}, {shared}"
        yield slug(mean.board), _printed(mean.score.value, one.factor), told
    for line in one.domains:
        if "metric" not in line or "value" not in line or line.get("role") != "held_out":
            continue
        metric = metric_of(line["metric"])
        ends = _ends(Estimate(line["value"], line["low"], line["high"]), metric.factor)
        told = f"{metric.measured}, {line['samples']} samples, {ends}, by {line['selection']}, {shared}"
        yield slug(f"{one.task}:{line['domain']}"), _printed(line["value"], metric.factor), told


def _printed(value: float, factor: float) -> float:
    return round(factor * value, 8)


def _ends(score: Estimate, factor: float) -> str:
    return f"95 % interval {_printed(score.low, factor):g} to {_printed(score.high, factor):g}"
