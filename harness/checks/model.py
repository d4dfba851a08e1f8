"""Claims of a model of one's own on a task: what must hold before it is trained, scored and ranked."""

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.checks.finding import Finding
from harness.errors import HarnessError
from harness.guard.text import reason_of
from harness.learn.baseline import FixedBaseline, Opening, ReadyBaseline, TextClassifier, with_family
from harness.learn.modality import modality_of, random_inputs
from harness.task.signature import Signature

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

Claims = Iterator[tuple[str, bool, str]]

SAMPLES = 4
MATCHED = 80_000
"""Parameters that a baseline is asked for that follows the size of a suite."""
STEPS = 3
BATCH = 32
MOVED = 0.02
"""Standard deviation of what is added to weights: layers that start at 0 would hide what others do."""
CLOSE = 1e-3
"""Largest difference of two outputs that are the same but for rounding, a share of the largest output."""


def check_model(name: str, task: str, data: "Path") -> list[Finding]:
    """Returns the findings about the baseline or PATH.py:FUNCTION `name` on a task of the catalog.

    Raises:
        HarnessError: there is no such model or task, or the model is neither trained nor ready.
    """
    signature: Signature = catalog.load("task", task).signature
    claims = _claims(with_family(name), signature, data, is_timed=True)
    return [Finding(*claim, f"model {name} on {task}") for claim in claims]


def refuse_models(names: Sequence[str], tasks: Sequence[tuple[str, Signature]], data: "Path") -> None:
    """Refuses models in files of the user that fail on a task whose samples they say to read.

    Args:
        names: as `--model` gives them.
        tasks: name and signature of each task that trains.
        data: the data cache.

    Raises:
        HarnessError: what is wrong with the first that fails.
    """
    for name in names:
        full = with_family(name)
        kinds = catalog.load("baseline", full).kinds if full.startswith("file:") else ()
        for task, signature in tasks:
            if signature.kind not in kinds:
                continue
            for claim, holds, detail in _claims(full, signature, data, is_timed=False):
                if not holds:
                    raise HarnessError(
                        f"Model {name} on task {task} fails the check that it {claim}: {detail}; mend it, or "
                        f"leave it out of such tasks by KINDS, the kinds of input that it reads, in its file."
                    )


def _claims(name: str, signature: Signature, data: "Path", *, is_timed: bool) -> Claims:
    baseline = catalog.load("baseline", name)
    if not isinstance(baseline, FixedBaseline | ReadyBaseline):
        raise HarnessError(f"{name} is no network of its own; name a file's function, or a fixed baseline.")
    if signature.kind not in baseline.kinds:
        told = ", ".join(baseline.kinds)
        raise HarnessError(f"{name} reads {told} and no {signature.kind}; choose another task by --task.")
    if not modality_of(signature.kind).is_trained:
        raise HarnessError(f"Nothing is trained on samples of kind {signature.kind}; choose another task.")
    if isinstance(baseline, ReadyBaseline):
        return _told(_ready(baseline, signature, data))
    return network_claims(lambda: baseline.build(signature, MATCHED), signature, is_timed=is_timed)


def network_claims(
    build: "Callable[[], nn.Module]", signature: Signature, *, is_timed: bool = False
) -> Claims:
    """Yields claim, whether it holds and a detail of all that a network must do to be trained on a task.

    Args:
        build: makes the network, with first weights from torch's generator.
        signature: of the task.
        is_timed: whether a few steps are trained to tell how long one takes.
    """
    return _told(_trained(build, signature, is_timed=is_timed))


def _told(claims: Claims) -> Claims:
    """Yields the claims, and what raises as one that does not hold."""
    from harness.learn.fit import seeded

    with seeded(0):
        try:
            yield from claims
        except Exception as error:  # whatever code of others raises is a finding about it
            is_told = isinstance(error, HarnessError)
            yield "runs", False, str(error) if is_told else f"{type(error).__name__}: {reason_of(error)}"


def _trained(build: "Callable[[], nn.Module]", signature: Signature, *, is_timed: bool) -> Claims:
    import torch

    from harness.learn.fit import cross_entropy, seeded
    from harness.nn.measure import measured_macs

    with seeded(1):
        module = build()
    with seeded(1):
        again = build()
    weights, others = module.state_dict(), again.state_dict()
    same = weights.keys() == others.keys() and all(torch.equal(weights[key], others[key]) for key in weights)
    yield "has the same first weights from the same seed", same, f"{len(weights)} tensors"
    named = [(key, weight) for key, weight in module.named_parameters() if weight.requires_grad]
    yield "has weights to train", bool(named), f"{len(named)} tensors"
    inputs = random_inputs(signature, SAMPLES)
    outputs: Any = module(inputs)
    holds, told = _shaped(outputs, signature)
    yield "gives an output for each class", holds, told
    if not holds or not named:
        return
    targets = torch.randint(0, signature.classes, outputs.shape[:-1])
    cross_entropy(outputs, targets).backward()
    idle = [key for key, weight in named if weight.grad is None]
    yield "has a gradient for every weight", not idle, ", ".join(idle) or f"{len(named)} tensors"
    with torch.no_grad():
        for _, weight in named:
            weight.add_(MOVED * torch.randn_like(weight))
    yield from _answers(module, inputs, signature)
    size = sum(weight.numel() for weight in module.parameters())
    yield "can be counted", True, f"{size:,} parameters, {measured_macs(module, signature):,} MACs a sample"
    if is_timed:
        yield "can be trained", *_timed(module, signature, outputs.shape[1:-1])


def _shaped(outputs: Any, signature: Signature) -> tuple[bool, str]:
    import torch

    modality = modality_of(signature.kind)
    places = modality.shape(signature) if modality.gives == "bits" else ()
    wanted = (SAMPLES, *places, signature.classes)
    if not isinstance(outputs, torch.Tensor):
        return False, f"a {type(outputs).__name__} where a tensor of shape {wanted} is needed"
    found = tuple(outputs.shape)
    return found == wanted, f"shape {found}, and {wanted} is needed"


def _answers(module: "nn.Module", inputs: "Tensor", signature: Signature) -> Claims:
    """Yields what holds of a module in evaluation, whose outputs have the right shape."""
    import torch

    module.eval()
    with torch.inference_mode():
        whole = module(inputs)
        is_finite = bool(whole.isfinite().all())
        yield "gives finite outputs", is_finite, f"{len(inputs)} drawn samples"
        if not is_finite:
            return
        yield "answers the same twice", *_same(module(inputs), whole)
        yield "answers for a sample alone as in a batch", *_same(module(inputs[:1]), whole[:1])
        if modality_of(signature.kind).gives == "bits":
            length = inputs.shape[1]
            for place in sorted({1, length // 2, length - 1}):
                changed = inputs.clone()
                changed[:, place:] = (changed[:, place:] + 1) % signature.classes
                seen = _same(module(changed)[:, :place], whole[:, :place])
                yield f"sees nothing of byte {place} and later ones before it", *seen


def _same(found: "Tensor", wanted: "Tensor") -> tuple[bool, str]:
    largest = float(wanted.abs().max())
    difference = float((found - wanted).abs().max())
    return difference <= CLOSE * largest, f"difference {difference:.1e} of {largest:.1e}"


def _timed(module: "nn.Module", signature: Signature, places: Sequence[int]) -> tuple[bool, str]:
    """Returns that a few steps of the engine's own loop end, and how long one takes."""
    import torch

    from harness.learn.fit import Recipe, cross_entropy, fit

    batch = (random_inputs(signature, BATCH), torch.randint(0, signature.classes, (BATCH, *places)))
    recipe = Recipe(steps=STEPS, batch_size=BATCH, learning_rate=1e-3)
    started = perf_counter()
    fit(module, recipe, iter([batch] * STEPS), lambda one, step: cross_entropy(module(one[0]), one[1]))
    return True, f"{(perf_counter() - started) / STEPS:.3f} s a step of {BATCH} samples"


def _ready(baseline: ReadyBaseline, signature: Signature, data: "Path") -> Claims:
    """Yields what holds of a model that comes trained."""
    import numpy as np
    from torch import nn

    model: Any = baseline.open(signature, Opening(data=data))
    module = getattr(model, "module", None)
    if isinstance(module, nn.Module):
        inputs = random_inputs(signature, SAMPLES)
        holds, told = _shaped(module(inputs), signature)
        yield "gives an output for each class", holds, told
        if holds:
            yield from _answers(module, inputs, signature)
        return
    draw, modality = np.random.default_rng(0), modality_of(signature.kind)
    if modality.form == "image":
        drawn: Any = draw.integers(0, 256, (SAMPLES, *modality.shape(signature)), dtype=np.uint8)
        answer = model.predict
    else:
        texts = draw.integers(97, 123, (SAMPLES, signature.context), dtype=np.uint8)
        drawn = [text.tobytes() for text in texts]
        answer = model.classify if isinstance(model, TextClassifier) else model.bits
    whole = np.asarray(answer(drawn), np.float64)
    finite = whole.shape == (SAMPLES,) and bool(np.isfinite(whole).all())
    yield "answers for every sample", finite, f"{SAMPLES} drawn samples"
    yield "answers the same twice", bool(np.array_equal(answer(drawn), whole)), ""
    alone = np.asarray(answer(drawn[:1]), np.float64)
    near = bool(np.allclose(alone, whole[:1], rtol=CLOSE))
    yield "answers for a sample alone as in a batch", near, f"{alone[0]:.6g} and {whole[0]:.6g}"
