"""What each kind of unit does: reads its needs' results, leaves files in its folder, returns its result."""

import io
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import nn

from harness import catalog, seeds
from harness.data.fetch import fetch
from harness.data.prepare import prepare_domain
from harness.data.split import Split
from harness.errors import HarnessError
from harness.evaluate import predictor, score
from harness.llm import Client, open_client
from harness.llm.package import EMBEDDED_MODEL, extract_model
from harness.model import FixedBaseline, FloorBaseline, Predictor
from harness.plan import Unit, load_family, unit_folder
from harness.protocol import DataPlace, SourceView, test_split
from harness.records import Record, read_record, write_atomically
from harness.search import Evaluation, SearchContext, SearchResult, run_search
from harness.space import Architecture, SearchSpace
from harness.supernet import train_single_path
from harness.task import Task, higher_is_better
from harness.train import Recipe, batches, cross_entropy, fit, seeded


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a unit runs.

    Attributes:
        run: the run's folder.
        data: the data cache.
        device: torch device, `cpu` or `cuda`.
        api_key: key of the language-model endpoint; never written.
        replay: a run folder whose transcripts answer instead of a model.
    """

    run: Path
    data: DataPlace
    device: str = "cpu"
    api_key: str | None = None
    replay: Path | None = None


def perform(unit: Unit, needs: Mapping[str, Unit], place: Place) -> dict[str, Any]:
    """Does the work of `unit` and returns its result.

    Args:
        unit: what to do.
        needs: hash -> unit, for every unit it needs.
        place: where.
    """
    folder = unit_folder(place.run, unit)
    folder.mkdir(parents=True, exist_ok=True)
    place = replace(place, data=replace(place.data, limit=unit.spec.get("limit")))
    return _WORK[unit.kind](unit, _Needs(needs, place), folder)


@dataclass(frozen=True)
class _Needs:
    units: Mapping[str, Unit]
    place: Place

    def of(self, kind: str) -> Unit:
        return next(unit for unit in self.units.values() if unit.kind == kind)

    def folder(self, kind: str) -> Path:
        return unit_folder(self.place.run, self.of(kind))

    def record(self, kind: str) -> Record:
        record = read_record(self.folder(kind) / "record.json")
        if record is None:
            raise HarnessError(f"The {kind} record that this unit needs is gone; run the command again.")
        return record

    def view(self, unit: Unit) -> SourceView:
        task: Task = catalog.load("task", unit.spec["task"])
        return SourceView(unit.spec["task"], task, tuple(unit.spec["sources"]), self.place.data)


def _space(name: str, view: SourceView, tolerance: float) -> SearchSpace:
    family, preset = load_family(name)
    return family.matched(preset, view.signature, tolerance)


def _prepare(unit: Unit, needs: _Needs, folder: Path) -> dict[str, Any]:
    task: Task = catalog.load("task", unit.spec["task"])
    domain = task.domain(unit.spec["domain"])
    place = needs.place.data
    prepared = prepare_domain(unit.spec["task"], domain, place.folder, offline=place.offline)
    return {
        "sha256": prepared.sha256,
        "counts": dict(prepared.samples),
        "groups": dict(prepared.groups),
        "versions": dict(prepared.versions),
        "origin": domain.origin,
        "licence": domain.licence,
        "grouped_by": domain.groups,
    }


def _supernet(unit: Unit, needs: _Needs, folder: Path) -> dict[str, Any]:
    spec = unit.spec
    view = needs.view(unit)
    space = _space(spec["space"], view, spec["parameter_tolerance"])
    with seeded(seeds.stream(spec["seed"], "supernet", "weights")):
        module = space.supernet().to(needs.place.device)
    recipe = Recipe(steps=spec["steps"], batch_size=spec["batch_size"], learning_rate=spec["learning_rate"])
    order = seeds.generator(spec["seed"], "supernet", "batches")
    data = batches(view.signature, view.splits("train"), recipe.batch_size, order)
    draw = random.Random(seeds.stream(spec["seed"], "supernet", "paths"))
    train_single_path(module, space, recipe, data, draw)
    _save(module, folder / "weights.safetensors")
    return {
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "steps": recipe.steps,
        "space_size": space.size(),
        "window": list(space.window or ()),
    }


def _search(unit: Unit, needs: _Needs, folder: Path) -> dict[str, Any]:
    spec = unit.spec
    view = needs.view(unit)
    space = _space(spec["space"], view, spec["parameter_tolerance"])
    supernet = space.supernet()
    supernet.load_state_dict(load_file(needs.folder("supernet") / "weights.safetensors"))
    supernet.to(needs.place.device)
    entry = catalog.load("searcher", spec["searcher"])
    client = _client(unit, needs.place, folder) if entry.needs_llm else None
    context = SearchContext(
        space=space,
        seed=seeds.stream(spec["seed"], "search", spec["searcher"]),
        budget=spec["evaluations"],
        options=spec["options"],
        score_name=_score_name(view),
        client=client,
    )
    splits = view.splits("validation", samples=spec["validation_samples"])
    known = _Known(folder / "scores.json", space)

    def inherited(architecture: Architecture) -> float:
        model = predictor(supernet, view.signature, space.route(architecture))
        mean = _mean_score(model, splits, view, spec)
        return mean if higher_is_better(view.metric) else -mean

    result = run_search(entry.build(context), space, partial(known.score, inherited), budget=context.budget)
    known.path.unlink(missing_ok=True)
    return _search_result(result, space)


class _Known:
    """Scores that an interrupted search already paid for; the same path asks for them again."""

    def __init__(self, path: Path, space: SearchSpace) -> None:
        self.path = path
        self.space = space
        self.scores: dict[Architecture, float] = {}
        if path.exists():
            self.scores = {tuple(genes): value for genes, value in json.loads(path.read_text())}

    def score(self, evaluate: Callable[[Architecture], float], architecture: Architecture) -> float:
        if architecture not in self.scores:
            self.scores[architecture] = evaluate(architecture)
            write_atomically(self.path, json.dumps(list(self.scores.items())))
        return self.scores[architecture]


def _client(unit: Unit, place: Place, folder: Path) -> Client:
    settings = unit.spec["llm"]
    transcript = folder / "transcript.jsonl"
    if place.replay is not None:
        old = place.replay / "units" / unit.folder / transcript.name
        if not old.exists():
            raise HarnessError(
                f"{place.replay} has no transcript of this search; replay a run of this suite."
            )
        if old.resolve() != transcript.resolve():
            write_atomically(transcript, old.read_bytes())
    model_file = None
    if not settings["base_url"] and place.replay is None:
        model_file = Path(settings["model_file"]) if settings["model_file"] else None
        if model_file is None:
            archive = fetch(EMBEDDED_MODEL, place.data.folder, offline=place.data.offline)
            model_file = extract_model(archive, place.data.folder)
    return open_client(
        settings,
        model_file=model_file,
        transcript=transcript,
        api_key=place.api_key,
        replay=place.replay is not None,
    )


def _score_name(view: SourceView) -> str:
    if view.metric == "bits_per_byte":
        return "negative validation bits per byte"
    return f"validation {view.metric.replace('_', ' ')}"


def _search_result(result: SearchResult, space: SearchSpace) -> dict[str, Any]:
    if result.best is None:
        raise HarnessError("No evaluation of this search gave a finite score.")

    def entry(evaluation: Evaluation) -> dict[str, Any]:
        return {
            "architecture": space.to_json(evaluation.architecture),
            "score": evaluation.score,
            "parameters": evaluation.parameters,
            "macs": evaluation.macs,
            "iteration": evaluation.iteration,
        }

    return {
        **entry(result.best),
        "evaluations": len(result.history),
        "stopped": result.stopped,
        "history": [entry(evaluation) for evaluation in result.history],
        "rank_by_parameters": _rank_by_parameters(result),
        "report": dict(result.report),
    }


def _rank_by_parameters(result: SearchResult) -> float | None:
    """Returns Spearman's correlation of score and parameters, the control of every search."""
    from scipy.stats import spearmanr

    scored = [(one.score, one.parameters) for one in result.history if one.score is not None]
    values, sizes = ([pair[index] for pair in scored] for index in (0, 1))
    if len(set(values)) < 2 or len(set(sizes)) < 2:
        return None
    return float(spearmanr(values, sizes).statistic)


def _final(unit: Unit, needs: _Needs, folder: Path) -> dict[str, Any]:
    spec = unit.spec
    view = needs.view(unit)
    baseline = None if spec["space"] else catalog.load("baseline", spec["method"])
    if isinstance(baseline, FloorBaseline):
        return _final_floor(baseline, unit, view, folder)
    architecture = needs.record("search").result["architecture"] if spec["space"] else None
    rates: dict[str, float] = {}
    best: tuple[float, nn.Module] | None = None
    for rate in spec["learning_rates"]:
        recipe = Recipe(steps=spec["steps"], batch_size=spec["batch_size"], learning_rate=rate)
        module = _trained(unit, view, architecture, recipe, needs.place.device)
        value = _validation(predictor(module, view.signature), view, spec)
        rates[repr(rate)] = value
        gain = value if higher_is_better(view.metric) else -value
        if best is None or gain > best[0]:
            best = (gain, module)
            chosen = rate
    assert best is not None
    module = best[1]
    _save(module, folder / "weights.safetensors")
    return {
        "architecture": architecture,
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "macs": _macs(module, unit, view, architecture),
        "learning_rate": chosen,
        "rates": rates,
        "validation": rates[repr(chosen)],
        "steps": spec["steps"],
    }


def _final_floor(baseline: FloorBaseline, unit: Unit, view: SourceView, folder: Path) -> dict[str, Any]:
    floor = baseline.fit(view.signature, view.splits("train"))
    state = floor.state()
    sink = io.BytesIO()
    np.savez(sink, allow_pickle=False, **state)
    write_atomically(folder / "floor.npz", sink.getvalue())
    model = baseline.restore(view.signature, state)
    validation = _validation(model, view, unit.spec)
    return {
        "architecture": None,
        "parameters": 0,
        "macs": 0,
        "learning_rate": None,
        "rates": {},
        "validation": validation,
        "steps": 0,
    }


def _module(unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None) -> nn.Module:
    spec = unit.spec
    if architecture is not None:
        space = _space(spec["space"], view, spec["parameter_tolerance"])
        return space.build(space.from_json(architecture))
    baseline = catalog.load("baseline", spec["method"])
    if not isinstance(baseline, FixedBaseline):
        raise HarnessError(f"Baseline {spec['method']!r} needs a search and has none.")
    target = _space(spec["tuned_space"], view, 0.5)
    return baseline.build(view.signature, target.parameters(target.default()))


def _trained(
    unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None, recipe: Recipe, device: str
) -> nn.Module:
    seed = unit.spec["report_seed"]
    with seeded(seeds.stream(seed, "final", "weights")):
        module = _module(unit, view, architecture).to(device)
        order = seeds.generator(seed, "final", "batches")
        data = batches(view.signature, view.splits("train"), recipe.batch_size, order)
        fit(module, recipe, data, lambda batch, step: cross_entropy(module(batch[0]), batch[1]))
    return module


def _validation(model: Predictor, view: SourceView, spec: Mapping[str, Any]) -> float:
    splits = view.splits("validation", samples=spec["validation_samples"])
    return _mean_score(model, splits, view, spec)


def _mean_score(
    model: Predictor, splits: Sequence[Split], view: SourceView, spec: Mapping[str, Any]
) -> float:
    """Returns the metric averaged over splits, each domain with the same weight."""
    scores = [score(model, split, document_bytes=spec["document_bytes"]) for split in splits]
    return float(np.mean([one.value(view.metric) for one in scores]))


def _macs(module: nn.Module, unit: Unit, view: SourceView, architecture: Mapping[str, Any] | None) -> int:
    if architecture is not None:
        space = _space(unit.spec["space"], view, unit.spec["parameter_tolerance"])
        return space.macs(space.from_json(architecture))
    from harness.nn.measure import measured_macs

    return measured_macs(module, view.signature)


def _score(unit: Unit, needs: _Needs, folder: Path) -> dict[str, Any]:
    spec = unit.spec
    task: Task = catalog.load("task", spec["task"])
    final = needs.of("final")
    view = SourceView(spec["task"], task, tuple(final.spec["sources"]), needs.place.data)
    baseline = None if spec["space"] else catalog.load("baseline", spec["method"])
    if isinstance(baseline, FloorBaseline):
        with np.load(needs.folder("final") / "floor.npz", allow_pickle=False) as arrays:
            model = baseline.restore(task.signature, dict(arrays))
    else:
        with seeded(0):
            module = _module(final, view, needs.record("final").result["architecture"])
        module.load_state_dict(load_file(needs.folder("final") / "weights.safetensors"))
        model = predictor(module.to(needs.place.device), task.signature)
    split = test_split(spec["task"], task, spec["domain"], needs.place.data, samples=spec["samples"])
    samples = score(model, split, document_bytes=spec["document_bytes"])
    value = samples.value(task.metric)
    samples.write(folder / "samples.parquet")
    return {
        "metric": task.metric,
        "value": value,
        "samples": len(split),
        "groups": len(np.unique(split.groups)),
        "limited": needs.place.data.limit is not None,
    }


def _save(module: nn.Module, path: Path) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
    write_atomically(path, save(weights))


_WORK: dict[str, Callable[[Unit, _Needs, Path], dict[str, Any]]] = {
    "prepare": _prepare,
    "supernet": _supernet,
    "search": _search,
    "final": _final,
    "score": _score,
}


def versions() -> dict[str, str]:
    """Returns what a result's bytes may depend on besides its unit."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "onednn": str(torch.backends.mkldnn.is_available()),
    }
