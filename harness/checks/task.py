"""Quality of a task: the claims that must hold before a score on its domains means anything."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog import metric_of
from harness.checks.finding import Finding
from harness.data.corruptions import family_of
from harness.data.load import load_split
from harness.data.near import SHARED, coarse, prints, shingles
from harness.data.prepare import Prepared, blamed, prepare_domain, verify_domain, waits_for
from harness.data.text.linear import LinearText
from harness.data.text.questions import questions
from harness.errors import DataUnavailableError, HarnessError
from harness.identity.unit import called
from harness.learn.modality import modality_of
from harness.task.split import Split
from harness.task.task import SPLITS, Domain, Task

CROSSED_SHARE = 0.001
GUESS_SHARE = 1.5
NEAR_SHARE = 0.01
BALANCE = 0.1
PROBE_SAMPLES = 3000

if TYPE_CHECKING:
    from numpy.typing import NDArray


Splits = dict[str, Split]


def check_task(task_name: str, task: Task, folder: Path, *, offline: bool) -> list[Finding]:
    """Returns the findings about the task's card and about each of its domains, preparing them."""
    if task.awaits:
        return [Finding("waits for its data", True, task.awaits)]
    findings = [*_card(task)]
    seen = _Seen(task)
    for domain in task.domains:
        found: list[Finding] = []
        try:
            with blamed(domain.name):
                found.extend(_domain(task_name, task, domain, folder, offline, seen))
        except HarnessError as error:
            found.append(Finding("its data is there", False, str(error)))
        findings += [one._replace(claim=f"{domain.name}: {one.claim}") for one in found]
    return [*findings, *seen.findings()]


def _card(task: Task) -> Iterator[Finding]:
    names = [domain.name for domain in task.domains]
    roles = [*task.sources, *task.held_out]
    once = len(set(roles)) == len(roles) and len(set(names)) == len(names)
    yield Finding(
        "sources and held-out domains are different domains of the task",
        bool(task.sources and task.held_out) and once and set(roles) <= set(names),
        f"sources {', '.join(task.sources)}; held out {', '.join(task.held_out)}",
    )
    classes = task.signature.classes
    metric, modality = metric_of(task.metric), modality_of(task.signature.kind)
    yield Finding(
        "the metric is one that samples of its kind can give",
        metric.needs == modality.gives,
        f"{metric.title} needs {metric.needs}, {task.signature.kind} gives {modality.gives}",
    )
    if metric.chance is not None:
        expected = metric.chance(classes)
        # A share that balances no classes may be the majority's, which depends on the domains.
        is_majority = metric.is_proportion and not metric.is_balanced and expected < task.chance < 1
        detail = f"stated {task.chance:.4g}; a blind guess among {classes} has {expected:.4g}"
        yield Finding("chance is stated", abs(task.chance - expected) < 1e-6 or is_majority, detail)
    if modality.names_classes:
        named = len(task.class_names)
        yield Finding("every class has a name", named == classes, f"{named} names, {classes} classes")


class _Seen:
    """Which samples each domain has, and may train on, so that none crosses over.

    A domain that is held out is scored whole, so that all its splits are looked at. Domains of one family are
    not: a score on one of them is never said to be of a family that its network has not seen.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.owners: dict[bytes, set[str]] = {}
        self.trained: set[bytes] = set()
        self.sources: dict[str, set[int]] = {}
        self.held_out: dict[str, list[set[int]]] = {}

    def add(self, splits: Splits) -> None:
        for name, split in splits.items():
            domain = split.domain
            for blob in _blobs(split):
                digest = hashlib.sha256(blob).digest()
                self.owners.setdefault(digest, set()).add(domain)
                if name != "test":
                    self.trained.add(digest)
            found = prints(split.images, [] if split.images.size else split.documents())
            if domain in self.task.sources and name != "test":
                self.sources.setdefault(domain, set()).update(*found)
            if domain in self.task.held_out:
                self.held_out.setdefault(domain, []).extend(found)

    def findings(self) -> Iterator[Finding]:
        crossed = [
            domains
            for digest, domains in self.owners.items()
            if digest in self.trained and len({family_of(self.task, one) for one in domains}) > 1
        ]
        places = sorted({name for names in crossed for name in names})
        where = f" ({', '.join(places)})" if places else ""
        yield Finding(
            f"at most {CROSSED_SHARE:.1%} of a domain's samples are another domain's training samples",
            len(crossed) <= CROSSED_SHARE * len(self.owners),
            f"{len(crossed)} of {len(self.owners)} are{where}",
        )
        near = {name: (self._near(name), len(found)) for name, found in self.held_out.items()}
        yield Finding(
            f"at most {NEAR_SHARE:.0%} of a held-out domain's samples nearly are what sources train on",
            all(count <= NEAR_SHARE * total for count, total in near.values()),
            ", ".join(f"{name} {count} of {total}" for name, (count, total) in near.items()),
        )

    def _near(self, domain: str) -> int:
        """Returns how many samples of a held-out domain nearly are training samples of another family."""
        family = family_of(self.task, domain)
        known = [found for name, found in self.sources.items() if family_of(self.task, name) != family]
        every: set[int] = set().union(*known)
        return sum(len(one & every) >= SHARED * len(one) for one in self.held_out[domain])


def _domain(
    task_name: str, task: Task, domain: Domain, folder: Path, offline: bool, seen: _Seen
) -> Iterator[Finding]:
    stated = (domain.origin, domain.licence, domain.groups)
    told = f"{domain.origin}; {domain.licence}; split by {domain.groups}"
    yield Finding("origin, licence and groups are stated", all(text.strip() for text in stated), told)
    waits = waits_for(task_name, domain, folder)
    if waits:
        yield Finding("waits for its data", True, waits)
        return
    card = prepare_domain(task_name, domain, folder, offline=offline)
    splits = {name: load_split(task_name, task, domain, name, folder) for name in SPLITS}
    yield _hash(task_name, domain, folder, card)
    seen.add(splits)
    yield from (_exact(splits), _groups(splits))
    for one in modality_of(task.signature.kind).checks:
        found: Finding = called(one)(task, splits)
        yield found._replace(detail="sealed, so nothing is told") if domain.sealed else found


def _hash(task_name: str, domain: Domain, folder: Path, card: Prepared) -> Finding:
    claim = "the arrays are the recorded ones"
    try:
        verify_domain(task_name, domain, folder)
    except DataUnavailableError as error:
        return Finding(claim, False, str(error))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))
    pinned = "as the task pins it" if domain.sha256 else "not pinned"
    return Finding(claim, True, f"sha256 {card.sha256[:16]}, {pinned}, made with {versions}")


def _blobs(split: Split) -> list[bytes]:
    return [image.tobytes() for image in split.images] if split.images.size else split.documents()


def _exact(splits: Splits) -> Finding:
    seen: dict[bytes, str] = {}
    shared = 0
    for name, split in splits.items():
        for blob in _blobs(split):
            shared += seen.setdefault(blob, name) != name
    return Finding("no sample is in two splits", shared == 0, f"{shared} are")


def _groups(splits: Splits) -> Finding:
    counts = {name: len(split.group_names) for name, split in splits.items()}
    distinct = {group for split in splits.values() for group in split.group_names}
    told = [f"{name} {len(splits[name])} samples in {count} groups" for name, count in counts.items()]
    whole = len(distinct) == sum(counts.values()) and min(counts.values()) > 0
    return Finding("no group is in two splits", whole, ", ".join(told))


def near_images(task: Task, splits: Splits) -> Finding:
    """Checks that images do not nearly stand in two splits."""
    known = {print_ for name in ("train", "validation") for print_ in coarse(splits[name].images)}
    test = coarse(splits["test"].images)
    return _near(sum(print_ in known for print_ in test), len(test), "agree in a coarse picture")


def near_texts(task: Task, splits: Splits) -> Finding:
    """Checks that documents do not nearly stand in two splits."""
    known: set[int] = set()
    for name in ("train", "validation"):
        known.update(*(shingles(document) for document in splits[name].documents()))
    test = [shingles(document) for document in splits["test"].documents()]
    near = sum(len(runs & known) >= SHARED * len(runs) for runs in test)
    return _near(near, len(test), f"share {SHARED:.0%} of their runs of eight words")


def _near(near: int, total: int, how: str) -> Finding:
    claim = f"at most {NEAR_SHARE:.0%} of test samples nearly are in another split"
    return Finding(claim, near <= NEAR_SHARE * total, f"{near} of {total} {how}")


def balance(task: Task, splits: Splits) -> Finding:
    """Checks that every split has every class, none of them rare."""
    import numpy as np

    classes = task.signature.classes
    counts = {name: np.bincount(split.labels, minlength=classes) for name, split in splits.items()}
    total = np.sum(list(counts.values()), axis=0)
    there = total > 0
    empty = [name for name, count in counts.items() if count[there].min() == 0]
    missing = f"; a class is missing in {', '.join(empty)}" if empty else ""
    test = counts["test"]
    least, most = total[there].min(), total.max()
    return Finding(
        f"every split has every class, the rarest at least {BALANCE:.0%} of the most frequent",
        not empty and there.sum() > 1 and least >= BALANCE * most,
        f"{there.sum()} of {classes} classes, {least} to {most} samples each; the majority's "
        f"accuracy on test is {test.max() / test.sum():.3f}{missing}",
    )


def _probe(splits: Splits, predict: "Callable[[Split, Split], NDArray[Any]]") -> Finding:
    """Checks a linear probe, which gets a part of train, and test, and predicts test."""
    import numpy as np

    test = splits["test"]
    predicted = predict(_part(splits["train"]), test)
    score = float(
        np.mean([(predicted[test.labels == label] == label).mean() for label in np.unique(test.labels)])
    )
    blind = 1 / len(np.unique(splits["train"].labels))
    margin = 3 * (blind * (1 - blind) / len(test)) ** 0.5
    return Finding(
        "a linear probe beats chance",
        score > blind + margin,
        f"balanced accuracy {score:.3f} on {len(test)} test samples; "
        f"chance {blind:.3f} and three standard errors {margin:.3f}",
    )


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


def pixel_probe(task: Task, splits: Splits) -> Finding:
    """Checks that ridge regression on pixels beats chance."""

    def predict(train: Split, test: Split) -> "NDArray[Any]":
        from sklearn.linear_model import RidgeClassifier

        model = RidgeClassifier(alpha=10.0).fit(train.images.reshape(len(train), -1) / 255.0, train.labels)
        predicted: NDArray[Any] = model.predict(test.images.reshape(len(test), -1) / 255.0)
        return predicted

    return _probe(splits, predict)


def text_probe(task: Task, splits: Splits) -> Finding:
    """Checks that a linear model of n-grams beats chance."""
    return _probe(splits, lambda train, test: LinearText.fit([train]).classify(test.documents()))


def answers(task: Task, splits: Splits) -> Finding:
    """Checks that a right answer is told by more than its place and its words."""
    import numpy as np

    test = questions(splits["test"])
    chance = float(np.mean([1 / len(one.choices) for one in test]))
    majority = np.bincount([one.gold for one in questions(splits["train"])]).argmax()
    place = float(np.mean([one.gold == majority for one in test]))
    right = Counter(one.choices[one.gold] for one in questions(splits["train"]))
    known = float(np.mean([np.argmax([right[text] for text in one.choices]) == one.gold for one in test]))
    longest = float(np.mean([np.argmax([*map(len, one.choices)]) == one.gold for one in test]))
    return Finding(
        "the right answer is told neither by its place nor by its words alone",
        max(place, known) <= GUESS_SHARE * chance,
        f"on {len(test)} test questions chance has {chance:.3f}, the most frequent place {place:.3f}, "
        f"the answer that was right most often in train {known:.3f}, the longest answer {longest:.3f}",
    )


def unigram(task: Task, splits: Splits) -> Finding:
    """Checks that the frequencies of bytes beat chance."""
    import numpy as np

    counts = np.bincount(splits["train"].text, minlength=256) + 1.0
    bits = -np.log2(counts / counts.sum())
    test = splits["test"].text
    score = float(bits[test].mean())
    told = f"{score:.3f} bits on each of {len(test)} test bytes; chance {task.chance}"
    return Finding("a unigram model beats chance", score < task.chance, told)
