"""Claims of a kind of input: what it names is there, and its samples can give its metric."""

from collections.abc import Iterator
from importlib import import_module

from harness.catalog import metric_of
from harness.learn.modality import floor_of, modality_of, random_inputs
from harness.task.signature import Signature


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
