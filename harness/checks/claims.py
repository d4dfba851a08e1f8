"""Claims of baselines, metrics, modalities and tables of published results."""

import random
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import catalog
from harness.board.wording import show
from harness.catalog import metric_of
from harness.checks.space import signatures
from harness.errors import HarnessError
from harness.learn.modality import floor_of, modality_of, random_inputs
from harness.task.metric import Need, SampleScores
from harness.task.signature import Signature


def baseline_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.learn.baseline import DrawnBaseline, FixedBaseline, ReadyBaseline
    from harness.learn.fit import seeded

    baseline = catalog.load("baseline", name)
    if isinstance(baseline, ReadyBaseline):
        yield "says what it was trained on", bool(baseline.outside), baseline.outside
        return
    if getattr(baseline, "example", ""):
        baseline = baseline.named(baseline.example)
    if isinstance(baseline, DrawnBaseline):
        yield "says what it draws", bool(baseline.summary), baseline.summary
    elif isinstance(baseline, FixedBaseline):
        for signature in signatures(baseline.kinds):
            wanted = 80_000
            with seeded(0):
                module = baseline.build(signature, wanted)
                shape = tuple(module(random_inputs(signature, 2)).shape)
            right = shape[-1] == signature.classes
            yield f"gives logits for {signature.kind}", right, f"shape {shape}"
            if baseline.is_matched:
                draw, vary = random.Random(0), baseline.vary
                drawn = [vary(draw, signature, wanted) for _ in range(VARIED)] if vary else []
                networks = [module, *(baseline.build(signature, wanted, **one) for one in drawn)]
                made = [sum(weight.numel() for weight in one.parameters()) for one in networks]
                close = all(abs(size / wanted - 1) < 0.25 for size in made)
                yield f"meets a parameter target for {signature.kind}", close, ", ".join(map(str, made))
    else:
        yield "is a floor with fit and restore", callable(baseline.fit) and callable(baseline.restore), ""


SAMPLES = 240
VARIED = 8
"""Networks of a family that are drawn for its claims."""


def metric_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    """Yields claim, whether it holds and the numbers, of drawn samples in groups of sixty."""
    metric = metric_of(name)
    draw = np.random.default_rng(0)
    group, label = np.divmod(np.arange(SAMPLES), 60)
    worse, better = _drawn(metric.needs, group, label % 4, draw)
    values = [metric.value(one) for one in (worse, better)]
    told = " and ".join(show(name, value, unit=True) for value in values)
    yield "has finite values", bool(np.isfinite(values).all()), told
    yield "says which way is better", metric.sign * (values[1] - values[0]) > 0, told
    shuffled = draw.permutation(SAMPLES)
    again = metric.value(_part(worse, shuffled))
    yield "does not hang on the order of samples", bool(np.isclose(again, values[0])), f"{again:.6g}"
    if metric.is_proportion:
        yield "is 1 or 0 where all is right", values[1] == max(0, metric.sign), told
    try:
        metric.value(_part(worse, slice(0)))
        refuses = False
    except (ValueError, HarnessError):
        refuses = True
    yield "has no value without samples", refuses, ""


def _drawn(
    needs: Need, group: NDArray[np.int64], label: NDArray[np.int64], draw: np.random.Generator
) -> tuple[SampleScores, SampleScores]:
    """Returns samples of a bad model, and of a good one, among four classes."""
    if needs == "bits":
        bits, size = draw.uniform(90, 200, SAMPLES), draw.integers(20, 40, SAMPLES).astype(np.float64)
        return SampleScores(group, label, bits, size), SampleScores(group, label, bits / 2, size)
    chosen = np.where(draw.integers(0, 2, SAMPLES) == 1, label, (label + 1) % 4)
    made = []
    for prediction in (chosen, label):
        sure = np.log(np.where(np.arange(4) == prediction[:, None], 0.7, 0.1)).astype(np.float16)
        made.append(SampleScores.predicted(group, label, prediction, log_probabilities=sure))
    return made[0], made[1]


def _part(samples: SampleScores, chosen: Any) -> SampleScores:
    columns: list[Any] = [None if column is None else column[chosen] for column in samples]
    return SampleScores(*columns)


def modality_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    """Yields claim, whether it holds and the numbers."""
    signature = Signature(kind=name, classes=4)
    modality = modality_of(name)
    metric = metric_of(modality.metric)
    yield "names a metric that its samples give", metric.needs == modality.gives, metric.title
    yield "describes its inputs", bool(modality.describe(signature)), modality.describe(signature)
    lost = [one for one in modality.checks if not _is_there(one)]
    yield "names checks that are there", not lost, ", ".join(lost or modality.checks)
    if not modality.is_trained:
        return
    shape = tuple(random_inputs(signature, 2).shape)
    yield "makes inputs of its shape", shape == (2, *modality.shape(signature)), f"shape {shape}"
    floor = floor_of(name)
    whole = callable(floor.fit) and callable(floor.from_state)
    yield "has a floor with fit and from_state", whole, modality.floor


def _is_there(check: str) -> bool:
    module, _, function = check.partition(":")
    return callable(getattr(import_module(module), function, None))


def table_claims(
    name: str, folders: tuple[Path, ...], data: Path, offline: bool
) -> Iterator[tuple[str, bool, str]]:
    from harness.data.fetch import archive_path
    from harness.data.table.card import read_card
    from harness.data.table.computed import load_computed
    from harness.data.table.table import bound_space, load_table, table_path

    place = catalog.files("table")[name]
    card = read_card(place)
    spaces = {space: bound_space(space).size() for space in map(card.space_of, card.domains) if space}
    one_size = card.computed or len(set(spaces.values())) <= 1
    named = ", ".join(spaces) or "its own"
    yield "names spaces that exist, all of one size unless scores are computed", bool(one_size), named
    yield "says its origin and licence", bool(card.origin and card.licence), card.licence
    try:
        path = table_path(card, (*folders, place.parent), data, offline=offline)
    except HarnessError as error:
        if card.package is not None and archive_path(card.package, data).is_file():
            raise  # it is there, and is not what the card pins
        yield "waits for its file", True, str(error)
        return
    if card.computed:
        computed = load_computed(path, place)
        yield "computes scores of each domain", bool(computed.surrogates), ", ".join(computed.surrogates)
        return
    loaded = load_table(path, place)
    more = f", {loaded.left_out} rows left out" if loaded.left_out else ""
    more += f", {loaded.averaged} repeats averaged" if loaded.averaged else ""
    yield "holds whole, finite and unique rows", bool(loaded.rows), f"{len(loaded.rows)} architectures{more}"
    if card.costs:
        yield "has its costs, or waits for their file", True, f"{len(loaded.costs)} of {len(card.costs)}"
