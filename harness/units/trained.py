"""The units of a suite that trains, all but shared networks: domains, finals and scores."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load, save
from torch import nn

from harness import catalog, seeds
from harness.checkpoint import Checkpoint
from harness.data.split import Split
from harness.errors import HarnessError
from harness.evaluate import predictor, score
from harness.families import matched_space, parameter_target
from harness.model import Baseline, FixedBaseline, FloorBaseline, Opening, Predictor, ReadyBaseline
from harness.nn.pretrained import Pretrained, fit_head
from harness.protocol import SourceView, oracle_split, test_split
from harness.records import write_atomically
from harness.run.unit import Unit
from harness.task import CROSS_VALIDATION, ORACLE, Signature, Task, higher_is_better
from harness.train import Recipe, batches, cross_entropy, fit, seeded
from harness.units.place import Done, Needs

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
    baseline = _baseline(spec)
    if isinstance(baseline, FloorBaseline):
        return _final_floor(baseline, unit, view, folder)
    if isinstance(baseline, ReadyBaseline):
        _opened(spec["method"], view.signature, _opening(needs))  # fails here, once, where it cannot be
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
        gain = value if higher_is_better(view.metric) else -value
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
    sign = 1 if higher_is_better(view.metric) else -1
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
    baseline = _baseline(unit.spec)
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
        higher_is_better=higher_is_better(view.metric),
    )
    save_weights(module, folder / "weights.safetensors")
    best = max if higher_is_better(view.metric) else min
    result = {
        **_about(module, unit, view, None),
        "learning_rate": None,
        "rates": {},
        "strengths": values,
        "validation": best(values.values()),
    }
    return Done(result=result)


def _opening(needs: Needs) -> Opening:
    place = needs.place
    return Opening(data=place.data.folder, device=place.device, keys=place.keys, offline=place.data.offline)


@lru_cache(maxsize=1)
def _opened(method: str, signature: Signature, opening: Opening) -> Predictor:
    """Returns the model, kept for the next unit, as one that comes trained can take long to open."""
    baseline: ReadyBaseline = catalog.load("baseline", method)
    return baseline.open(signature, opening)


def _baseline(spec: Mapping[str, Any]) -> Baseline | None:
    """Returns the baseline of a row; None where a search in a space chose its network."""
    baseline: Baseline | None = None if spec["space"] else catalog.load("baseline", spec["method"])
    return baseline


def _module(unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None) -> nn.Module:
    spec = unit.spec
    if spec["space"]:
        assert architecture is not None
        space = matched_space(spec, view.signature)
        return space.build(space.from_json(architecture))
    baseline = catalog.load("baseline", spec["method"])
    if not isinstance(baseline, FixedBaseline):
        raise HarnessError(f"Baseline {spec['method']!r} needs a search and has none.")
    build = baseline.build if architecture is None else baseline.depths[architecture["depth"]]
    return build(view.signature, parameter_target(spec["tuned_space"], view.signature))


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
    module = _module(unit, view, architecture)
    baseline = _baseline(unit.spec)
    if isinstance(baseline, FixedBaseline) and baseline.load is not None:
        baseline.load(module, _opening(needs))
    return module.to(needs.place.device)


def recipe_of(spec: Mapping[str, Any], rate: float) -> Recipe:
    """Returns the recipe that a unit's specification gives, at one learning rate."""
    recipe = Recipe(
        steps=spec["steps"],
        batch_size=spec["batch_size"],
        learning_rate=rate,
        accumulate=spec.get("accumulate", 1),
        compiled=spec.get("compile", False),
    )
    frozen: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in spec.get("recipe", {}).items()
    }
    return replace(recipe, **frozen)


def train_alone(
    module: nn.Module, view: SourceView, recipe: Recipe, order: np.random.Generator, folder: Path
) -> None:
    """Trains one network on the source domains, keeping a checkpoint per learning rate in `folder`.

    Whoever calls it deletes the checkpoints when the training at every rate is done.
    """
    data = batches(view.signature, view.splits("train"), recipe.batch_size, order, recipe.augmentation)
    checkpoint = _checkpoint(folder, recipe.learning_rate, order)
    fit(
        module,
        recipe,
        data,
        lambda batch, step: cross_entropy(module(batch[0]), batch[1], recipe.label_smoothing),
        checkpoint=checkpoint,
    )


def save_weights(module: nn.Module, path: Path) -> None:
    """Writes the weights of a network in safetensors."""
    weights = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    write_atomically(path, save(weights))


def delete_checkpoints(folder: Path, rates: Sequence[float]) -> None:
    """Deletes what `train_alone` kept."""
    for rate in rates:
        _checkpoint(folder, rate).delete()


def _checkpoint(folder: Path, rate: float, order: np.random.Generator | None = None) -> Checkpoint:
    streams = {} if order is None else {"batches": order}
    path = folder / f"checkpoint-{rate!r}.safetensors"
    return Checkpoint(path=path, owner="/".join(path.parts[-3:]), streams=streams)


def _validation(model: Predictor, view: SourceView, spec: Mapping[str, Any]) -> float:
    splits = view.splits("validation", samples=spec["validation_samples"])
    return mean_score(model, splits, view, spec)


def mean_score(model: Predictor, splits: Sequence[Split], view: SourceView, spec: Mapping[str, Any]) -> float:
    """Returns the metric averaged over splits, each domain with the same weight."""
    scores = [score(model, split, document_bytes=spec["document_bytes"]) for split in splits]
    return float(np.mean([one.value(view.metric) for one in scores]))


def _macs(module: nn.Module, unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None) -> int:
    if unit.spec["space"] and architecture is not None:
        space = matched_space(unit.spec, view.signature)
        return space.macs(space.from_json(architecture))
    from harness.nn.measure import measured_macs

    return measured_macs(module, view.signature)


def score_unit(unit: Unit, needs: Needs, folder: Path) -> Done:
    """Scores a trained network on the test split of one domain."""
    spec = unit.spec
    task: Task = catalog.load("task", spec["task"])
    model, rate = restored(unit, needs)
    split = test_split(spec["task"], task, spec["domain"], needs.place.data, samples=spec["samples"])
    samples = score(model, split, document_bytes=spec["document_bytes"])
    value = samples.value(task.metric)
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
    baseline = _baseline(spec)
    if isinstance(baseline, FloorBaseline):
        with np.load(io.BytesIO(needs.read("final", "floor.npz")), allow_pickle=False) as arrays:
            return baseline.restore(task.signature, dict(arrays)), None
    if isinstance(baseline, ReadyBaseline):
        return _opened(spec["method"], task.signature, _opening(needs)), None
    view = SourceView(name, task, tuple(final.spec["sources"]), needs.place.data)
    with seeded(0):
        module = _module(final, view, trained["architecture"]).to(needs.place.device)
    model = predictor(module, task.signature)
    if spec["selection"] != ORACLE or (isinstance(baseline, FixedBaseline) and baseline.is_frozen):
        module.load_state_dict(load(needs.read("final", "weights.safetensors")))
        return model, trained["learning_rate"]
    samples = final.spec["validation_samples"]
    split = oracle_split(name, task, spec["domain"], needs.place.data, samples=samples)
    values = {}
    for rate in final.spec.get("learning_rates", [trained["learning_rate"]]):
        module.load_state_dict(load(needs.read("final", f"weights-{rate!r}.safetensors")))
        values[rate] = score(model, split, document_bytes=spec["document_bytes"]).value(task.metric)
    sign = 1 if higher_is_better(task.metric) else -1
    best = max(values, key=lambda rate: sign * values[rate])
    module.load_state_dict(load(needs.read("final", f"weights-{best!r}.safetensors")))
    return model, best
