"""Claims of a baseline: it builds, and says what it is."""

from collections.abc import Iterator

from harness import catalog
from harness.checks.space import signatures
from harness.learn.modality import random_inputs


def baseline_claims(name: str) -> Iterator[tuple[str, bool, str]]:
    from harness.learn.baseline import FixedBaseline, ReadyBaseline, TunedBaseline
    from harness.learn.fit import seeded

    baseline = catalog.load("baseline", name)
    if isinstance(baseline, ReadyBaseline):
        yield "says what it was trained on", bool(baseline.outside), baseline.outside
        return
    if getattr(baseline, "example", ""):
        baseline = baseline.named(baseline.example)
    if isinstance(baseline, TunedBaseline):
        catalog.load("searcher", baseline.searcher)
        yield "names a searcher that exists", True, baseline.searcher
    elif isinstance(baseline, FixedBaseline):
        for signature in signatures(baseline.kinds):
            wanted = 80_000
            with seeded(0):
                module = baseline.build(signature, wanted)
                shape = tuple(module(random_inputs(signature, 2)).shape)
            right = shape[-1] == signature.classes
            yield f"gives logits for {signature.kind}", right, f"shape {shape}"
            if baseline.is_matched:
                networks = [module, *(build(signature, wanted) for build in baseline.depths.values())]
                made = [sum(weight.numel() for weight in one.parameters()) for one in networks]
                close = all(abs(size / wanted - 1) < 0.25 for size in made)
                yield f"meets a parameter target for {signature.kind}", close, ", ".join(map(str, made))
    else:
        yield "is a floor with fit and restore", callable(baseline.fit) and callable(baseline.restore), ""
