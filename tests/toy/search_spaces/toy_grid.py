"""Three digits from 0 to 3 without a network worth the name: small enough to enumerate by hand."""

from typing import Any

from harness import Architecture, ChoiceList, Networks, SearchSpace, Signature, SpaceFamily


class Grid(SearchSpace):
    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        digits = ChoiceList(name="digit", key="digits", options=(0, 1, 2, 3), meaning="a digit", length=3)
        name, default = f"toy_grid:{preset}", {"digits": 1}
        super().__init__(name, signature, window, parts=[digits], default=default, about="Three digits.")

    def parameters(self, architecture: Architecture) -> int:
        return 10 + sum(architecture)

    def macs(self, architecture: Architecture) -> int:
        return 100 * (1 + architecture[0])

    @property
    def networks(self) -> Networks:
        return Networks.by_name(self.name, _layer, (3, 3, 3))


def _layer(architecture: Architecture) -> Any:
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(sum(architecture) + 9, 1))


SPACE = SpaceFamily(
    summary="Three digits.",
    presets={"only": Signature(kind="image", classes=2)},
    bind=Grid,
    default_preset="only",
    kinds=("image",),
)
