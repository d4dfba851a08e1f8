"""What the units of a plan are estimated to cost, before anything of them is run.

A training step is taken as three forward passes, two of them for the gradients. An architecture that a search
has yet to choose counts as the mean of a few random ones of its space. Reading, drawing and augmenting data,
optimizer steps and zero-cost proxies are not counted.
"""

import random
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any

from harness import catalog
from harness.identity.unit import Unit
from harness.learn.baseline import FixedBaseline
from harness.space.choices import SearchSpace
from harness.study.plan import Plan
from harness.task.selection import CROSS_VALIDATION, ORACLE
from harness.task.signature import Signature

MACS_PER_SECOND = 5e12
"""What one device is taken to do: a few hundredths of the peak of an A100 in bfloat16 (1.56e14).

Depth-wise convolutions reach less of it, and wide transformers several times as much.
"""

DRAWN = 20
"""Random architectures that stand for one that is not known yet."""

ANSWERS = 4
"""Possible answers that a question of an lm-eval task is taken to have."""


class Costs:
    """Estimates of one plan's units; spaces and baselines are looked at once."""

    def __init__(self, plan: Plan) -> None:
        self.units = {unit.hash: unit for unit in plan.units}
        self._known: dict[tuple[str, ...], Any] = {}

    def macs(self, unit: Unit) -> int:
        """Returns the multiply-accumulates of a unit; 0 for what is not counted."""
        work = _WORK.get(unit.kind)
        return round(work(self, unit)) if work else 0

    def supernet(self, unit: Unit) -> float:
        """Returns the cost of a weight-sharing training; a released supernet has none."""
        spec = unit.spec
        if "checkpoint" in spec:
            return 0
        return self._step(spec) * int(spec["steps"] * spec["batch_size"])

    def search(self, unit: Unit) -> float:
        """Returns the cost of scoring slices, with the images that re-estimate their BatchNorm statistics."""
        spec = unit.spec
        count = spec["evaluations"] if unit.kind == "search" else spec["architectures"]
        calibration = spec.get("calibration_batches", 16) * 64 if self._has_batch_norm(spec) else 0
        validation = spec["validation_samples"] * len(spec["sources"]) * _passes(spec)
        return self._mean(spec) * int(count * (validation + calibration))

    def final(self, unit: Unit) -> float:
        """Returns the cost of training a network alone, at every rate or trial, and of choosing one."""
        spec = unit.spec
        if "steps" not in spec or spec.get("selection") == ORACLE:
            return 0
        validation = spec["validation_samples"] * len(spec["sources"]) * _passes(spec)
        steps = 3 * spec["steps"] * spec["batch_size"]
        trainings = len(spec.get("learning_rates", [None]))
        if unit.kind == "tune":
            trainings = spec["evaluations"]
        if spec.get("selection") == CROSS_VALIDATION:
            trainings = 1 + (trainings * len(spec["sources"]) if trainings > 1 else 0)
        return self._network(spec) * int(trainings * (steps + validation))

    def score(self, unit: Unit) -> float:
        """Returns the cost of scoring a network on a test split."""
        final = next(need for need in map(self.units.__getitem__, unit.needs) if need.kind == "final")
        if "steps" not in final.spec:
            return 0
        return self._network(final.spec) * int(unit.spec["samples"]) * _passes(unit.spec)

    def _step(self, spec: Mapping[str, Any]) -> float:
        """Returns the cost of one sample of a training step under the unit's strategy."""
        mean = self._mean(spec)
        if spec["strategy"] == "single_path":
            return 3 * mean
        space = self._space(spec)
        if spec["strategy"] == "fair":
            return 3 * mean * max(len(choice.options) for choice in space.choices)
        largest = space.macs(space.extreme(largest=True))
        if spec["strategy"] == "sandwich":
            return 3 * (largest + space.macs(space.extreme(largest=False)) + 2 * mean)
        return 3 * mean + largest

    def _network(self, spec: Mapping[str, Any]) -> float:
        """Returns the cost of one forward pass of what a final trains."""
        if spec["space"]:
            return self._mean(spec)

        def measure() -> float:
            from harness.learn.fit import seeded
            from harness.nn.measure import measured_macs
            from harness.study.work.matched import parameter_target

            signature = _signature(spec)
            baseline = catalog.load("baseline", spec["method"])
            assert isinstance(baseline, FixedBaseline)
            with seeded(0):
                module = baseline.build(signature, parameter_target(spec["tuned_space"], signature))
            return measured_macs(module.eval(), signature)

        return float(self._once(("network", spec["method"], spec["task"]), measure))

    def _mean(self, spec: Mapping[str, Any]) -> float:
        def drawn() -> float:
            draw = random.Random(0)
            space = self._space(spec)
            return fmean(space.macs(space.sample(draw)) for _ in range(DRAWN))

        return float(self._once(("mean", spec["space"], spec["task"]), drawn))

    def _has_batch_norm(self, spec: Mapping[str, Any]) -> bool:
        def look() -> bool:
            import torch

            from harness.learn.supernet import has_batch_norm

            with torch.device("meta"):
                return has_batch_norm(self._space(spec).networks.supernet())

        return bool(self._once(("norms", spec["space"]), look))

    def _space(self, spec: Mapping[str, Any]) -> SearchSpace:
        from harness.study.work.matched import matched_space

        space: SearchSpace = self._once(
            ("space", spec["space"], spec["task"]), lambda: matched_space(spec, _signature(spec))
        )
        return space

    def _once(self, key: tuple[str, ...], compute: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def _signature(spec: Mapping[str, Any]) -> Signature:
    signature: Signature = catalog.load("task", spec["task"]).signature
    return signature


def _passes(spec: Mapping[str, Any]) -> int:
    """Returns the forward passes of a sample: a document's windows, or a question's possible answers."""
    if "trained_on" in spec:
        owner = spec["domain"].rpartition("/")[0]
        return int(catalog.load("task", owner).signature.classes) if owner else ANSWERS
    signature = _signature(spec)
    return 1 if signature.kind != "bytes" else -(-int(spec["document_bytes"]) // signature.context)


_WORK: dict[str, Callable[[Costs, Unit], float]] = {
    "supernet": Costs.supernet,
    "search": Costs.search,
    "inherited": Costs.search,
    "tune": Costs.final,
    "final": Costs.final,
    "scratch": Costs.final,
    "score": Costs.score,
}
