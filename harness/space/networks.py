"""The torch modules of a space, beside its declaration: counting and searching need none of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.space.form import Architecture

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.nn.slices import Reordering


@dataclass(frozen=True, kw_only=True)
class Networks:
    """How a space's architectures are built alone and as slices of one weight-sharing supernet.

    Attributes:
        name: of the space, for messages.
        route: architecture -> the argument that makes the supernet's `forward` run its slice.
        alone: route -> stand-alone module; initial values come from torch's current generator.
        supernet: the weight-sharing module, whose `forward(inputs, route)` runs one slice.
        given: supernet, stand-alone module and route -> tensors of that module, by name, that are not the
            leading part of the supernet's tensor of the same name.
        rearrange: orders a supernet's shared weights by importance before widths shrink, without changing the
            function of the largest network, and returns what it did.
        load: copies weights that its authors released into a supernet; with the name of their format.
    """

    name: str
    route: Callable[[Architecture], Any]
    alone: Callable[[Any], "nn.Module"]
    supernet: Callable[[], "nn.Module"]
    given: "Callable[[Any, nn.Module, Any], Mapping[str, Tensor]]" = lambda *_: {}
    rearrange: "Callable[[Any], list[Reordering]]" = lambda _: []
    load: "tuple[str, Callable[[Any, Mapping[str, Tensor]], None]] | None" = None

    @classmethod
    def by_name(
        cls, name: str, build: "Callable[[Architecture], nn.Module]", largest: Architecture
    ) -> "Networks":
        """Returns networks whose tensors are the leading parts of the largest network's of the same name."""

        def supernet() -> "nn.Module":
            from harness.nn.slices import SharedByName

            return SharedByName(build, largest)

        return cls(
            name=name,
            route=lambda architecture: architecture,
            alone=build,
            supernet=supernet,
            given=lambda supernet, *_: supernet.whole.state_dict(),
        )

    def build(self, architecture: Architecture) -> "nn.Module":
        """Returns the stand-alone module; initial values come from torch's current generator."""
        return self.alone(self.route(architecture))

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        """Returns `build(architecture)` with the slice's weights copied from `supernet`."""
        from harness.nn.slices import copy_leading

        route = self.route(architecture)
        alone = self.alone(route)
        try:
            return copy_leading(alone, supernet, self.given(supernet, alone, route))
        except (KeyError, AttributeError) as error:
            raise TypeError(f"{type(supernet).__name__} is not a supernet of {self.name}") from error

    def load_released(self, supernet: "nn.Module", weights: "Mapping[str, Tensor]") -> str:
        """Copies weights that its authors released into a supernet, and returns their format's name.

        Raises:
            HarnessError: they are not those of this supernet, or no released ones of this space are known.
        """
        if self.load is None:
            raise HarnessError(
                f"No released checkpoint of {self.name} is known; see mobilenet or autoformer."
            )
        name, load = self.load
        load(supernet, weights)
        return name
