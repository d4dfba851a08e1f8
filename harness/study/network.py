"""The final network of a row: what a study hands over, so that it can leave its run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import catalog
from harness.board.table import Table
from harness.identity.schema import Schema
from harness.learn.baseline import FixedBaseline
from harness.study.work.matched import load_family
from harness.task.signature import Signature

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class Blueprint(Schema):
    """What the catalog builds a network from.

    Attributes:
        task: that it was trained on.
        signature: what it reads and answers.
        method: searcher or baseline.
        space: `SPACE:PRESET` that it is of; None for a baseline's own network.
        architecture: its JSON form, or arguments of the baseline's `build`; None for the plain one.
        near: parameters that the baseline's network is as near to as it can be; 0 where it has its own size.
    """

    task: str
    signature: Signature
    method: str
    space: str | None
    architecture: Mapping[str, Any] | None
    near: int

    def build(self) -> "nn.Module":
        """Returns the network; initial values come from torch's current generator."""
        if self.space is not None:
            family, preset = load_family(self.space)
            space = family.space(preset, self.signature)
            return space.networks.build(space.from_json(self.architecture or {}))
        baseline: FixedBaseline = catalog.load("baseline", self.method)
        return baseline.build(self.signature, self.near, **(self.architecture or {}))


@dataclass(frozen=True, kw_only=True)
class NetworkFacts(Schema):
    """What of a network goes with its weights.

    Attributes:
        row: its name in the run.
        suite: name of the suite.
        blueprint: what builds it.
        classes: names of the classes, in the order of its outputs; none of bytes.
        vocabulary: how many tokens its inputs are made of; 0 where they are real numbers.
        sources: domains that it was trained on.
        parameters: of the network.
        macs: of one sample.
        recipe: of its training, but for what follows.
        learning_rate: that was chosen; None of a head on frozen features.
        steps: of training.
        batch_size: of training; None of a head on frozen features.
        search_seed: of what chose its architecture.
        training_seed: of its first weights and its batches.
        outside: what else than the sources it was trained on; None where nothing was.
        engine: version of the harness.
        code: what made it -> digest, as the record has it.
        record: sha256 of the record that says so.
        weights: sha256 of the weights in the run's folder.
    """

    row: str
    suite: str
    blueprint: Blueprint
    classes: tuple[str, ...]
    vocabulary: int
    sources: tuple[str, ...]
    parameters: int
    macs: int
    recipe: Mapping[str, Any]
    learning_rate: float | None
    steps: int
    batch_size: int | None
    search_seed: int
    training_seed: int
    outside: str | None
    engine: str
    code: Mapping[str, str]
    record: str
    weights: str


class CardPart(NamedTuple):
    """A part of a model card: its heading, its paragraphs or items, and its tables, as plain texts."""

    heading: str
    texts: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    is_list: bool = False


class RowNetwork(NamedTuple):
    """A network: its facts, its weights as the run kept them (safetensors), title and parts of its card."""

    facts: NetworkFacts
    weights: bytes
    title: str
    card: tuple[CardPart, ...]
