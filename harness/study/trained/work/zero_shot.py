"""Scores, by lm-eval's own code, of a byte task's networks where nothing was trained for."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from harness import catalog
from harness.data.corruptions import domain_of
from harness.data.load import Cap
from harness.data.view import DataPlace, held_out_part
from harness.errors import HarnessError
from harness.identity.unit import Unit
from harness.run.place import Done, Needs
from harness.run.samples import write_samples
from harness.study.settings import LM_EVAL
from harness.study.trained.results import ZeroShotScore
from harness.study.trained.units import ZeroShotSpec
from harness.study.trained.work.score import restored
from harness.study.work.units import PREPARE
from harness.task.split import Extent, Split
from harness.task.task import SPLITS, Task

if TYPE_CHECKING:
    from harness.language.scores import LmEvalScores


def zero_shot_score(unit: Unit[ZeroShotSpec, ZeroShotScore], needs: Needs, folder: Path) -> Done:
    """Scores what was trained on another task on one domain of questions, or on one task of lm-eval."""
    from harness.language.models import lm_eval_model

    spec = unit.spec
    predictor, rate = restored(spec, needs)
    model = lm_eval_model(predictor)
    is_external = spec.domain.startswith(LM_EVAL)
    split, there = (None, None) if is_external else asked(spec, needs.place.data)
    scores = _external(model, spec, needs) if split is None else _questions(model, spec, split, needs)
    if scores.samples is None:
        raise HarnessError(f"{spec.domain} has no scores: {scores.reason}")
    if scores.metric != spec.metric:
        raise HarnessError(
            f"{spec.domain} has {scores.metric}, and this board is of {spec.metric}; name it in a "
            "zero_shot board of that metric."
        )
    write_samples(folder, scores.samples, scores.metric)
    result = ZeroShotScore(
        metric=scores.metric,
        measure=scores.measure,
        value=scores.value(),
        chance=scores.chance,
        aggregates=dict(scores.aggregates),
        version=scores.version,
        samples=len(scores.samples.label),
        groups=len(scores.group_names),
        limited=needs.place.data.limit is not None,
        learning_rate=rate,
        bytes=split.extent.bytes if split else None,
        of=there,
    )
    return Done(result=result)


def asked(spec: ZeroShotSpec, place: DataPlace) -> tuple[Split, Extent]:
    """Returns questions of a domain up to the cap, of all splits: nothing is ever trained on questions."""
    name, _, domain = spec.domain.partition("/")
    task: Task = catalog.load("task", name)
    return held_out_part(name, task, domain, place, splits=SPLITS, cap=Cap(samples=spec.samples))


def _questions(model: Any, spec: ZeroShotSpec, split: Split, needs: Needs) -> "LmEvalScores":
    """Returns the scores on questions of a domain, exported as anyone would run them."""
    from harness.language.export import write_domain
    from harness.language.scores import lm_eval_scores

    name, _, domain = spec.domain.partition("/")
    task: Task = catalog.load("task", name)
    sha256 = needs.result(PREPARE).sha256
    with TemporaryDirectory() as folder:
        member = write_domain(Path(folder), name, task, domain_of(task, domain), split, sha256=sha256)
        scores = lm_eval_scores(model, [member], include_path=Path(folder), offline=True)[member]
    if scores.samples is None:
        return scores
    at = scores.samples.position
    named = scores.samples._replace(position=split.positions[at], digest=split.digests[at])
    return replace(scores, samples=named)


def _external(model: Any, spec: ZeroShotSpec, needs: Needs) -> "LmEvalScores":
    from harness.language.scores import lm_eval_scores

    place = needs.place.data
    name = spec.domain.removeprefix(LM_EVAL)
    samples = min((one for one in (spec.samples, place.limit) if one is not None), default=None)
    folder = Path(spec.folder) if spec.folder else None
    found = lm_eval_scores(
        model,
        [name],
        include_path=folder,
        limit=samples,
        offline=place.offline,
        is_trusted=needs.place.is_trusted,
    )
    if len(found) > 1:
        raise HarnessError(
            f"{spec.domain} stands for {len(found)} tasks; name them one by one: {', '.join(found)}."
        )
    return next(iter(found.values()))
