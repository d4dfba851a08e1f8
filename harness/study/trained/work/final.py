"""The units of a suite that trains, all but shared networks: domains, finals and scores."""

import io
from collections.abc import Mapping
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
from harness.learn.baseline import FixedBaseline, FloorBaseline, ReadyBaseline
from harness.learn.fit import seeded
from harness.learn.predictors import predictor
from harness.nn.pretrained import Pretrained, fit_head
from harness.run.place import Done, Needs
from harness.study.trained.results import Final
from harness.study.trained.units import FINAL, SEARCH, TUNE, FinalSpec, TuneSpec
from harness.study.trained.work.network import baseline_of, module_of, opened, opening_of
from harness.study.trained.work.score import FLOOR
from harness.study.work.alone import (
    WEIGHTS,
    delete_checkpoints,
    recipe_of,
    save_weights,
    train_alone,
    validation_score,
    weights_at,
)
from harness.study.work.matched import matched_space
from harness.task.selection import CROSS_VALIDATION, ORACLE

NOT_TRAINED = Final(
    architecture=None, parameters=0, macs=0, learning_rate=None, steps=0, validation=None, rates={}
)
"""What a final says of a model that no step of this run trained."""
Architecture = Mapping[str, Any] | None


def final(unit: Unit[FinalSpec, Final], needs: Needs, folder: Path) -> Done:
    """Trains one row's network from scratch, or fits a floor."""
    spec = unit.spec
    view = needs.view(spec.task, spec.sources)
    if spec.selection == ORACLE:  # every score chooses for itself among what the other final kept
        return Done(result=replace(needs.result(FINAL), learning_rate=None, validation=None))
    baseline = baseline_of(spec)
    if isinstance(baseline, FloorBaseline):
        return _final_floor(baseline, spec, view, folder)
    if isinstance(baseline, ReadyBaseline):
        opened(spec.method, view.signature, opening_of(needs))  # fails here, once, where it cannot be
        return Done(result=replace(NOT_TRAINED, outside=baseline.outside))
    if isinstance(baseline, FixedBaseline) and baseline.is_frozen:
        return _final_frozen(spec, needs, view, folder)
    spec, architecture = _chosen(spec, needs)
    every = spec.learning_rates
    assert every is not None
    if spec.selection == CROSS_VALIDATION:
        return _cross_validated(spec, needs, view, architecture, folder)
    rates: dict[str, float] = {}
    best: tuple[float, nn.Module] | None = None
    for rate in every:
        module = _trained(spec, spec.report_seed, needs, view, architecture, rate, folder)
        value = validation_score(predictor(module, view.signature), view, spec)
        rates[repr(rate)] = value
        if spec.keeps_every_rate:
            save_weights(module, folder / weights_at(rate))
        gain = metric_of(view.metric).sign * value
        if best is None or gain > best[0]:
            best = (gain, module)
            chosen = rate
    assert best is not None
    save_weights(best[1], folder / WEIGHTS)
    delete_checkpoints(folder, every)
    about = _about(best[1], spec, view, architecture)
    return Done(result=replace(about, learning_rate=chosen, rates=rates, validation=rates[repr(chosen)]))


def _chosen(spec: FinalSpec, needs: Needs) -> tuple[FinalSpec, Architecture]:
    """Returns the rates that a final trains at, and the architecture that a search or trials chose."""
    if spec.space:
        return spec, needs.result(SEARCH).architecture
    if needs.find(TUNE) is None:
        return spec, None
    tuned = needs.result(TUNE)
    return replace(spec, learning_rates=(tuned.learning_rate,)), tuned.architecture


def trial(
    spec: TuneSpec, needs: Needs, view: SourceView, architecture: Architecture, rate: float, folder: Path
) -> tuple[float, int]:
    """Returns source validation and parameters of a row's network, trained once on the unit's seed."""
    module = _trained(spec, spec.seed, needs, view, architecture, rate, folder)
    value = validation_score(predictor(module, view.signature), view, spec)
    return value, sum(weight.numel() for weight in module.parameters())


def _cross_validated(
    spec: FinalSpec, needs: Needs, view: SourceView, architecture: Architecture, folder: Path
) -> Done:
    """Trains at the rate whose models did best, on average, on a source that they had not seen."""
    every, seed = spec.learning_rates, spec.report_seed
    assert every is not None
    rates: dict[str, float] = {}
    for rate in every if len(every) > 1 else ():
        values = []
        for left in view.sources:
            rest = view.only(*(one for one in view.sources if one != left))
            module = _trained(spec, seed, needs, rest, architecture, rate, folder / f"without-{left}")
            values.append(validation_score(predictor(module, view.signature), view.only(left), spec))
        rates[repr(rate)] = float(np.mean(values))
    sign = metric_of(view.metric).sign
    chosen = max(every, key=lambda rate: sign * rates.get(repr(rate), 0.0))
    module = _trained(spec, seed, needs, view, architecture, chosen, folder)
    validation = validation_score(predictor(module, view.signature), view, spec)
    save_weights(module, folder / WEIGHTS)
    delete_checkpoints(folder, every)
    for left in view.sources:
        delete_checkpoints(folder / f"without-{left}", every)
    about = _about(module, spec, view, architecture)
    return Done(result=replace(about, learning_rate=chosen, rates=rates, validation=validation))


def _about(module: nn.Module, spec: FinalSpec, view: SourceView, architecture: Architecture) -> Final:
    """Returns what a network is and costs, whichever rate trained it, and what it was trained on before."""
    baseline = baseline_of(spec)
    return replace(
        NOT_TRAINED,
        architecture=architecture,
        parameters=sum(weight.numel() for weight in module.parameters()),
        macs=_macs(module, spec, view, architecture),
        steps=spec.steps or 0,
        outside=baseline.outside if isinstance(baseline, FixedBaseline) else None,
    )


def _final_floor(baseline: FloorBaseline, spec: FinalSpec, view: SourceView, folder: Path) -> Done:
    floor = baseline.fit(view.signature, view.splits("train"))
    state = floor.state()
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **state)
    write_atomically(folder / FLOOR, sink.getvalue())
    model = baseline.restore(view.signature, state)
    return Done(result=replace(NOT_TRAINED, validation=validation_score(model, view, spec)))


def _final_frozen(spec: FinalSpec, needs: Needs, view: SourceView, folder: Path) -> Done:
    """Fits a head to frozen features, at every strength of its penalty; source validation chooses one."""
    with seeded(seeds.stream(spec.report_seed, "final", "weights")):
        module = _begun(spec, needs, view, None).eval()
    if not isinstance(module, Pretrained):
        raise HarnessError(f"Baseline {spec.method!r} has no frozen features to fit a head to.")
    values = fit_head(
        module,
        view.splits("train"),
        lambda: validation_score(predictor(module, view.signature), view, spec),
        higher_is_better=metric_of(view.metric).higher_is_better,
    )
    save_weights(module, folder / WEIGHTS)
    best = max if metric_of(view.metric).higher_is_better else min
    about = _about(module, spec, view, None)
    return Done(result=replace(about, strengths=values, validation=best(values.values())))


def _trained(
    spec: FinalSpec | TuneSpec,
    seed: int,
    needs: Needs,
    view: SourceView,
    architecture: Architecture,
    rate: float,
    folder: Path,
) -> nn.Module:
    with seeded(seeds.stream(seed, "final", "weights")):
        module = _begun(spec, needs, view, architecture)
        order = seeds.generator(seed, "final", "batches")
        train_alone(module, view, recipe_of(spec, rate), order, folder)
    return module


def _begun(
    spec: FinalSpec | TuneSpec, needs: Needs, view: SourceView, architecture: Architecture
) -> nn.Module:
    """Returns the network that training begins with: random weights, or those that come trained."""
    module = module_of(spec, view, architecture)
    baseline = baseline_of(spec)
    if isinstance(baseline, FixedBaseline) and baseline.load is not None:
        baseline.load(module, opening_of(needs))
    return module.to(needs.place.device)


def _macs(module: nn.Module, spec: FinalSpec, view: SourceView, architecture: Architecture) -> int:
    if spec.space and architecture is not None:
        space = matched_space(spec, view.signature)
        return space.macs(space.from_json(architecture))
    from harness.nn.measure import measured_macs

    return measured_macs(module, view.signature)
