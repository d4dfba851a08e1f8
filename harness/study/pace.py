"""How long the units of a plan take here: their counts times what a few steps of their networks take.

A network that stands for those of a space is trained for some steps, and scores a batch, on inputs that are
drawn here; what was measured is remembered for this kind of machine. Beyond that a unit is taken to cost its
share of starting up and reading data, and a search the calls of its language model.
"""

import random
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any, Final

from harness import catalog
from harness.data.corruptions import domain_of
from harness.data.overview import prepared_card
from harness.files import canonical_json
from harness.identity.memory import recalled
from harness.identity.unit import AnyUnit
from harness.learn.modality import random_inputs
from harness.run.provenance import kind_of, provenance
from harness.space.choices import SearchSpace
from harness.study.cost import Costs, Network
from harness.study.work.spent import DRAWN
from harness.study.work.units import PREPARE, PrepareSpec, SearchingSpec, SourcesSpec
from harness.task.signature import Signature
from harness.task.task import Task

if TYPE_CHECKING:
    from torch import nn

OVERHEAD: Final = 0.05
"""CPU seconds of a unit beside its network: its process's share, its data, its files."""
ANSWER: Final = 0.6
"""CPU seconds of the embedded model for each evaluation of a search."""
COMMAND: Final = 4.0
"""CPU seconds of the command itself: its plan, its board and its report."""
STARTED: Final = 3.0
"""CPU seconds of a process that starts and imports torch."""
LARGEST: Final = 3e9
"""Multiply-accumulates of a training step above which nothing is measured here."""
USUAL: Final = 4e-11
"""CPU seconds of one multiply-accumulate where nothing is measured: a large product on one thread."""
SECONDS: Final = 0.02
"""CPU seconds that a measurement takes, at least."""


class Paced(Costs):
    """Estimates in CPU seconds of one thread of this machine."""

    def __init__(self, units: Iterable[AnyUnit], *, data: Path, is_measuring: bool = True) -> None:
        """Takes the units of a plan.

        Args:
            units: all of them.
            data: the data cache; a domain that lies there is not prepared again.
            is_measuring: whether networks are tried; else what nobody measured before is taken as usual.
        """
        super().__init__(units)
        self._data = data
        self._is_measuring = is_measuring

    def rate(self, network: Network, spec: SourcesSpec, batch_size: int, method: str = "") -> float:
        """Returns the CPU seconds of one multiply-accumulate of a network of a unit; as `Costs.rate`."""
        method = "" if spec.space else method
        told = (network, str(spec.space), spec.task, str(spec.context), method, str(batch_size))
        return float(self._once(("pace", *told), partial(self._pace, network, spec, batch_size, method)))

    def seconds(self, unit: AnyUnit) -> float:
        """Returns the CPU seconds that a unit takes."""
        counted = self.estimate(unit)
        found = counted + OVERHEAD if counted else unit.kind.seconds
        spec = unit.spec
        if unit.kind == PREPARE and isinstance(spec, PrepareSpec) and self._is_prepared(spec):
            return OVERHEAD
        if isinstance(spec, SearchingSpec) and spec.llm is not None and not spec.llm.base_url:
            found += ANSWER * spec.evaluations
        return found

    def started(self, workers: int) -> float:
        """Returns the CPU seconds of what runs beside units, with so many processes."""
        is_trained = any(unit.kind.cost for unit in self.units.values())
        return COMMAND + STARTED * min(workers, len(self.units)) * is_trained

    def _pace(self, network: Network, spec: SourcesSpec, batch_size: int, method: str) -> float:
        macs = self.mean(spec) if spec.space else self.alone(method, spec)
        if macs * batch_size > LARGEST:
            return USUAL
        machine = canonical_json(kind_of(provenance("cpu", 1)))

        def measure() -> float:
            module, routes, macs = self._network(network, spec, method)
            act = _training if network.endswith("trained") else _scoring
            passes = 3 if network.endswith("trained") else 1
            each = _each(act(module, routes, spec.seen.signature, batch_size))
            return each / (passes * macs * batch_size)

        return float(
            self.looked_at([*self._content(spec, method), network, batch_size, machine], measure, USUAL)
        )

    def looked_at(self, key: Any, look: Callable[[], Any], otherwise: Any) -> Any:
        return super().looked_at(key, look, otherwise) if self._is_measuring else recalled(key, otherwise)

    def _is_prepared(self, spec: PrepareSpec) -> bool:
        task: Task = catalog.load("task", spec.task)
        card, _ = prepared_card(spec.task, domain_of(task, spec.domain), self._data)
        return card is not None

    def _network(
        self, network: Network, spec: SourcesSpec, method: str
    ) -> "tuple[nn.Module, list[Any], float]":
        """Returns a module, the arguments that make it run its slices, and the cost of one pass of them."""
        if not spec.space:
            return self.built(method, spec), [], self.alone(method, spec)
        space = self.space(spec)
        usual = _usual(space)
        if network.startswith("alone"):
            return space.networks.build(usual), [], space.macs(usual)
        return space.networks.supernet(), [space.networks.route(usual)], space.macs(usual)


def _usual(space: SearchSpace) -> Any:
    """Returns the one of a few random architectures whose cost is nearest to their mean."""
    draw = random.Random(0)
    drawn = [space.sample(draw) for _ in range(DRAWN)]
    costs = [space.macs(one) for one in drawn]
    mean = sum(costs) / len(costs)
    return min(drawn, key=lambda one: abs(space.macs(one) - mean))


def _training(
    module: "nn.Module", routes: list[Any], signature: Signature, batch_size: int
) -> Callable[[int], None]:
    """Returns what trains a module for so many steps, by the real loop, on one batch that is drawn here."""
    import torch

    from harness.learn.fit import Recipe, cross_entropy, fit

    inputs = random_inputs(signature, batch_size)
    with torch.inference_mode():
        shape = module(inputs[:2], *routes).shape
    targets = torch.zeros(batch_size, *shape[1:-1], dtype=torch.int64)

    def train(steps: int) -> None:
        recipe = Recipe(steps=steps, batch_size=batch_size, learning_rate=1e-4)
        data = iter([(inputs, targets)] * steps)
        fit(module, recipe, data, lambda batch, _: cross_entropy(module(batch[0], *routes), batch[1]))

    return train


def _scoring(
    module: "nn.Module", routes: list[Any], signature: Signature, batch_size: int
) -> Callable[[int], None]:
    """Returns what runs a module on so many batches that are drawn here."""
    import torch

    inputs = random_inputs(signature, batch_size)

    def score(times: int) -> None:
        with torch.inference_mode():
            for _ in range(times):
                module(inputs, *routes)

    return score


def _each(act: Callable[[int], None]) -> float:
    """Returns the CPU seconds of doing something once, the least of a few measurements."""
    act(1)  # makes what later ones reuse
    times, found = 1, 0.0
    while found < SECONDS:
        times *= 2
        taken = []
        for _ in range(3):
            before = process_time()
            act(times)
            taken.append(process_time() - before)
        found = min(taken)
    return found / times
