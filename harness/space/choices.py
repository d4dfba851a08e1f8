"""Search spaces: what a searcher asks of a declaration, and the catalog entry that binds one to a task."""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, mul
from typing import Any

from harness.errors import HarnessError, UnknownNameError
from harness.files import canonical_json
from harness.space.form import Architecture, Choice, ChoiceList, Form, Option
from harness.space.networks import Networks
from harness.task.signature import Signature


class SearchSpace(ABC):
    """Declared choices, bound to one task signature and one parameter window.

    A subclass declares its parts, counts parameters and MACs, and may have networks; all that a searcher
    needs follows from the declaration.

    Attributes:
        name: catalog name and preset, `hybrid:micro`.
        signature: what its models take and give.
        choices: all decisions, in gene order.
        window: inclusive range of allowed parameter counts; None allows all.
        about: what the networks are, for people and language models.
        is_counted: whether costs are counted by tracing a network, and not in closed form.
    """

    is_counted = False
    name: str
    signature: Signature
    choices: tuple[Choice, ...]
    window: tuple[int, int] | None
    about: str

    def __init__(
        self,
        name: str,
        signature: Signature,
        window: tuple[int, int] | None,
        *,
        parts: Sequence[Choice | ChoiceList],
        default: Mapping[str, Any],
        about: str,
        example: Mapping[str, Any] | None = None,
    ) -> None:
        """Declares the space; `example` is what the card shows where the default would give too much away.

        Both are JSON forms, in which one value may stand for all items of a list.
        """
        self.name = name
        self.signature = signature
        self.window = window
        self.about = about
        self.form = Form(name, parts)
        self.choices = self.form.choices
        self._default = self.form.genes(self.form.spread(default))
        self._example = self.form.genes(self.form.spread(example or default))

    # What a space defines.

    @abstractmethod
    def parameters(self, architecture: Architecture) -> int:
        """Returns the trainable parameters, in closed form unless `is_counted`."""

    @abstractmethod
    def macs(self, architecture: Architecture) -> int:
        """Returns multiply-accumulates of one sample (one image, or one window of bytes), likewise."""

    def on_paths(self, architecture: Architecture) -> tuple[int, int]:
        """Returns (parameters, MACs) of what leads from input to output, where a space may hold more."""
        return self.parameters(architecture), self.macs(architecture)

    @property
    def networks(self) -> Networks:
        """The torch modules of the space."""
        raise HarnessError(f"Space {self.name} is known by its table alone; it has no networks to build.")

    @property
    def unshared(self) -> str:
        """Why architectures are no slices of one supernet; empty where they are."""
        return ""

    def from_text(self, text: str) -> Mapping[str, Any]:
        """Returns the JSON form that a text of the literature means."""
        raise HarnessError(f"Space {self.name} has no texts of its own; give another encoding.")

    # What follows from the declaration.

    def default(self) -> Architecture:
        """Returns the space's plain reference architecture."""
        return self._default

    def last_options(self) -> Architecture:
        """Returns the architecture of the last option of every choice, the largest where options ascend."""
        return self.canonical([len(choice.options) - 1 for choice in self.choices])

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        """Returns, per choice, whether it has any effect in this architecture.

        A space where more than lengths leaves choices idle overrides this, and `size` with it.
        """
        return self.form.active(architecture)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        """Returns the architecture's canonical JSON form."""
        return self.form.values(architecture)

    def from_json(self, value: Mapping[str, Any] | str) -> Architecture:
        """Returns the canonical architecture that a form or a text means, legal or not under the window.

        Raises:
            HarnessError: a key, length or option does not belong to the space.
        """
        form = self.from_text(value) if isinstance(value, str) else value
        return self.canonical(self.form.genes(form))

    def json_schema(self) -> dict[str, Any]:
        """Returns the JSON schema of one architecture."""
        return self.form.schema()

    def size(self) -> int:
        """Returns how many canonical architectures there are, the window ignored."""
        return self.form.size()

    def card(self) -> str:
        """Returns the text that explains the space, its JSON form and one example to a language model."""
        window = f"Only {self.window[0]} to {self.window[1]} parameters are allowed.\n" if self.window else ""
        example = canonical_json(self.to_json(self._example))
        return f"{self.about}\n{self.form.text()}\n{window}JSON form, by an example: {example}"

    def stages(self) -> list[tuple[int, ...]]:
        """Returns the choices, by index, that progressive shrinking makes elastic one group after another."""
        return self.form.groups()

    # What a searcher does with it.

    def canonical(self, architecture: Sequence[int]) -> Architecture:
        """Returns the one representative of all gene vectors that mean the same network."""
        genes = tuple(architecture)
        used = self.active(genes)
        return genes if used is self.form.everything else tuple(map(mul, genes, used))

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

    def enumerate(self) -> Iterator[Architecture]:
        """Yields every canonical architecture, the window ignored, in gene order."""

        def extend(prefix: Architecture) -> Iterator[Architecture]:
            if len(prefix) == len(self.choices):
                yield prefix
                return
            padded = prefix + (0,) * (len(self.choices) - len(prefix))
            options = len(self.choices[len(prefix)].options) if self.active(padded)[len(prefix)] else 1
            for gene in range(options):
                yield from extend((*prefix, gene))

        yield from (genes for genes in extend(()) if self.canonical(genes) == genes)

    def complete(
        self, fixed: Mapping[int, int], draw: random.Random, *, tries: int = 2000
    ) -> Architecture | None:
        """Returns a random legal architecture with the genes `fixed`, index -> gene; None after `tries`."""
        sizes = [len(choice.options) for choice in self.choices]
        for _ in range(tries):
            drawn = [draw.randrange(size) for size in sizes]
            for index, gene in fixed.items():
                drawn[index] = gene
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
        singles = self.changes(architecture)
        found = {genes: None for genes in singles if self.in_window(genes)}
        if self.window is not None:
            for genes in (one for one in singles if one not in found):
                found.update((pair, None) for pair in self.changes(genes) if self.in_window(pair))
        found.pop(architecture, None)
        return list(found)

    def changes(self, architecture: Architecture) -> list[Architecture]:
        """Returns what differs in one active choice, legal or not, in gene order; perhaps with repeats."""
        used = self.active(architecture)
        changed = []
        for index, choice in enumerate(self.choices):
            if not used[index]:
                continue
            for gene in range(len(choice.options)):
                if gene != architecture[index]:
                    genes = (*architecture[:index], gene, *architecture[index + 1 :])
                    changed.append(genes if used is self.form.everything else self.canonical(genes))
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

    def describe(self, architecture: Architecture) -> dict[str, Option]:
        """Returns choice name -> chosen option, active choices only."""
        used = self.active(architecture)
        return {
            choice.name: choice.options[gene]
            for choice, gene, active in zip(self.choices, architecture, used, strict=True)
            if active
        }


def _passed_on(method: str) -> Any:
    """Returns a method of `WrappedSpace` that has the other space answer."""
    return lambda self, *given: getattr(self.space, method)(*given)


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
        self.about = space.about
        self.form = space.form

    networks: Any = property(attrgetter("space.networks"))
    is_counted: Any = property(attrgetter("space.is_counted"))
    unshared: Any = property(attrgetter("space.unshared"))
    default, active, in_window, size = map(_passed_on, ("default", "active", "in_window", "size"))
    to_json, from_json, json_schema = map(_passed_on, ("to_json", "from_json", "json_schema"))
    parameters, macs, costs, on_paths = map(_passed_on, ("parameters", "macs", "costs", "on_paths"))


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
