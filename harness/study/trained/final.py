"""The units of a suite that trains, all but shared networks: domains, finals and scores."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from harness import seeds
from harness.catalog import metric_of
from harness.data.view import SourceView
from harness.errors import HarnessError
from harness.files import write_atomically
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline, FloorBaseline, Predictor, ReadyBaseline
from harness.learn.fit import seeded
from harness.learn.predictors import predictor
from harness.nn.pretrained import Pretrained, fit_head
from harness.run.place import Done, Needs
from harness.study.trained.network import baseline_of, module_of, opened, opening_of
from harness.study.work.alone import delete_checkpoints, mean_score, recipe_of, save_weights, train_alone
from harness.study.work.matched import matched_space
from harness.task.selection import CROSS_VALIDATION, ORACLE

NOT_TRAINED: dict[str, Any] = {
    "architecture": None,
    "parameters": 0,
    "macs": 0,
    "learning_rate": None,
    "rates": {},
    "steps": 0,
}
"""What a final says of a model that no step of this run trained."""


def final(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Trains one row's network from scratch, or fits a floor."""
    spec = unit.spec
    view = needs.view(unit)
    if spec["selection"] == ORACLE:  # every score chooses for itself among what the other final kept
        trained = needs.record("final").result
        return Done(result={**trained, "learning_rate": None, "validation": None})
    baseline = baseline_of(spec)
    if isinstance(baseline, FloorBaseline):
        return _final_floor(baseline, unit, view, folder)
    if isinstance(baseline, ReadyBaseline):
        opened(spec["method"], view.signature, opening_of(needs))  # fails here, once, where it cannot be
        return Done(result={**NOT_TRAINED, "validation": None, "outside": baseline.outside})
    if isinstance(baseline, FixedBaseline) and baseline.is_frozen:
        return _final_frozen(unit, needs, view, folder)
    unit, architecture = _chosen(unit, needs)
    spec = unit.spec
    if spec["selection"] == CROSS_VALIDATION:
        return _cross_validated(unit, needs, view, architecture, folder)
    rates: dict[str, float] = {}
    best: tuple[float, nn.Module] | None = None
    for rate in spec["learning_rates"]:
        module = _trained(unit, needs, view, architecture, rate, folder)
        value = _validation(predictor(module, view.signature), view, spec)
        rates[repr(rate)] = value
        if spec["keeps_every_rate"]:
            save_weights(module, folder / f"weights-{rate!r}.safetensors")
        gain = metric_of(view.metric).sign * value
        if best is None or gain > best[0]:
            best = (gain, module)
            chosen = rate
    assert best is not None
    save_weights(best[1], folder / "weights.safetensors")
    delete_checkpoints(folder, spec["learning_rates"])
    about = _about(best[1], unit, view, architecture)
    chosen_value = rates[repr(chosen)]
    return Done(result={**about, "learning_rate": chosen, "rates": rates, "validation": chosen_value})


def _chosen(unit: Unit, needs: Needs) -> tuple[Unit, Mapping[str, Any] | None]:
    """Returns the unit with the rates it trains at, and the architecture that a search or trials chose."""
    if unit.spec["space"]:
        return unit, needs.record("search").result["architecture"]
    if all(need.kind != "tune" for need in needs.units.values()):
        return unit, None
    tuned = needs.record("tune").result
    spec = {**unit.spec, "learning_rates": [tuned["learning_rate"]]}
    return replace(unit, spec=spec), tuned["architecture"]


def trial(
    unit: Unit,
    needs: Needs,
    view: SourceView,
    architecture: Mapping[str, Any] | None,
    rate: float,
    folder: Path,
) -> tuple[float, int]:
    """Returns source validation and parameters of a row's network, trained once on the unit's seed."""
    module = _trained(unit, needs, view, architecture, rate, folder)
    value = _validation(predictor(module, view.signature), view, unit.spec)
    return value, sum(weight.numel() for weight in module.parameters())


def _cross_validated(
    unit: Unit, needs: Needs, view: SourceView, architecture: Mapping[str, Any] | None, folder: Path
) -> Done:
    """Trains at the rate whose models did best, on average, on a source that they had not seen."""
    spec = unit.spec
    every: Sequence[float] = spec["learning_rates"]
    rates: dict[str, float] = {}
    for rate in every if len(every) > 1 else ():
        values = []
        for left in view.sources:
            rest = view.only(*(one for one in view.sources if one != left))
            module = _trained(unit, needs, rest, architecture, rate, folder / f"without-{left}")
            values.append(_validation(predictor(module, view.signature), view.only(left), spec))
        rates[repr(rate)] = float(np.mean(values))
    sign = metric_of(view.metric).sign
    chosen = max(every, key=lambda rate: sign * rates.get(repr(rate), 0.0))
    module = _trained(unit, needs, view, architecture, chosen, folder)
    validation = _validation(predictor(module, view.signature), view, spec)
    save_weights(module, folder / "weights.safetensors")
    delete_checkpoints(folder, every)
    for left in view.sources:
        delete_checkpoints(folder / f"without-{left}", every)
    about = _about(module, unit, view, architecture)
    return Done(result={**about, "learning_rate": chosen, "rates": rates, "validation": validation})


def _about(
    module: nn.Module, unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns what a network is and costs, whichever rate trained it, and what it was trained on before."""
    baseline = baseline_of(unit.spec)
    before = baseline.outside if isinstance(baseline, FixedBaseline) else None
    outside = {} if before is None else {"outside": before}
    return {
        "architecture": architecture,
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "macs": _macs(module, unit, view, architecture),
        "steps": unit.spec.get("steps", 0),
        **outside,
    }


def _final_floor(baseline: FloorBaseline, unit: Unit, view: SourceView, folder: Path) -> Done:
    floor = baseline.fit(view.signature, view.splits("train"))
    state = floor.state()
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **state)
    write_atomically(folder / "floor.npz", sink.getvalue())
    model = baseline.restore(view.signature, state)
    validation = _validation(model, view, unit.spec)
    return Done(result={**NOT_TRAINED, "validation": validation})


def _final_frozen(unit: Unit, needs: Needs, view: SourceView, folder: Path) -> Done:
    """Fits a head to frozen features, at every strength of its penalty; source validation chooses one."""
    with seeded(seeds.stream(unit.spec["report_seed"], "final", "weights")):
        module = _begun(unit, needs, view, None).eval()
    if not isinstance(module, Pretrained):
        raise HarnessError(f"Baseline {unit.spec['method']!r} has no frozen features to fit a head to.")
    values = fit_head(
        module,
        view.splits("train"),
        lambda: _validation(predictor(module, view.signature), view, unit.spec),
        higher_is_better=metric_of(view.metric).higher_is_better,
    )
    save_weights(module, folder / "weights.safetensors")
    best = max if metric_of(view.metric).higher_is_better else min
    result = {
        **_about(module, unit, view, None),
        "learning_rate": None,
        "rates": {},
        "strengths": values,
        "validation": best(values.values()),
    }
    return Done(result=result)


def _trained(
    unit: Unit,
    needs: Needs,
    view: SourceView,
    architecture: Mapping[str, Any] | None,
    rate: float,
    folder: Path,
) -> nn.Module:
    seed = unit.spec["seed" if unit.kind == "tune" else "report_seed"]
    with seeded(seeds.stream(seed, "final", "weights")):
        module = _begun(unit, needs, view, architecture)
        order = seeds.generator(seed, "final", "batches")
        train_alone(module, view, recipe_of(unit.spec, rate), order, folder)
    return module


def _begun(unit: Unit, needs: Needs, view: SourceView, architecture: Mapping[str, Any] | None) -> nn.Module:
    """Returns the network that training begins with: random weights, or those that come trained."""
    module = module_of(unit, view, architecture)
    baseline = baseline_of(unit.spec)
    if isinstance(baseline, FixedBaseline) and baseline.load is not None:
        baseline.load(module, opening_of(needs))
    return module.to(needs.place.device)


def _validation(model: Predictor, view: SourceView, spec: Mapping[str, Any]) -> float:
    splits = view.splits("validation", samples=spec["validation_samples"])
    return mean_score(model, splits, view, spec)


def _macs(module: nn.Module, unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None) -> int:
    if unit.spec["space"] and architecture is not None:
        space = matched_space(unit.spec, view.signature)
        return space.macs(space.from_json(architecture))
    from harness.nn.measure import measured_macs

    return measured_macs(module, view.signature)
