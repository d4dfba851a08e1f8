"""Quality of a task: the claims that must hold before a score on its domains means anything."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.data.load import load_split
from harness.data.near import SHARED, coarse, shingles
from harness.data.prepare import Prepared, prepare_domain, verify_domain
from harness.data.split import Split
from harness.errors import DataUnavailableError
from harness.task import SPLITS, Domain, Task

NEAR_SHARE = 0.01
BALANCE = 0.1
PROBE_SAMPLES = 3000

Splits = dict[str, Split]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One claim about a task and whether it holds.

    Attributes:
        claim: what should be so, with the domain's name in front where it is about one.
        holds: whether it is.
        detail: the numbers, or what is wrong.
    """

    claim: str
    holds: bool
    detail: str


def check_task(task_name: str, task: Task, folder: Path, *, offline: bool) -> list[Finding]:
    """Returns the findings about the task's card and about each of its domains, preparing them."""
    findings = [*_card(task)]
    for domain in task.domains:
        findings.extend(_domain(task_name, task, domain, folder, offline))
    return findings


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
    expected = 8.0 if task.metric == "bits_per_byte" else 1 / classes
    # Plain accuracy may state the majority's share, which depends on the domains.
    exact = abs(task.chance - expected) < 1e-6
    yield Finding(
        claim="chance is stated",
        holds=exact or (task.metric == "accuracy" and expected < task.chance < 1),
        detail=f"stated {task.chance:.4g}; a blind guess among {classes} has {expected:.4g}",
    )
    if task.signature.kind == "image":
        yield Finding(
            claim="every class has a name",
            holds=len(task.class_names) == classes,
            detail=f"{len(task.class_names)} names, {classes} classes",
        )


def _domain(task_name: str, task: Task, domain: Domain, folder: Path, offline: bool) -> Iterator[Finding]:
    yield Finding(
        claim=f"{domain.name}: origin, licence and groups are stated",
        holds=all(text.strip() for text in (domain.origin, domain.licence, domain.groups)),
        detail=f"{domain.origin}; {domain.licence}; split by {domain.groups}",
    )
    try:
        card = prepare_domain(task_name, domain, folder, offline=offline)
        splits = {name: load_split(task_name, task, domain, name, folder) for name in SPLITS}
    except DataUnavailableError as error:
        yield Finding(claim=f"{domain.name}: its data is there", holds=False, detail=str(error))
        return
    yield _hash(task_name, domain, folder, card)
    checks: list[Callable[[Splits], Finding]] = [_exact, _groups]
    if task.signature.kind == "image":
        checks += [_near_images, _balance(task.signature.classes), _probe(task)]
    else:
        checks += [_near_texts, _unigram(task)]
    for check in checks:
        found = check(splits)
        yield Finding(claim=f"{domain.name}: {found.claim}", holds=found.holds, detail=found.detail)


def _hash(task_name: str, domain: Domain, folder: Path, card: Prepared) -> Finding:
    claim = f"{domain.name}: the arrays are the recorded ones"
    try:
        verify_domain(task_name, domain, folder)
    except DataUnavailableError as error:
        return Finding(claim=claim, holds=False, detail=str(error))
    versions = ", ".join(f"{name} {version}" for name, version in sorted(card.versions.items()))
    pinned = "as the task pins it" if domain.sha256 else f"not pinned, made with {versions}"
    return Finding(claim=claim, holds=True, detail=f"sha256 {card.sha256[:16]}, {pinned}")


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
    distinct = {group for split in splits.values() for group in split.group_names}
    return Finding(
        claim="no group is in two splits",
        holds=len(distinct) == sum(counts.values()) and min(counts.values()) > 0,
        detail=", ".join(f"{name} {count}" for name, count in counts.items()) + " groups",
    )


def _near_images(splits: Splits) -> Finding:
    known = {print_ for name in ("train", "validation") for print_ in coarse(splits[name].images)}
    test = coarse(splits["test"].images)
    return _near(sum(print_ in known for print_ in test), len(test), "agree in a coarse picture")


def _near_texts(splits: Splits) -> Finding:
    known: set[int] = set()
    for name in ("train", "validation"):
        known.update(*(shingles(document) for document in splits[name].documents()))
    test = [shingles(document) for document in splits["test"].documents()]
    near = sum(len(runs & known) >= SHARED * len(runs) for runs in test)
    return _near(near, len(test), f"share {SHARED:.0%} of their runs of eight words")


def _near(near: int, total: int, how: str) -> Finding:
    return Finding(
        claim=f"at most {NEAR_SHARE:.0%} of test samples nearly are in another split",
        holds=near <= NEAR_SHARE * total,
        detail=f"{near} of {total} {how}",
    )


def _balance(classes: int) -> Callable[[Splits], Finding]:
    def check(splits: Splits) -> Finding:
        import numpy as np

        counts = {name: np.bincount(split.labels, minlength=classes) for name, split in splits.items()}
        total = np.sum(list(counts.values()), axis=0)
        empty = [name for name, count in counts.items() if count.min() == 0]
        missing = f"; a class is missing in {', '.join(empty)}" if empty else ""
        test = counts["test"]
        return Finding(
            claim=f"every split has every class, the rarest at least {BALANCE:.0%} of the most frequent",
            holds=not empty and total.min() >= BALANCE * total.max(),
            detail=f"{total.min()} to {total.max()} samples a class; the majority's accuracy on test is "
            f"{test.max() / test.sum():.3f}{missing}",
        )

    return check


def _probe(task: Task) -> Callable[[Splits], Finding]:
    def check(splits: Splits) -> Finding:
        import numpy as np
        from sklearn.linear_model import RidgeClassifier

        train, test = splits["train"], splits["test"]
        step = -(-len(train) // PROBE_SAMPLES)
        pixels = train.images[::step].reshape(-1, int(np.prod(train.images.shape[1:]))) / 255.0
        probe = RidgeClassifier(alpha=10.0).fit(pixels, train.labels[::step])
        predicted = probe.predict(test.images.reshape(len(test), -1) / 255.0)
        score = float(
            np.mean([(predicted[test.labels == label] == label).mean() for label in np.unique(test.labels)])
        )
        blind = 1 / task.signature.classes
        margin = 3 * (blind * (1 - blind) / len(test)) ** 0.5
        return Finding(
            claim="a linear probe beats chance",
            holds=score > blind + margin,
            detail=f"balanced accuracy {score:.3f} on {len(test)} test samples; "
            f"chance {blind:.3f} and three standard errors {margin:.3f}",
        )

    return check


def _unigram(task: Task) -> Callable[[Splits], Finding]:
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
