"""Spaces that are no more than choices and a function that builds a torch module of them."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness import catalog
from harness.errors import HarnessError
from harness.guard.text import reason_of
from harness.space.choices import SearchSpace, SpaceFamily
from harness.space.form import Architecture, Choice, Option
from harness.space.networks import Networks
from harness.task.signature import Signature

if TYPE_CHECKING:
    from torch import nn

PRESET = "plain"
LOOKED_AT = 16
"""Random architectures, beside all changes of one choice, whose tensors are compared with the largest's."""


def built_space(
    name: str,
    build: "Callable[..., nn.Module]",
    choices: Mapping[str, Sequence[Option]],
    *,
    summary: str = "",
    default: Mapping[str, Option] | None = None,
    kinds: Sequence[str] = ("image",),
) -> SpaceFamily:
    """Returns a catalog entry of choices and of what builds a network of them.

    Parameters and multiply-accumulates are counted by tracing the network, so counting is slower than in
    closed form. Architectures are slices of a supernet where every tensor of a network is a leading part of
    the tensor of that name in the network of the last options; otherwise candidates are trained alone.

    Args:
        name: of the space; `__name__` in its file.
        build: called with the signature of a task and one keyword for each choice; returns the module, whose
            initial values come from torch's generator.
        choices: choice -> its options, sizes in ascending order.
        summary: one line; the first of the function's docstring where it is empty.
        default: option of every choice in the reference architecture; the first ones where there is none.
        kinds: of input that the networks read.
    """
    stem = name.rpartition(".")[2]
    told = summary or (build.__doc__ or f"Networks of {', '.join(choices)}.").strip().partition("\n")[0]
    modality = catalog.load("modality", kinds[0])

    def bind(preset: str, signature: Signature, window: tuple[int, int] | None) -> SearchSpace:
        return BuiltSpace(f"{stem}:{preset}", signature, window, build, choices, default or {}, told)

    return SpaceFamily(
        summary=told,
        presets={PRESET: Signature(kind=kinds[0], classes=modality.classes or 10)},
        bind=bind,
        default_preset=PRESET,
        kinds=tuple(kinds),
    )


class BuiltSpace(SearchSpace):
    """Choices, every one always active, whose networks one function builds."""

    is_counted = True

    def __init__(
        self,
        name: str,
        signature: Signature,
        window: tuple[int, int] | None,
        build: "Callable[..., nn.Module]",
        choices: Mapping[str, Sequence[Option]],
        default: Mapping[str, Option],
        about: str,
    ) -> None:
        """Declares the choices; `default` may leave some out, which then have their first option."""
        super().__init__(
            name,
            signature,
            window,
            parts=[
                Choice(name=key, options=tuple(options), meaning=key.replace("_", " "))
                for key, options in choices.items()
            ],
            default={key: options[0] for key, options in choices.items() if options} | dict(default),
            about=about,
        )
        self._build = build
        self._counted: dict[Architecture, tuple[int, int]] = {}

    def parameters(self, architecture: Architecture) -> int:
        return self._costs(architecture)[0]

    def macs(self, architecture: Architecture) -> int:
        return self._costs(architecture)[1]

    @property
    def networks(self) -> Networks:
        return Networks.by_name(self.name, self._network, self.last_options())

    @property
    def unshared(self) -> str:
        largest = self._shapes(self.last_options())
        draw = random.Random(0)
        drawn = [
            tuple(draw.randrange(len(choice.options)) for choice in self.choices) for _ in range(LOOKED_AT)
        ]
        for one in (self.default(), *self.changes(self.last_options()), *drawn):
            for key, shape in self._shapes(one).items():
                whole = largest.get(key)
                if whole is None or len(whole) != len(shape) or any(map(int.__gt__, shape, whole)):
                    has = f"has {key!r} of shape {shape}"
                    there = "none" if whole is None else f"one of shape {whole}"
                    return f"{self.to_json(one)} {has}, and the network of the last options {there}"
        return ""

    def _network(self, architecture: Architecture) -> "nn.Module":
        """Returns the module; what the function of others raises is told with what it was called with."""
        from torch import nn

        chosen = self.to_json(architecture)
        try:
            module = self._build(self.signature, **chosen)
        except Exception as error:
            told = f"{type(error).__name__}: {reason_of(error)}"
            raise HarnessError(f"{self.name} cannot build {chosen} for {self.signature}: {told}.") from error
        if not isinstance(module, nn.Module):
            raise HarnessError(f"{self.name} builds a {type(module).__name__} and no torch.nn.Module.")
        return module

    def _shapes(self, architecture: Architecture) -> dict[str, tuple[int, ...]]:
        import torch

        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            module = self._network(architecture)
        return {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}

    def _costs(self, architecture: Architecture) -> tuple[int, int]:
        """Returns parameters and multiply-accumulates, counted once, on tensors without values."""
        if architecture not in self._counted:
            import torch

            from harness.nn.measure import measured_macs

            with torch.random.fork_rng(devices=[]), torch.device("meta"):
                module = self._network(architecture).eval()
                try:
                    macs = measured_macs(module, self.signature)
                except Exception as error:
                    told = f"{type(error).__name__}: {reason_of(error)}"
                    raise HarnessError(
                        f"{self.name} cannot run {self.to_json(architecture)} on tensors without values, by "
                        f"which it is counted: {told}."
                    ) from error
            parameters = sum(weight.numel() for weight in module.parameters())
            self._counted[architecture] = (parameters, macs)
        return self._counted[architecture]
