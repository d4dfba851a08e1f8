"""The unit that trains one network of a pool, and scores it as it was after parts of its training."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from harness import catalog, seeds
from harness.catalog import metric_of
from harness.data.load import Cap
from harness.data.view import DataPlace, held_out_part, test_split
from harness.files import write_atomically
from harness.identity.unit import Unit
from harness.learn.fit import seeded
from harness.learn.predictors import predictor, score
from harness.run.place import Done, Needs
from harness.run.samples import sums_of
from harness.study.diversity.units import CellSpec, PoolScores, ShortScores
from harness.study.diversity.work.short import ShortTrainings, trained
from harness.study.work.alone import mean_score, recipe_of
from harness.study.work.matched import matched_space
from harness.task.metric import SampleScores
from harness.task.split import Split
from harness.task.task import Task

SUMS = "sums.safetensors"
"""Of the last checkpoint: DOMAIN/groups, identities of a held-out domain's groups, DOMAIN/numerators and
DOMAIN/denominators, shape (groups, classes)."""


def cell(unit: Unit[CellSpec, PoolScores], needs: Needs, folder: Path) -> Done:
    """Trains one network and scores its checkpoints; none of its weights is kept."""
    spec, view = unit.spec, needs.view(unit.spec)
    space = matched_space(spec, view.signature)
    architecture = space.from_json(spec.architecture)
    recipe = recipe_of(spec, spec.learning_rate)
    trainings = ShortTrainings(view, recipe, spec.checkpoints, spec.decay, spec.seed, folder)
    with seeded(seeds.stream(spec.seed, "cell", "weights")):
        module = space.networks.build(architecture).to(needs.place.device)
        trained(trainings, module)
    model = predictor(module, view.signature)
    validation = view.splits("validation", samples=spec.validation_samples)
    domains = list(_domains(spec, needs.place.data))
    found: list[ShortScores] = []
    sums: dict[str, NDArray[Any]] = {}
    whole: dict[str, float] = {}
    for steps in trainings.steps:
        trainings.restore(module, steps)
        module.eval()
        values = {}
        for domain in domains:
            samples = score(model, domain.split(steps == trainings.steps[-1]), document_bytes=domain.cut)
            values[domain.name] = domain.value(samples)
            if steps == trainings.steps[-1] and domain.name in spec.held_out:
                whole[domain.name] = metric_of(view.metric).value(samples)
                sums |= _packed(domain, samples)
        found.append(
            ShortScores(
                steps=steps,
                validation=mean_score(model, validation, view, spec.document_bytes),
                in_domain={name: values[name] for name in spec.sources},
                held_out={name: values[name] for name in spec.held_out},
            )
        )
    write_atomically(folder / SUMS, save(sums))
    trainings.forget()
    macs = space.macs(architecture)
    result = PoolScores(
        metric=view.metric,
        parameters=sum(weight.numel() for weight in module.parameters()),
        macs=macs,
        compute=3 * macs * trainings.taken * recipe.batch_size,
        checkpoints=tuple(found),
        whole=whole,
        samples={domain.name: len(domain.whole) for domain in domains if domain.name in spec.held_out},
    )
    return Done(result=result)


@dataclass(frozen=True, kw_only=True)
class ScoredDomain:
    """What is read of one domain.

    Attributes:
        name: of the domain.
        always: what is at every checkpoint, a part of `whole`.
        whole: what is at the last one.
        cut: leading bytes of each document that are.
        metric: catalog name.
    """

    name: str
    always: Split
    whole: Split
    cut: int
    metric: str

    def split(self, is_last: bool) -> Split:
        return self.whole if is_last else self.always

    def value(self, samples: SampleScores) -> float:
        """Returns the metric on what is read at every checkpoint."""
        if len(samples.group) > len(self.always):
            chosen = np.isin(self.whole.positions, self.always.positions)
            parts: Any = (None if one is None else one[chosen] for one in samples)
            samples = SampleScores(*parts)
        return metric_of(self.metric).value(samples)


def _domains(spec: CellSpec, place: DataPlace) -> Iterator[ScoredDomain]:
    task: Task = catalog.load("task", spec.task)
    for name in spec.sources:
        split = test_split(spec.task, task, name, place, samples=spec.source_samples)
        yield ScoredDomain(name=name, always=split, whole=split, cut=spec.document_bytes, metric=task.metric)
    for name in spec.held_out:

        def part(most: int | None, name: str = name) -> Split:
            cap = Cap(samples=spec.samples, groups=spec.groups, bytes=most, document_bytes=spec.scored_bytes)
            return held_out_part(spec.task, task, name, place, splits=spec.splits, cap=cap).split

        whole = part(spec.bytes)
        always = part(spec.checkpoint_bytes) if spec.checkpoint_bytes else whole
        cut = spec.scored_bytes or sys.maxsize
        yield ScoredDomain(name=name, always=always, whole=whole, cut=cut, metric=task.metric)


def _packed(domain: ScoredDomain, samples: SampleScores) -> Mapping[str, NDArray[Any]]:
    """Returns the sums by group of what was scored, numerators in half the bytes of what they were."""
    clustered = samples._replace(group=domain.whole.clusters[samples.group])
    sums = sums_of(clustered, metric_of(domain.metric))
    arrays = {
        "groups": sums.groups,
        "numerators": sums.numerators.astype(np.float32),
        "denominators": sums.denominators.astype(np.uint32),
    }
    return {f"{domain.name}/{name}": np.ascontiguousarray(array) for name, array in arrays.items()}
