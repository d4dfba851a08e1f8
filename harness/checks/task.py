"""Quality of a task: the claims that must hold before a score on its domains means anything."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import metric_of
from harness.checks.finding import Finding
from harness.data.load import load_split
from harness.data.near import SHARED, coarse, shingles
from harness.data.prepare import Prepared, blamed, prepare_domain, verify_domain, waits_for
from harness.data.text.linear import LinearText
from harness.data.text.questions import questions
from harness.errors import DataUnavailableError, HarnessError
from harness.learn.modality import modality_of
from harness.task.split import Split
from harness.task.task import SPLITS, Domain, Task

CROSSED_SHARE = 0.001
GUESS_SHARE = 1.5
NEAR_SHARE = 0.01
BALANCE = 0.1
PROBE_SAMPLES = 3000
_IS_THERE = "{}: its data is there"

if TYPE_CHECKING:
    from numpy.typing import NDArray


Splits = dict[str, Split]
Check = Callable[[Splits], Finding]


def check_task(task_name: str, task: Task, folder: Path, *, offline: bool) -> list[Finding]:
    """Returns the findings about the task's card and about each of its domains, preparing them."""
    if task.awaits:
        return [Finding(claim="waits for its data", holds=True, detail=task.awaits)]
    findings = [*_card(task)]
    seen = _Seen()
    for domain in task.domains:
        try:
            with blamed(domain.name):
                findings.extend(_domain(task_name, task, domain, folder, offline, seen))
        except HarnessError as error:
            findings.append(Finding(claim=_IS_THERE.format(domain.name), holds=False, detail=str(error)))
    return [*findings, seen.finding()]


def _card(task: Task) -> Iterator[Finding]:
    names = [domain.name for domain in task.domains]
    roles = [*task.sources, *task.held_out]
    yield Finding(
        claim="sources and held-out domains are different domains of the task",
        holds=bool(task.sources and task.held_out)
        and len(set(roles)) == len(roles)
        and set(roles) <= set(names)
        and len(set(names)) == len(names),
        detail=f"sources {', '.join(task.sources)}; held out {', '.join(task.held_out)}",
    )
    classes = task.signature.classes
    metric, modality = metric_of(task.metric), modality_of(task.signature.kind)
    yield Finding(
        claim="the metric is one that samples of its kind can give",
        holds=metric.needs == modality.gives,
        detail=f"{metric.title} needs {metric.needs}, {task.signature.kind} gives {modality.gives}",
    )
    if metric.chance is not None:
        expected = metric.chance(classes)
        # A share that balances no classes may be the majority's, which depends on the domains.
        is_majority = metric.is_proportion and not metric.is_balanced and expected < task.chance < 1
        yield Finding(
            claim="chance is stated",
            holds=abs(task.chance - expected) < 1e-6 or is_majority,
            detail=f"stated {task.chance:.4g}; a blind guess among {classes} has {expected:.4g}",
        )
    if modality.names_classes:
        yield Finding(
            claim="every class has a name",
            holds=len(task.class_names) == classes,
            detail=f"{len(task.class_names)} names, {classes} classes",
        )


class _Seen:
    """Which samples each domain may train on and is tested on, so that none crosses over."""

    def __init__(self) -> None:
        self.trained: dict[bytes, set[str]] = {}
        self.tested: dict[bytes, set[str]] = {}

    def add(self, splits: Splits) -> None:
        for name, split in splits.items():
            known = self.tested if name == "test" else self.trained
            for blob in _blobs(split):
                known.setdefault(hashlib.sha256(blob).digest(), set()).add(split.domain)

    def finding(self) -> Finding:
        crossed = [
            (self.trained[digest] - domains, domains)
            for digest, domains in self.tested.items()
            if self.trained.get(digest, domains) - domains
        ]
        places = sorted({name for pair in crossed for names in pair for name in names})
        where = f" ({', '.join(places)})" if places else ""
        return Finding(
            claim=f"at most {CROSSED_SHARE:.1%} of test samples are another domain's training samples",
            holds=len(crossed) <= CROSSED_SHARE * len(self.tested),
            detail=f"{len(crossed)} of {len(self.tested)} are{where}",
        )


def _domain(
    task_name: str, task: Task, domain: Domain, folder: Path, offline: bool, seen: _Seen
) -> Iterator[Finding]:
    yield Finding(
        claim=f"{domain.name}: origin, licence and groups are stated",
        holds=all(text.strip() for text in (domain.origin, domain.licence, domain.groups)),
        detail=f"{domain.origin}; {domain.licence}; split by {domain.groups}",
    )
    waits = waits_for(task_name, domain, folder)
    if waits:
        yield Finding(claim=f"{domain.name}: waits for its data", holds=True, detail=waits)
        return
    card = prepare_domain(task_name, domain, folder, offline=offline)
    splits = {name: load_split(task_name, task, domain, name, folder) for name in SPLITS}
    yield _hash(task_name, domain, folder, card)
    seen.add(splits)
    for check in (_exact, _groups, *_of_kind(task)):
        found = check(splits)
        yield Finding(claim=f"{domain.name}: {found.claim}", holds=found.holds, detail=found.detail)


def _of_kind(task: Task) -> Iterator[Check]:
    """Yields the checks that the kind of input names."""
    for one in modality_of(task.signature.kind).checks:
        module, _, function = one.partition(":")
        made: Check = getattr(import_module(module), function)(task)
        yield made


def _hash(task_name: str, domain: Domain, folder: Path, card: Prepared) -> Finding:
    claim = f"{domain.name}: the arrays are the recorded ones"
    try:
        verify_domain(task_name, domain, folder)
    except DataUnavailableError as error:
        return Finding(claim=claim, holds=False, detail=str(error))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))
    pinned = "as the task pins it" if domain.sha256 else "not pinned"
    return Finding(
        claim=claim, holds=True, detail=f"sha256 {card.sha256[:16]}, {pinned}, made with {versions}"
    )


def _blobs(split: Split) -> list[bytes]:
    return [image.tobytes() for image in split.images] if split.images.size else split.documents()


def _exact(splits: Splits) -> Finding:
    seen: dict[bytes, str] = {}
    shared = 0
    for name, split in splits.items():
        for blob in _blobs(split):
            shared += seen.setdefault(blob, name) != name
    return Finding(claim="no sample is in two splits", holds=shared == 0, detail=f"{shared} are")


def _groups(splits: Splits) -> Finding:
    counts = {name: len(split.group_names) for name, split in splits.items()}
    sizes = {name: len(split) for name, split in splits.items()}
    distinct = {group for split in splits.values() for group in split.group_names}
    return Finding(
        claim="no group is in two splits",
        holds=len(distinct) == sum(counts.values()) and min(counts.values()) > 0,
        detail=", ".join(f"{name} {sizes[name]} samples in {count} groups" for name, count in counts.items()),
    )


def near_images(task: Task) -> Check:
    """Returns the check that images do not nearly stand in two splits."""

    def check(splits: Splits) -> Finding:
        known = {print_ for name in ("train", "validation") for print_ in coarse(splits[name].images)}
        test = coarse(splits["test"].images)
        return _near(sum(print_ in known for print_ in test), len(test), "agree in a coarse picture")

    return check


def near_texts(task: Task) -> Check:
    """Returns the check that documents do not nearly stand in two splits."""

    def check(splits: Splits) -> Finding:
        known: set[int] = set()
        for name in ("train", "validation"):
            known.update(*(shingles(document) for document in splits[name].documents()))
        test = [shingles(document) for document in splits["test"].documents()]
        near = sum(len(runs & known) >= SHARED * len(runs) for runs in test)
        return _near(near, len(test), f"share {SHARED:.0%} of their runs of eight words")

    return check


def _near(near: int, total: int, how: str) -> Finding:
    return Finding(
        claim=f"at most {NEAR_SHARE:.0%} of test samples nearly are in another split",
        holds=near <= NEAR_SHARE * total,
        detail=f"{near} of {total} {how}",
    )


def balance(task: Task) -> Check:
    """Returns the check that every split has every class, none of them rare."""
    classes = task.signature.classes

    def check(splits: Splits) -> Finding:
        import numpy as np

        counts = {name: np.bincount(split.labels, minlength=classes) for name, split in splits.items()}
        total = np.sum(list(counts.values()), axis=0)
        there = total > 0
        empty = [name for name, count in counts.items() if count[there].min() == 0]
        missing = f"; a class is missing in {', '.join(empty)}" if empty else ""
        test = counts["test"]
        least, most = total[there].min(), total.max()
        return Finding(
            claim=f"every split has every class, the rarest at least {BALANCE:.0%} of the most frequent",
            holds=not empty and there.sum() > 1 and least >= BALANCE * most,
            detail=f"{there.sum()} of {classes} classes, {least} to {most} samples each; the majority's "
            f"accuracy on test is {test.max() / test.sum():.3f}{missing}",
        )

    return check


def probe(predict: "Callable[[Split, Split], NDArray[Any]]") -> Check:
    """Returns the check of a linear probe, which gets a part of train, and test, and predicts test."""

    def check(splits: Splits) -> Finding:
        import numpy as np

        test = splits["test"]
        predicted = predict(_part(splits["train"]), test)
        score = float(
            np.mean([(predicted[test.labels == label] == label).mean() for label in np.unique(test.labels)])
        )
        blind = 1 / len(np.unique(splits["train"].labels))
        margin = 3 * (blind * (1 - blind) / len(test)) ** 0.5
        return Finding(
            claim="a linear probe beats chance",
            holds=score > blind + margin,
            detail=f"balanced accuracy {score:.3f} on {len(test)} test samples; "
            f"chance {blind:.3f} and three standard errors {margin:.3f}",
        )

    return check


def _part(split: Split) -> Split:
    """Returns every so manieth sample, 3,000 at most; samples are stored in the order of their hash."""
    import numpy as np

    kept = np.arange(0, len(split), -(-len(split) // PROBE_SAMPLES))
    documents = [] if split.images.size else split.documents()
    chosen = [documents[index] for index in kept] if documents else []
    return replace(
        split,
        images=split.images[kept] if split.images.size else split.images,
        text=np.frombuffer(b"".join(chosen), np.uint8),
        offsets=np.cumsum([0, *map(len, chosen)], dtype=np.int64),
        labels=split.labels[kept],
        groups=split.groups[kept],
    )


def pixel_probe(task: Task) -> Check:
    """Returns the check that ridge regression on pixels beats chance."""

    def predict(train: Split, test: Split) -> "NDArray[Any]":
        from sklearn.linear_model import RidgeClassifier

        model = RidgeClassifier(alpha=10.0).fit(train.images.reshape(len(train), -1) / 255.0, train.labels)
        predicted: NDArray[Any] = model.predict(test.images.reshape(len(test), -1) / 255.0)
        return predicted

    return probe(predict)


def text_probe(task: Task) -> Check:
    """Returns the check that a linear model of n-grams beats chance."""
    return probe(lambda train, test: LinearText.fit([train]).classify(test.documents()))


def answers(task: Task) -> Check:
    """Returns the check that a right answer is told by more than its place and its words."""
    return _answers


def _answers(splits: Splits) -> Finding:
    import numpy as np

    test = questions(splits["test"])
    chance = float(np.mean([1 / len(one.choices) for one in test]))
    majority = np.bincount([one.gold for one in questions(splits["train"])]).argmax()
    place = float(np.mean([one.gold == majority for one in test]))
    right = Counter(one.choices[one.gold] for one in questions(splits["train"]))
    known = float(np.mean([np.argmax([right[text] for text in one.choices]) == one.gold for one in test]))
    longest = float(np.mean([np.argmax([*map(len, one.choices)]) == one.gold for one in test]))
    return Finding(
        claim="the right answer is told neither by its place nor by its words alone",
        holds=max(place, known) <= GUESS_SHARE * chance,
        detail=f"on {len(test)} test questions chance has {chance:.3f}, the most frequent place {place:.3f}, "
        f"the answer that was right most often in train {known:.3f}, the longest answer {longest:.3f}",
    )


def unigram(task: Task) -> Check:
    """Returns the check that the frequencies of bytes beat chance."""

    def check(splits: Splits) -> Finding:
        import numpy as np

        counts = np.bincount(splits["train"].text, minlength=256) + 1.0
        bits = -np.log2(counts / counts.sum())
        score = float(bits[splits["test"].text].mean())
        return Finding(
            claim="a unigram model beats chance",
            holds=score < task.chance,
            detail=f"{score:.3f} bits on each of {len(splits['test'].text)} test bytes; chance {task.chance}",
        )

    return check
