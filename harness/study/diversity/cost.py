"""What the units of a study of diversity are estimated to cost."""

from harness.identity.unit import Unit
from harness.study.cost import PASSED, Costs
from harness.study.diversity.units import CellSpec, PoolScores
from harness.study.work.spent import passes


def cell(costs: Costs, unit: Unit[CellSpec, PoolScores]) -> float:
    """Returns the cost of one training, of its decays, and of all its scores."""
    spec = unit.spec
    assert spec.steps is not None
    assert spec.batch_size is not None
    macs, signature = costs.mean(spec), spec.seen.signature
    taken = spec.steps * (1 + spec.decay * sum(spec.checkpoints[:-1]))
    trained = 3 * taken * spec.batch_size * costs.rate("alone trained", spec, spec.batch_size)
    each = passes(signature, spec.document_bytes)
    samples = spec.source_samples + spec.validation_samples
    sources = len(spec.checkpoints) * len(spec.sources) * samples * each
    if spec.bytes is None:
        held_out = len(spec.checkpoints) * spec.samples * (passes(signature, spec.scored_bytes or 1))
    else:
        always = spec.checkpoint_bytes or spec.bytes
        held_out = passes(signature, spec.bytes + always * (len(spec.checkpoints) - 1))
    scored = (sources + len(spec.held_out) * held_out) * costs.rate("alone scored", spec, PASSED)
    return macs * (trained + scored)
