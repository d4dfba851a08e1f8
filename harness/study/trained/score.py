"""The unit that scores a trained network on the test split of one domain."""

import io
from pathlib import Path

import numpy as np
from safetensors.torch import load

from harness import catalog
from harness.catalog import metric_of
from harness.data.view import SourceView, oracle_split, test_split
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline, FloorBaseline, Predictor, ReadyBaseline
from harness.learn.fit import seeded
from harness.learn.predictors import predictor, score
from harness.run.place import Done, Needs
from harness.study.trained.network import baseline_of, module_of, opened, opening_of
from harness.task.selection import ORACLE
from harness.task.task import Task


def score_unit(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Scores a trained network on the test split of one domain."""
    spec = unit.spec
    task: Task = catalog.load("task", spec["task"])
    model, rate = restored(unit, needs)
    split = test_split(spec["task"], task, spec["domain"], needs.place.data, samples=spec["samples"])
    samples = score(model, split, document_bytes=spec["document_bytes"])
    value = metric_of(task.metric).value(samples)
    samples.write(folder / "samples.parquet")
    result = {
        "metric": task.metric,
        "value": value,
        "samples": len(split),
        "groups": len(np.unique(split.groups)),
        "limited": needs.place.data.limit is not None,
        "learning_rate": rate,
    }
    return Done(result=result)


def restored(unit: Unit, needs: Needs) -> tuple[Predictor, float | None]:
    """Returns the model that a score reads, and the rate it was trained at; an oracle chooses it here."""
    spec = unit.spec
    final = needs.of("final")
    name = final.spec["task"]
    task: Task = catalog.load("task", name)
    trained = needs.record("final").result
    baseline = baseline_of(spec)
    if isinstance(baseline, FloorBaseline):
        with np.load(io.BytesIO(needs.read("final", "floor.npz")), allow_pickle=False) as arrays:
            return baseline.restore(task.signature, dict(arrays)), None
    if isinstance(baseline, ReadyBaseline):
        return opened(spec["method"], task.signature, opening_of(needs)), None
    view = SourceView(name, task, tuple(final.spec["sources"]), needs.place.data)
    with seeded(0):
        module = module_of(final, view, trained["architecture"]).to(needs.place.device)
    model = predictor(module, task.signature)
    if spec["selection"] != ORACLE or (isinstance(baseline, FixedBaseline) and baseline.is_frozen):
        module.load_state_dict(load(needs.read("final", "weights.safetensors")))
        return model, trained["learning_rate"]
    samples = final.spec["validation_samples"]
    split = oracle_split(name, task, spec["domain"], needs.place.data, samples=samples)
    values, metric = {}, metric_of(task.metric)
    for rate in final.spec.get("learning_rates", [trained["learning_rate"]]):
        module.load_state_dict(load(needs.read("final", f"weights-{rate!r}.safetensors")))
        values[rate] = metric.value(score(model, split, document_bytes=spec["document_bytes"]))
    sign = metric.sign
    best = max(values, key=lambda rate: sign * values[rate])
    module.load_state_dict(load(needs.read("final", f"weights-{best!r}.safetensors")))
    return model, best
