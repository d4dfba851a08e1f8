"""Search spaces: declared choices, and the canonical, frozen architectures they span."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, UnknownNameError
from harness.task.signature import Signature

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.nn.slices import Reordering

Architecture = tuple[int, ...]
"""One option index per choice; inactive choices are 0 in the canonical form."""

Option = int | float | str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One decision.

    Attributes:
        name: unique within the space, e.g. `mixers[2]`.
        options: what may be chosen, in order.
        meaning: one line for people and language models.
    """

    name: str
    options: tuple[Option, ...]
    meaning: str


class SearchSpace(ABC):
    """A declared set of decisions, bound to one task signature and one parameter window.

    Subclasses say which choices are active, how an architecture reads as JSON, what it costs and how to
    build it; everything a searcher needs is derived here.

    Attributes:
        name: catalog name and preset, `hybrid:micro`.
        signature: what its models take and give.
        choices: all decisions, in gene order.
        window: inclusive range of allowed parameter counts; None allows all.
    """

    name: str
    signature: Signature
    choices: tuple[Choice, ...]
    window: tuple[int, int] | None = None

    # What a space defines.

    @abstractmethod
    def default(self) -> Architecture:
        """Returns the space's plain reference architecture."""

    @abstractmethod
    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        """Returns, per choice, whether it has any effect in this architecture."""

    @abstractmethod
    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        """Returns the architecture's canonical JSON form."""

    @abstractmethod
    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        """Returns the canonical architecture that `value` describes, legal or not under the window.

        Raises:
            HarnessError: a key, length or option does not belong to the space.
        """

    @abstractmethod
    def json_schema(self) -> dict[str, Any]:
        """Returns the JSON schema of one architecture."""

    @abstractmethod
    def parameters(self, architecture: Architecture) -> int:
        """Returns the trainable parameters, in closed form."""

    @abstractmethod
    def macs(self, architecture: Architecture) -> int:
        """Returns multiply-accumulates of one sample (one image, or one window of bytes), in closed form."""

    @abstractmethod
    def build(self, architecture: Architecture) -> "nn.Module":
        """Returns the stand-alone module; initial values come from torch's current generator."""

    @abstractmethod
    def supernet(self) -> "nn.Module":
        """Returns the weight-sharing module whose `forward(inputs, route)` runs one slice."""

    @abstractmethod
    def route(self, architecture: Architecture) -> Any:
        """Returns the argument that makes the supernet's `forward` run this architecture's slice."""

    @abstractmethod
    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        """Returns `build(architecture)` with the slice's weights copied from `supernet`."""

    @abstractmethod
    def card(self) -> str:
        """Returns the text that explains the space, its JSON form and one example to a language model."""

    # What every space then has.

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        """Returns the one representative of all gene vectors that mean the same network."""
        genes = tuple(architecture)
        return tuple(gene if used else 0 for gene, used in zip(genes, self.active(genes), strict=True))

    def legal(self, architecture: Architecture) -> bool:
        """Returns whether every gene is in range, the form canonical and the parameters in the window."""
        if len(architecture) != len(self.choices):
            return False
        if not all(
            0 <= gene < len(choice.options) for gene, choice in zip(architecture, self.choices, strict=True)
        ):
            return False
        return self.canonical(architecture) == architecture and self.in_window(architecture)

    def in_window(self, architecture: Architecture) -> bool:
        """Returns whether the parameters are inside the window."""
        if self.window is None:
            return True
        return self.window[0] <= self.parameters(architecture) <= self.window[1]

    def size(self) -> int:
        """Returns how many canonical architectures there are, the window ignored.

        The base method enumerates; a space with a closed form overrides it.
        """
        return sum(1 for _ in self.enumerate())

    def enumerate(self) -> Iterator[Architecture]:
        """Yields every canonical architecture, the window ignored, in gene order."""
        seen: set[Architecture] = set()

        def extend(prefix: Architecture) -> Iterator[Architecture]:
            if len(prefix) == len(self.choices):
                if self.canonical(prefix) == prefix and prefix not in seen:
                    seen.add(prefix)
                    yield prefix
                return
            padded = prefix + (0,) * (len(self.choices) - len(prefix))
            options = len(self.choices[len(prefix)].options) if self.active(padded)[len(prefix)] else 1
            for gene in range(options):
                yield from extend((*prefix, gene))

        yield from extend(())

    def complete(
        self, fixed: Mapping[int, int], draw: random.Random, *, tries: int = 2000
    ) -> Architecture | None:
        """Returns a random legal architecture with the genes `fixed`, index -> gene; None after `tries`."""
        sizes = [len(choice.options) for choice in self.choices]
        for _ in range(tries):
            drawn = [fixed.get(index, draw.randrange(size)) for index, size in enumerate(sizes)]
            genes = self.canonical(drawn)
            if all(genes[index] == gene for index, gene in fixed.items()) and self.in_window(genes):
                return genes
        return None

    def sample(self, draw: random.Random) -> Architecture:
        """Returns a random legal architecture: genes uniform, then made canonical.

        Raises:
            HarnessError: no legal architecture was found.
        """
        found = self.complete({}, draw, tries=200_000)
        if found is None:
            raise HarnessError(
                f"Space {self.name} has no architecture with {self.window} parameters; widen the tolerance."
            )
        return found

    def neighbours(self, architecture: Architecture) -> list[Architecture]:
        """Returns the legal architectures that differ in one choice, or, for a space with a window, in two.

        A parameter window forbids most single changes, so pairs that stay inside are neighbours too; the
        list is in gene order, without duplicates and without the architecture itself.
        """
        singles = self._changes(architecture)
        found = {genes: None for genes in singles if self.in_window(genes)}
        if self.window is not None:
            for genes in singles:
                if self.in_window(genes):
                    continue
                found.update((pair, None) for pair in self._changes(genes) if self.in_window(pair))
        found.pop(architecture, None)
        return list(found)

    def _changes(self, architecture: Architecture) -> list[Architecture]:
        used = self.active(architecture)
        changed = []
        for index, choice in enumerate(self.choices):
            if not used[index]:
                continue
            for gene in range(len(choice.options)):
                if gene != architecture[index]:
                    genes = (*architecture[:index], gene, *architecture[index + 1 :])
                    changed.append(self.canonical(genes))
        return changed

    def costs(self, architecture: Architecture) -> tuple[int | None, int | None]:
        """Returns parameters and multiply-accumulates; None where nobody knows, as in some tables' spaces."""
        return self.parameters(architecture), self.macs(architecture)

    def extreme(self, *, largest: bool) -> Architecture:
        """Returns the legal architecture that climbing one choice at a time finds to have most parameters.

        With `largest=False` the fewest. Exact where parameters grow with every choice alone.
        """
        sign = 1 if largest else -1
        best = self.default()
        while True:
            near = self.neighbours(best)
            better = max(near, key=lambda one: (sign * self.parameters(one), one), default=best)
            if sign * self.parameters(better) <= sign * self.parameters(best):
                return best
            best = better

    def stages(self) -> list[tuple[int, ...]]:
        """Returns the choices, by index, that progressive shrinking makes elastic one group after another.

        The base method groups choices by the name before the index, in gene order.
        """
        groups: dict[str, list[int]] = {}
        for index, choice in enumerate(self.choices):
            groups.setdefault(choice.name.partition("[")[0], []).append(index)
        return [tuple(group) for group in groups.values()]

    def rearrange(self, supernet: "nn.Module") -> "list[Reordering]":
        """Orders shared weights by importance before widths shrink, and returns what it did.

        The function of the largest network must not change.
        """
        return []

    def load_released(self, supernet: "nn.Module", weights: "Mapping[str, Tensor]") -> str:
        """Copies weights that its authors released into a supernet, and returns their format's name.

        Raises:
            HarnessError: they are not those of this supernet, or no released ones of this space are known.
        """
        raise HarnessError(f"No released checkpoint of {self.name} is known; see mobilenet or autoformer.")

    def mutate(self, architecture: Architecture, draw: random.Random, rate: float) -> Architecture:
        """Returns a legal mutant: each gene redrawn with probability `rate`, tried until legal."""
        for _ in range(2000):
            genes = self.canonical(
                [
                    draw.randrange(len(choice.options)) if draw.random() < rate else gene
                    for gene, choice in zip(architecture, self.choices, strict=True)
                ]
            )
            if self.in_window(genes):
                return genes
        return architecture

    def crossover(self, first: Architecture, second: Architecture, draw: random.Random) -> Architecture:
        """Returns a legal child with each gene from one parent, or `first` when none was found."""
        for _ in range(2000):
            genes = self.canonical([draw.choice(pair) for pair in zip(first, second, strict=True)])
            if self.in_window(genes):
                return genes
        return first

    def describe(self, architecture: Architecture) -> dict[str, Option]:
        """Returns choice name -> chosen option, active choices only."""
        used = self.active(architecture)
        return {
            choice.name: choice.options[gene]
            for choice, gene, active in zip(self.choices, architecture, used, strict=True)
            if active
        }


class WrappedSpace(SearchSpace):
    """Another space seen otherwise: all that a subclass does not change is that space's own.

    Attributes:
        space: the other space, whose architectures are the same gene tuples.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self.name = space.name
        self.signature = space.signature
        self.choices = space.choices
        self.window = space.window

    def default(self) -> Architecture:
        return self.space.default()

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return self.space.active(architecture)

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        return self.space.canonical(architecture)

    def in_window(self, architecture: Architecture) -> bool:
        return self.space.in_window(architecture)

    def size(self) -> int:
        return self.space.size()

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return self.space.to_json(architecture)

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        return self.space.from_json(value)

    def json_schema(self) -> dict[str, Any]:
        return self.space.json_schema()

    def parameters(self, architecture: Architecture) -> int:
        return self.space.parameters(architecture)

    def macs(self, architecture: Architecture) -> int:
        return self.space.macs(architecture)

    def costs(self, architecture: Architecture) -> tuple[int | None, int | None]:
        return self.space.costs(architecture)

    def build(self, architecture: Architecture) -> "nn.Module":
        return self.space.build(architecture)

    def supernet(self) -> "nn.Module":
        return self.space.supernet()

    def route(self, architecture: Architecture) -> Any:
        return self.space.route(architecture)

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        return self.space.slice(supernet, architecture)

    def card(self) -> str:
        return self.space.card()


@dataclass(frozen=True, kw_only=True)
class SpaceFamily:
    """A catalog entry: a search space before its preset and its task are known.

    Attributes:
        summary: one line.
        presets: preset name -> signature that it has when no task gives one.
        bind: makes the space from preset, signature and parameter window.
        default_preset: what `SPACE` without `:PRESET` means.
        kinds: signatures that it can read.
    """

    summary: str
    presets: Mapping[str, Signature]
    bind: Callable[[str, Signature, tuple[int, int] | None], SearchSpace]
    default_preset: str
    kinds: tuple[str, ...] = ("image", "bytes")

    def space(
        self,
        preset: str | None = None,
        signature: Signature | None = None,
        window: tuple[int, int] | None = None,
    ) -> SearchSpace:
        """Returns the space of `preset` for `signature`.

        Raises:
            UnknownNameError: there is no such preset.
            HarnessError: the space cannot read what the signature gives.
        """
        chosen = preset or self.default_preset
        if chosen not in self.presets:
            raise UnknownNameError("preset", chosen, self.presets)
        bound = signature or self.presets[chosen]
        if bound.kind not in self.kinds:
            raise HarnessError(
                f"This space reads {' or '.join(self.kinds)}, the task gives {bound.kind}; choose another."
            )
        return self.bind(chosen, bound, window)

    def matched(
        self, preset: str, signature: Signature, tolerance: float | None, *, centre: int | None = None
    ) -> SearchSpace:
        """Returns the space with parameters within `tolerance` (a share) of `centre`.

        The centre is the number of parameters of the space's own default where none is given.
        """
        space = self.space(preset, signature)
        if tolerance is None:
            return space
        centre = space.parameters(space.default()) if centre is None else centre
        window = (round(centre * (1 - tolerance)), round(centre * (1 + tolerance)))
        return self.space(preset, signature, window)
