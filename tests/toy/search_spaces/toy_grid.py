"""Three digits from 0 to 3 without a network worth the name: small enough to enumerate by hand."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness import Architecture, Choice, HarnessError, SearchSpace, Signature, SpaceFamily

if TYPE_CHECKING:
    from torch import nn


class Grid(SearchSpace):
    def __init__(self, preset: str, signature: Signature, window: tuple[int, int] | None) -> None:
        self.name = f"toy_grid:{preset}"
        self.signature = signature
        self.window = window
        self.choices = tuple(
            Choice(name=f"digit[{index}]", options=(0, 1, 2, 3), meaning="a digit") for index in range(3)
        )

    def default(self) -> Architecture:
        return (1, 1, 1)

    def active(self, architecture: Architecture) -> tuple[bool, ...]:
        return (True, True, True)

    def to_json(self, architecture: Architecture) -> dict[str, Any]:
        return {"digits": list(architecture)}

    def from_json(self, value: Mapping[str, Any]) -> Architecture:
        digits = value.get("digits")
        if set(value) != {"digits"} or not isinstance(digits, list) or len(digits) != 3:
            raise HarnessError(f"{value!r} is not three digits.")
        if not all(digit in (0, 1, 2, 3) for digit in digits):
            raise HarnessError(f"{digits!r} has a digit that is not 0 to 3.")
        return tuple(digits)

    def json_schema(self) -> dict[str, Any]:
        return {"type": "object", "properties": {"digits": {"type": "array", "items": {"type": "integer"}}}}

    def parameters(self, architecture: Architecture) -> int:
        return 10 + sum(architecture)

    def macs(self, architecture: Architecture) -> int:
        return 100 * (1 + architecture[0])

    def build(self, architecture: Architecture) -> "nn.Module":
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(sum(architecture) + 9, 1, bias=True))

    def supernet(self) -> "nn.Module":
        return self.build((3, 3, 3))

    def route(self, architecture: Architecture) -> Any:
        return architecture

    def slice(self, supernet: "nn.Module", architecture: Architecture) -> "nn.Module":
        return self.build(architecture)

    def card(self) -> str:
        return 'Three digits from 0 to 3, {"digits": [0, 1, 2]}'


SPACE = SpaceFamily(
    summary="Three digits.",
    presets={"only": Signature(kind="image", classes=2)},
    bind=Grid,
    default_preset="only",
    kinds=("image",),
)
