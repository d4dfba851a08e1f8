"""Claims of a search space: counts, forms, slices and seeds."""

import random
from collections.abc import Iterator, Sequence
from functools import partial

from harness import catalog
from harness.checks.model import network_claims
from harness.learn.modality import modality_of, random_inputs
from harness.space.choices import SpaceFamily
from harness.task.signature import Signature

SIGNATURES = (
    Signature(kind="image", classes=10),
    Signature(kind="bytes", classes=256),
)


def signatures(kinds: Sequence[str]) -> list[Signature]:
    """Returns an example of each kind of input."""
    return [Signature(kind=kind, classes=modality_of(kind).classes or 10) for kind in kinds]


def space_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    import torch

    from harness.learn.fit import seeded

    family: SpaceFamily = catalog.load("space", name)
    small = [preset for preset in family.presets if preset.startswith("micro")]
    for preset in small or family.presets:
        for signature in signatures(family.kinds):
            space = family.space(preset, signature)
            where = f"{space.name} on {signature.kind}"
            draw = random.Random(0)
            chosen = [space.default(), *(space.sample(draw) for _ in range(5))]
            legal = all(space.legal(one) for one in chosen)
            yield f"{where} samples legal architectures", legal, f"{len(chosen)} drawn"
            window = family.matched(preset, signature, 0.05)
            fits = window.legal(window.sample(random.Random(0)))
            yield f"{where} samples within a parameter window", fits, f"{window.window}"
            back = all(space.from_json(space.to_json(one)) == one for one in chosen)
            yield f"{where} reads back its JSON", back, "to_json, then from_json"
            near = space.neighbours(chosen[0])
            fine = bool(near) and all(space.legal(one) for one in near)
            yield f"{where} has legal neighbours", fine, f"{len(near)} of the default"
            if space.is_counted:
                network = partial(space.networks.build, space.default())
                for claim, holds, told in network_claims(network, signature):
                    yield f"{where}, default: {claim}", holds, told
            if reason := space.unshared:
                yield f"{where} has candidates that train alone, by strategy alone", True, reason
                continue
            with seeded(0), torch.inference_mode():
                supernet = space.networks.supernet()
                inputs = random_inputs(signature, 2)
                worst, exact = 0.0, True
                for one in chosen:
                    alone, built = space.networks.slice(supernet, one), space.networks.build(one)
                    shared = supernet(inputs, space.networks.route(one))
                    worst = max(worst, float((alone(inputs) - shared).abs().max()))
                    exact &= sum(weight.numel() for weight in built.parameters()) == space.parameters(one)
            yield f"{where} counts its parameters", exact, "closed form equals the built module"
            told = f"largest difference {worst:.1e}"
            yield f"{where} slices equal stand-alone modules", worst <= 1e-5, told
