"""The unit that says what the floor scores in domain, which the networks of a pool have to pass."""

from pathlib import Path

from harness import catalog
from harness.catalog import metric_of
from harness.data.view import test_split
from harness.identity.unit import Unit
from harness.learn.baseline import FloorBaseline
from harness.learn.predictors import score
from harness.run.place import Done, Needs
from harness.study.diversity.units import FLOOR, PoolFloor, PoolFloorSpec
from harness.task.task import Task


def pool_floor(unit: Unit[PoolFloorSpec, PoolFloor], needs: Needs, folder: Path) -> Done:
    """Fits the floor to the sources and scores it where the checkpoints of pools are scored in domain."""
    spec, place = unit.spec, needs.place.data
    task: Task = catalog.load("task", spec.task)
    view = needs.view(spec)
    baseline: FloorBaseline = catalog.load("baseline", FLOOR)
    floor = baseline.fit(view.signature, view.splits("train"))
    model = baseline.restore(view.signature, floor.state())
    found = {}
    for name in spec.sources:
        split = test_split(spec.task, task, name, place, samples=spec.source_samples)
        found[name] = metric_of(task.metric).value(score(model, split, document_bytes=spec.document_bytes))
    return Done(result=PoolFloor(in_domain=found))
