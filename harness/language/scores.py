"""lm-eval tasks as held-out domains: what a model does on each document, and not only a mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.catalog import metric_of
from harness.data.load import spread
from harness.errors import HarnessError, UnknownNameError
from harness.files import content_hash
from harness.language.isolation import hub_access, kept_random_states, sandboxed_templates
from harness.language.task_folder import check_folder
from harness.task.metric import SampleScores
from harness.task.split import digests

if TYPE_CHECKING:
    from lm_eval.tasks import TaskManager

MEASURES = ("acc", "exact_match", "em", "acc_norm")
SCORED = ("multiple_choice", "loglikelihood_rolling")
"""Types of tasks for which a model need not write."""
FEWSHOT_SEED = 1234
REASON_CHARACTERS = 400
BITS_OF_A_BLIND_GUESS = 8.0


@dataclass(frozen=True, kw_only=True)
class LmEvalScores:
    """What a model scored on one lm-eval task, or why it did not.

    Attributes:
        domain: the task's name.
        reason: why there are no scores; None when there are.
        metric: accuracy, or bits per byte; None without scores.
        measure: lm-eval's name of what is counted, such as `acc` or `exact_match`; None without scores.
        samples: one row per document; its label is the right choice, its group the document itself or its
            `group` column, its position the document's number in the task. None without scores.
        group_names: what the rows' group indices mean.
        chance: the metric of a blind guess on these documents; None where it is not known.
        aggregates: lm-eval's own aggregates, such as `acc,none`, as plain floats.
        version: of the task.
    """

    domain: str
    reason: str | None = None
    metric: str | None = None
    measure: str | None = None
    samples: SampleScores | None = None
    group_names: tuple[str, ...] = ()
    chance: float | None = None
    aggregates: Mapping[str, float] = field(default_factory=dict)
    version: str | None = None

    def value(self) -> float:
        """Returns the metric."""
        if self.samples is None or self.metric is None:
            raise HarnessError(f"{self.domain} has no scores: {self.reason}")
        return metric_of(self.metric).value(self.samples)

    def records(self) -> list[dict[str, Any]]:
        """Returns one JSON-ready row per document, each with its domain."""
        if self.samples is None:
            return []
        groups = [self.group_names[group] for group in self.samples.group]
        names = ("label", "numerator", "denominator")
        columns = [getattr(self.samples, name).tolist() for name in ("position", *names)]
        rows = zip(groups, *columns, strict=True)
        named = ("group", "document", *names)
        return [{"domain": self.domain, **dict(zip(named, row, strict=True))} for row in rows]


def lm_eval_scores(
    model: Any,
    tasks: Sequence[str] | None = None,
    *,
    include_path: Path | None = None,
    limit: int | None = None,
    offline: bool = False,
    is_trusted: bool = False,
) -> dict[str, LmEvalScores]:
    """Returns task -> scores of `model`, by lm-eval's own code; a task that cannot be scored fails alone.

    No cache is used, the caller's random states stay, and a log-probability that is not finite, or a right
    answer that is not among the choices, is a failure of its task. Groups and tags become their tasks.

    Args:
        model: an lm-eval model: `ByteModel`, or what `build_model` gives.
        tasks: names of tasks, groups or tags; all tasks of `include_path` by default.
        include_path: a folder of YAML tasks; its tasks come before lm-eval's own of the same name.
        limit: at most this many documents of each task, spread over right choices and groups.
        is_trusted: whether code that lies in the folder may run.

    Raises:
        ValueError: the limit is not positive.
        HarnessError: there is no such folder, no task was named, or the folder has code and is not trusted.
        UnknownNameError: there is no task of a name.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"A limit is at least one document, not {limit}.")
    if include_path is not None:
        check_folder(include_path, is_trusted=is_trusted)
    with kept_random_states(), hub_access(offline=offline), sandboxed_templates():
        manager = _manager(tasks, include_path)
        names = manager.all_subtasks if tasks is None else tasks
        leaves = dict.fromkeys(leaf for name in names for leaf in _leaves(manager, name))
        if not leaves:
            raise HarnessError(f"There is no lm-eval task to score in {include_path}; name tasks.")
        results: dict[str, LmEvalScores] = {}
        for name in leaves:
            results |= _scores(model, manager, name, limit)
        return results


def tasks_of(folder: Path) -> list[str]:
    """Returns the names of all tasks of a folder of YAML tasks.

    Raises:
        HarnessError: there is no such folder, no task in it, or a file that is not YAML, which lm-eval drops.
    """
    check_folder(folder, is_trusted=True)  # none of its code runs here
    names: list[str] = sorted(_manager(None, folder).all_subtasks)
    if not names:
        raise HarnessError(f"There is no lm-eval task to score in {folder}; name tasks.")
    return names


def _manager(tasks: Sequence[str] | None, include_path: Path | None) -> "TaskManager":
    """Returns an index of the folder alone, which takes .1 s, or of lm-eval's thousands of tasks too."""
    from lm_eval.tasks import TaskManager

    if tasks is None and include_path is None:
        raise HarnessError("No lm-eval task was named; give names or a folder of YAML tasks.")
    paths = None if include_path is None else str(include_path.resolve())
    manager = TaskManager(include_path=paths, include_defaults=False)
    if tasks is not None and any(name not in manager.task_index for name in tasks):
        manager = TaskManager(include_path=paths)
    for name in tasks or ():
        if name not in manager.task_index:
            raise UnknownNameError("lm-eval task", name, manager.all_tasks)
    return manager


def _leaves(manager: "TaskManager", name: str) -> Iterator[str]:
    """Yields the tasks of a group or tag, so that each can fail alone, where they are plain names."""
    entry = manager.task_index[name]
    children = (entry.cfg or {}).get("task")
    if name in manager.all_tags:
        children = sorted(entry.tags)
    if name in manager.all_subtasks or not isinstance(children, list):
        yield name
    elif all(isinstance(child, str) and child in manager.task_index for child in children):
        for child in children:
            yield from _leaves(manager, child)
    else:
        yield name


def _scores(model: Any, manager: "TaskManager", name: str, limit: int | None) -> dict[str, LmEvalScores]:
    try:
        loaded = manager.load([name])["tasks"]
    except Exception as error:
        # Tasks run readers, templates and code of their own, and any of them raises what it likes.
        return {name: LmEvalScores(domain=name, reason=_sentence(error))}
    return {leaf: _scores_of(model, leaf, task, limit) for leaf, task in loaded.items()}


def _scores_of(model: Any, name: str, task: Any, limit: int | None) -> LmEvalScores:
    from lm_eval.evaluator import evaluate

    try:
        if task.OUTPUT_TYPE not in SCORED and not getattr(model, "writes", True):
            raise ValueError("The task asks what a model would write, and this one gives code lengths alone.")
        documents = list(task.eval_docs)
        labels, groups, group_names = _documents(task, documents)
        chosen = np.arange(len(labels))
        if limit is not None and limit < len(labels):
            chosen = spread(labels, groups, group_names, limit)
        task.set_fewshot_seed(seed=FEWSHOT_SEED)
        output = evaluate(
            lm=model,
            task_dict={"tasks": {name: task}},
            samples={name: chosen.tolist()} if len(chosen) < len(labels) else None,
            bootstrap_iters=0,
            log_samples=True,
        )
        logged = output["samples"][name]
        logged = [sample for sample in logged if sample["filter"] == logged[0]["filter"]]
        measure, pairs = _numbers(task, logged)
    except Exception as error:
        return LmEvalScores(domain=name, reason=_sentence(error))
    numbers = np.array(pairs, dtype=np.float64)
    used, renumbered = np.unique(groups[chosen], return_inverse=True)
    return LmEvalScores(
        domain=name,
        metric="bits_per_byte" if measure == "bits_per_byte" else "accuracy",
        measure=measure,
        samples=SampleScores(
            renumbered,
            labels[chosen],
            numbers[:, 0],
            numbers[:, 1],
            prediction=_answers(logged, labels[chosen], numbers[:, 0]),
            position=chosen,
            digest=digests(repr(documents[index]).encode() for index in chosen),
        ),
        group_names=tuple(group_names[index] for index in used),
        chance=_chance(task, [documents[index] for index in chosen]),
        aggregates=_plain(output["results"][name]),
        version=str(output["versions"].get(name)),
    )


def _documents(
    task: Any, documents: Sequence[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Returns the right choice and the group of every document, and the groups' names."""
    if not documents:
        raise ValueError("The task has no document.")
    labels = [_label(task, number, document) for number, document in enumerate(documents)]
    names = [_group(document) for document in documents]
    distinct, groups = np.unique(np.array(names, dtype=object), return_inverse=True)
    return np.array(labels, np.int64), groups.astype(np.int64), tuple(str(name) for name in distinct)


def _group(document: Any) -> str:
    if isinstance(document, Mapping) and document.get("group") is not None:
        return str(document["group"])
    return content_hash(repr(document))


def _label(task: Any, number: int, document: Any) -> int:
    """Returns the index of the right choice, the first one where there are several; 0 without choices."""
    if task.OUTPUT_TYPE != "multiple_choice":
        return 0
    in_text = getattr(task, "multiple_input", False)
    answer = task.doc_to_text(document) if in_text else task.doc_to_target(document)
    choices = task.doc_to_choice(document)
    answers = answer if isinstance(answer, list) else [answer]
    indices = [choices.index(one) if one in choices else one for one in answers]
    for index in indices:
        if not isinstance(index, int | np.integer) or not 0 <= index < len(choices):
            raise ValueError(f"Document {number} has the answer {index!r} and {len(choices)} choices.")
    if not indices:
        raise ValueError(f"Document {number} has no answer.")
    return int(indices[0])


def _chance(task: Any, documents: Sequence[Any]) -> float | None:
    """Returns the mean over documents of the share of choices that are right; 8 bits per byte for texts."""
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return BITS_OF_A_BLIND_GUESS
    if task.OUTPUT_TYPE != "multiple_choice" or getattr(task, "multiple_input", False):
        return None
    shares = []
    for document in documents:
        answer = task.doc_to_target(document)
        right = len(answer) if isinstance(answer, list) else 1
        shares.append(right / len(task.doc_to_choice(document)))
    return float(np.mean(shares))


def _numbers(task: Any, logged: Sequence[Mapping[str, Any]]) -> tuple[str, list[tuple[float, float]]]:
    """Returns what is counted, and (numerator, denominator) per document.

    lm-eval makes a score of anything: all choices at NaN are an accuracy of about a third.
    """
    for sample in logged:
        if not all(np.isfinite(number) for number in _floats(sample["resps"])):
            raise FloatingPointError(
                f"Document {sample['doc_id']} has a log-probability that is not finite; the model is broken."
            )
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return "bits_per_byte", [_bits(sample) for sample in logged]
    there = logged[0]["metrics"]
    for measure in (*MEASURES, *there):
        values = [sample[measure] for sample in logged] if measure in there else []
        if values and all(_is_number(value) and 0 <= value <= 1 for value in values):
            return measure, [(float(value), 1.0) for value in values]
    raise ValueError(f"No measure of the task is a number in [0, 1] per document; it has {', '.join(there)}.")


def _answers(
    logged: Sequence[Mapping[str, Any]], labels: NDArray[np.int64], right: NDArray[np.float64]
) -> NDArray[np.int64] | None:
    """Returns the likeliest choice per document; None where that is not what the measure counts."""
    likely = [list(_floats(sample["filtered_resps"])) for sample in logged]
    if not all(likely):
        return None
    chosen = np.array([np.argmax(one) for one in likely], np.int64)
    return chosen if np.array_equal((chosen == labels) * 1.0, right) else None


def _floats(value: Any) -> Iterator[float]:
    if isinstance(value, float | np.floating):
        yield float(value)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _floats(part)


def _bits(sample: Mapping[str, Any]) -> tuple[float, float]:
    """Returns (bits, bytes); the bytes are those the task counts, which may differ from the text it shows."""
    for measure in ("bits_per_byte", "byte_perplexity"):
        if measure in sample:
            nats, size = sample[measure]
            return -float(nats) / float(np.log(2)), float(size)
    nats = sample["filtered_resps"][0]
    return -float(nats) / float(np.log(2)), float(len(sample["target"].encode()))


def _plain(results: Mapping[str, Any]) -> dict[str, float]:
    """Returns the finite numbers of lm-eval's results; it writes "N/A" for what it does not have."""
    return {key: float(value) for key, value in results.items() if _is_number(value) and np.isfinite(value)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())[:REASON_CHARACTERS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
