"""Parameters of units that several studies plan."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness import catalog
from harness.data.corruptions import domain_of, family_of
from harness.errors import HarnessError
from harness.files import file_hash
from harness.learn.modality import modality_of
from harness.study.settings import ALONE, CORRUPTED, DOCUMENTS, SEEN, STEPS_PER_SAMPLE, TaskSettings
from harness.task.task import SPLITS, Task

MOST_GROUPS = 1000
"""Groups of documents that a held-out domain is scored on at most."""


def training_spec(settings: TaskSettings) -> dict[str, Any]:
    """Returns how a network is trained alone, as members of a `TrainingSpec` and `learning_rates`."""
    rates = tuple(settings.training.learning_rates)
    return {**asdict(settings.training), "learning_rates": rates, "recipe": settings.recipe}


def supernet_spec(settings: TaskSettings, space: str) -> dict[str, Any]:
    """Returns how the supernet of `SPACE:PRESET` comes to be: trained, or read from a released checkpoint.

    Raises:
        HarnessError: there is no such checkpoint, or the space has no supernet.
    """
    chosen = asdict(settings.supernet)
    checkpoints = chosen.pop("checkpoints")
    if space not in checkpoints:
        if settings.supernet.strategy != ALONE:
            _refuse_unshared(settings, space)
        return {**chosen, "recipe": settings.recipe}
    path = Path(checkpoints[space]).expanduser()
    if not path.is_file():
        raise HarnessError(
            f"There is no checkpoint {path} of {space}; give the file in supernet.checkpoints of task "
            f"{settings.name!r}, or leave it out to train the supernet."
        )
    return {"checkpoint": str(path), "checkpoint_sha256": file_hash(path)}


def _refuse_unshared(settings: TaskSettings, space: str) -> None:
    name, _, preset = space.partition(":")
    task: Task = catalog.load("task", settings.name).in_windows(settings.context)
    reason = catalog.load("space", name).space(preset, task.signature).unshared
    if reason:
        raise HarnessError(
            f'Architectures of {space} share no weights, as {reason}; say strategy = "{ALONE}" under '
            f"supernet of task {settings.name!r}."
        )


def with_domains(settings: TaskSettings, opens: Sequence[str] = ()) -> TaskSettings:
    """Returns the settings with the task's own domains where they name none, but for sealed ones.

    Args:
        settings: of the task.
        opens: TASK/DOMAIN of sealed domains that may be read.

    Raises:
        UnknownNameError: a task, domain or corruption does not exist.
        HarnessError: a domain is source and held out at once, the task is of questions, its samples cannot
            give its metric, domains are held out in turn, or one is sealed and not opened.
    """
    task: Task = catalog.load("task", settings.name)
    if isinstance(settings.held_out, str):
        raise HarnessError(
            f"Only a suite that trains rows holds out {settings.held_out} of {settings.name!r} in turn; list "
            "sources and held_out."
        )
    if not modality_of(task.signature.kind).is_trained:
        raise HarnessError(
            f"Task {settings.name!r} asks multiple-choice questions, on which nothing is trained; name its "
            "domains in a zero_shot board of a suite that trains a byte task."
        )
    metric, gives = catalog.metric_of(task.metric), modality_of(task.signature.kind).gives
    if metric.needs != gives:
        raise HarnessError(
            f"Task {settings.name!r} has the metric {task.metric}, which needs {metric.needs}, and samples "
            f"of kind {task.signature.kind} give {gives}; choose another metric."
        )
    context = settings.context
    if context and "context" not in modality_of(task.signature.kind).keys:
        raise HarnessError(
            f"Task {settings.name!r} is of kind {task.signature.kind}, which is not read in windows; leave "
            f"out context = {context}."
        )
    filled = replace(
        settings,
        context=0 if context == task.signature.context else context,
        sources=settings.sources or readable(settings.name, task.sources, opens),
        held_out=settings.held_out or readable(settings.name, task.held_out, opens),
    )
    for role, own in (("sources", task.sources), ("held_out", task.held_out)):
        if own and not getattr(filled, role):
            raise HarnessError(f"All default {role} of task {settings.name!r} are sealed; list others.")
    for domain in (*filled.sources, *filled.held_out):
        refuse_sealed(settings.name, domain, opens)
    both = sorted(set(filled.sources) & set(filled.held_out))
    if both:
        raise HarnessError(f"Task {settings.name!r} has {', '.join(both)} both as source and as held out.")
    return filled


def sealed_name(task_name: str, domain: str) -> str:
    """Returns TASK/DOMAIN of a sealed domain, whole or corrupted; empty where it is not sealed."""
    task: Task = catalog.load("task", task_name)
    plain = domain if domain in {one.name for one in task.domains} else domain.partition("+")[0]
    return f"{task_name}/{plain}" if domain_of(task, domain).sealed else ""


def refuse_sealed(task_name: str, domain: str, opens: Sequence[str]) -> None:
    """Raises a HarnessError where a domain is sealed and is none of those that are opened."""
    name = sealed_name(task_name, domain)
    if name and name not in opens:
        raise HarnessError(
            f"{name} is sealed, so that it can be new to a study once; a suite that trains reads it only "
            f'with opens = ["{name}"], and every run that does is counted.'
        )


def readable(task_name: str, domains: Sequence[str], opens: Sequence[str]) -> list[str]:
    """Returns the domains of a task that are not sealed, or are opened."""
    return [one for one in domains if (name := sealed_name(task_name, one)) == "" or name in opens]


def folds_of(settings: TaskSettings, opens: Sequence[str] = ()) -> list[TaskSettings]:
    """Returns the settings once for all domains that are held out together, all others being their sources.

    Sealed domains that are not opened have no part in it.

    Raises:
        HarnessError: as `with_domains`; there are fewer than two domains, or families.
    """
    if not isinstance(settings.held_out, str):
        return [with_domains(settings, opens)]
    task: Task = catalog.load("task", settings.name)
    names = readable(settings.name, [domain.name for domain in task.domains], opens)
    kin: dict[str, list[str]] = {}
    for name in names:
        kin.setdefault(name if settings.held_out == "each" else family_of(task, name), []).append(name)
    if len(kin) < 2:
        what = "domain" if settings.held_out == "each" else "family of domains"
        raise HarnessError(
            f"Task {settings.name!r} has one {what}, so none can be held out in turn; list sources and "
            "held_out of a task that has more."
        )
    return [
        with_domains(replace(settings, held_out=out, sources=[one for one in names if one not in out]), opens)
        for out in kin.values()
    ]


def planned_task(settings: TaskSettings, opens: Sequence[str] = ()) -> dict[str, Any]:
    """Returns the settings as `plan.json` keeps them, as a `PlannedTask` is read of."""
    task: Task = catalog.load("task", settings.name)
    folds = folds_of(settings, opens)
    in_turn = isinstance(settings.held_out, str)
    sources = [name for fold in folds for name in fold.sources]
    strata, families = {}, {}
    for fold in folds:
        for name in fold.held_out:
            families[name] = family_of(task, name)
            strata[name] = ", ".join(filter(None, _shift(task, name, fold.sources)))
    return {
        **asdict(settings),
        "sources": [one.name for one in task.domains if one.name in sources] if in_turn else sources,
        "held_out": list(strata),
        "folds": [list(fold.held_out) for fold in folds] if in_turn else [],
        "metric": task.metric,
        "chance": task.chance,
        "strata": strata,
        "families": families,
        "left_out": [one.name for one in task.domains if one.sealed and one.name not in (*sources, *strata)],
    }


def _shift(task: Task, name: str, sources: Sequence[str]) -> tuple[str, str]:
    """Returns the stratum of a held-out domain, and what it shares with sources; both may be empty."""
    if _has_plain(sources, name) and name not in {one.name for one in task.domains}:
        return task.domain(name.partition("+")[0]).stratum, CORRUPTED
    seen = {family_of(task, source) for source in sources}
    return domain_of(task, name).stratum, SEEN if family_of(task, name) in seen else ""


def scored_of(settings: TaskSettings, domain: str, *, is_oracle: bool) -> dict[str, Any]:
    """Returns what is scored of a domain, as members of a `ScoreSpec`.

    A source is scored on its test split, and so is a held-out domain whose groups sources have, too. Another
    one is scored whole, up to the caps of the settings: of documents whose bytes are predicted on so many
    groups and bytes, of others on so many samples. A document that has one prediction is cut as those of
    sources are, as longer ones are easier. An oracle has chosen on the validation split; a corrupted source
    has that source's training samples in all but its test.
    """
    cap: dict[str, Any] = dict.fromkeys(("groups", "bytes"))
    cap |= {"samples": settings.test_samples, "document_bytes": settings.document_bytes}
    if domain in settings.sources:
        return {"splits": ("test",), **cap}
    task: Task = catalog.load("task", settings.name)
    modality = modality_of(task.signature.kind)
    if modality.form == "image":
        cap["document_bytes"] = None
    if modality.gives == "bits":
        longest = settings.test_bytes // DOCUMENTS
        cap |= {"groups": MOST_GROUPS, "bytes": settings.test_bytes, "document_bytes": longest}
        if settings.whole:
            cap |= dict.fromkeys(("groups", "bytes", "document_bytes"))
    if settings.whole:
        cap["samples"] = None
    is_trained = task.shares_groups or _has_plain(settings.sources, domain)
    splits = ("test",) if is_trained else ("train", "test") if is_oracle else SPLITS
    return {"splits": splits, **cap}


def _has_plain(sources: Sequence[str], domain: str) -> bool:
    """Returns whether a source has the samples of a domain, one of the two or both being corrupted."""
    return domain.partition("+")[0] in {name.partition("+")[0] for name in sources}


def shortened(settings: TaskSettings, limit: int | None) -> TaskSettings:
    """Returns the settings of a limited run, which trains no longer than its few samples are worth."""
    if limit is None:
        return settings
    most = STEPS_PER_SAMPLE * limit
    supernet, training = settings.supernet, settings.training
    return replace(
        settings,
        supernet=replace(supernet, steps=min(supernet.steps, most)),
        training=replace(training, steps=min(training.steps, most)),
    )
