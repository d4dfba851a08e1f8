"""Corruptions: any domain made harder, as a domain of its own that a suite names `mnist+blur-3`.

Images get noise, blur, less contrast, a rotation or an inversion; documents get typos, other casing, other
white space or homoglyphs. Severities go from 1 to 5. What is drawn for a sample depends on the sample and on
the corruption alone, so that a sample is corrupted the same way, only more, at every severity.

Source: Hendrycks and Dietterich 2019 (ImageNet-C, arXiv 1903.12261), with the constants of their released
code for noise and contrast. Ours: blur is a share of the image's side, as images may be small; rotation,
inversion and all that is done to documents.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from harness.data.prepare import split_rows
from harness.errors import HarnessError, UnknownNameError
from harness.learn.modality import Corruption, modality_of
from harness.seeds import generator
from harness.task.signature import Signature
from harness.task.task import Archives, Domain, Sample, Task

SEVERITIES = (1, 2, 3, 4, 5)

NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)
"""Standard deviation, with pixels in [0, 1]."""
BLUR = (0.015, 0.02, 0.03, 0.04, 0.06)
"""Standard deviation of the kernel, a share of the shorter side."""
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
"""What is left of the distance from the mean of a channel."""
ROTATION = (10, 20, 30, 45, 60)
"""Degrees, to one side or the other."""
INVERSION = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Share of the columns that are inverted, from one side or the other."""
TYPOS = (0.01, 0.03, 0.06, 0.1, 0.2)
"""Share of letters that are swapped with the next, left out, doubled or hit beside."""
CASING = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Share of words in capitals."""
WHITESPACE = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Share of blanks that are lost, doubled, or a tab or a line's end."""
HOMOGLYPHS = (0.02, 0.05, 0.1, 0.25, 0.5)
"""Share of Latin letters that become a Cyrillic one of the same shape."""

KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
LATIN = "aceijopsxyABCEHIKMOPSTX"
CYRILLIC = "асеіјорѕхуАВСЕНІКМОРЅТХ"


def family_of(task: Task, name: str) -> str:
    """Returns what a domain shares with others of its author, artist or source; its own name by default."""
    domain = domain_of(task, name)
    return domain.family or domain.name.partition("+")[0]


def domain_of(task: Task, name: str) -> Domain:
    """Returns the task's domain `name`, or DOMAIN+CORRUPTION-SEVERITY made of one.

    A corrupted domain has the splits, labels and groups of its domain, so the test split of one never meets
    the training split of the other.

    Raises:
        UnknownNameError: the task has no such domain, or there is no such corruption for its kind.
        HarnessError: the name is not of that form, or the severity is not from 1 to 5.
    """
    if "+" not in name or any(domain.name == name for domain in task.domains):
        return task.domain(name)
    plain, _, what = name.partition("+")
    base = task.domain(plain)
    made = modality_of(task.signature.kind).corruptions
    known = tuple(made)
    if not known:
        raise HarnessError(f"Tasks of kind {task.signature.kind} have no corruptions; give {plain!r} alone.")
    match = re.fullmatch(r"([a-z]+)-(\d+)", what)
    if match is None:
        raise HarnessError(
            f"{name!r} is no corrupted domain; write DOMAIN+CORRUPTION-SEVERITY, as in {plain}+{known[0]}-3."
        )
    if match[1] not in known:
        raise UnknownNameError(f"corruption of kind {task.signature.kind}", match[1], known)
    severity = int(match[2])
    if severity not in SEVERITIES:
        raise HarnessError(f"{name!r} has severity {severity}; give 1 to 5, as in {plain}+{match[1]}-3.")
    return replace(
        base,
        name=name,
        origin=f"{base.origin}; {match[1]} of severity {severity}",
        read=partial(_corrupted, base, task.signature, made[match[1]], severity),
        sha256=None,
        stratum=base.stratum and f"{base.stratum}, corrupted",
        fixed_splits=True,
    )


def corrupt_image(image: NDArray[np.uint8], corruption: str, severity: int) -> NDArray[np.uint8]:
    """Returns a corrupted copy of a uint8 image, shape (channels, height, width)."""
    pixels = image.astype(np.float64) / 255
    changed = _PIXELS[corruption](pixels, severity - 1, _draw(corruption, image.tobytes()))
    return np.asarray(np.rint(changed.clip(0, 1) * 255), np.uint8)


def corrupt_text(document: bytes, corruption: str, severity: int) -> bytes:
    """Returns a corrupted copy of a document; bytes that are not UTF-8 stay as they are."""
    text = document.decode(errors="surrogateescape")
    changed = _LETTERS[corruption](text, severity - 1, _draw(corruption, document))
    return changed.encode(errors="surrogateescape") or document


def _draw(corruption: str, data: bytes) -> np.random.Generator:
    return generator(0, "corruption", corruption, hashlib.sha256(data).hexdigest())


def _corrupted(
    base: Domain, signature: Signature, corrupt: Corruption, severity: int, archives: Archives
) -> Iterator[Sample]:
    for split, sample in split_rows(base, archives)[0]:
        data = corrupt(sample.data, signature, severity)
        group = sample.group if base.fixed_splits else f"{split}/{sample.group}"
        yield Sample(data, sample.label, group)


def _of_image(corruption: str, data: bytes, signature: Signature, severity: int) -> bytes:
    shape = (signature.channels, signature.height, signature.width)
    image = np.frombuffer(data, np.uint8).reshape(shape)
    return corrupt_image(image, corruption, severity).tobytes()


def _of_text(corruption: str, data: bytes, signature: Signature, severity: int) -> bytes:
    return corrupt_text(data, corruption, severity)


def _noise(pixels: NDArray[np.float64], level: int, draw: np.random.Generator) -> NDArray[np.float64]:
    return pixels + NOISE[level] * draw.standard_normal(pixels.shape)


def _blur(pixels: NDArray[np.float64], level: int, draw: np.random.Generator) -> NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter

    width = BLUR[level] * min(pixels.shape[1:])
    return np.asarray(gaussian_filter(pixels, (0, width, width), mode="nearest"), np.float64)


def _contrast(pixels: NDArray[np.float64], level: int, draw: np.random.Generator) -> NDArray[np.float64]:
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    return np.asarray(mean + CONTRAST[level] * (pixels - mean), np.float64)


def _rotation(pixels: NDArray[np.float64], level: int, draw: np.random.Generator) -> NDArray[np.float64]:
    from scipy.ndimage import rotate

    angle = ROTATION[level] * (1 if draw.random() < 0.5 else -1)
    turned = rotate(pixels, angle, axes=(2, 1), reshape=False, order=1, mode="nearest")
    return np.asarray(turned, np.float64)


def _inversion(pixels: NDArray[np.float64], level: int, draw: np.random.Generator) -> NDArray[np.float64]:
    width = pixels.shape[2]
    columns = round(INVERSION[level] * width)
    part = slice(0, columns) if draw.random() < 0.5 else slice(width - columns, width)
    changed = pixels.copy()
    changed[:, :, part] = 1 - changed[:, :, part]
    return changed


def _typos(text: str, level: int, draw: np.random.Generator) -> str:
    hits = draw.random(len(text)) < TYPOS[level]
    kinds = draw.integers(4, size=len(text))
    sides = draw.integers(2, size=len(text))
    letters = list(text)
    for place in hits.nonzero()[0].tolist():
        letter = text[place]
        if not letter.isalpha():
            continue
        if kinds[place] == 0 and place + 1 < len(letters):
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
        elif kinds[place] == 1:
            letters[place] = ""
        elif kinds[place] == 2:
            letters[place] = 2 * letter
        else:
            letters[place] = _beside(letter, int(sides[place]))
    return "".join(letters)


def _beside(letter: str, side: int) -> str:
    """Returns the letter of a key beside; a letter of no such keyboard is doubled."""
    row = next((keys for keys in KEYS if letter.lower() in keys), None)
    if row is None:
        return 2 * letter
    place = row.index(letter.lower())
    beside = row[place + 1] if (side and place + 1 < len(row)) or place == 0 else row[place - 1]
    return beside.upper() if letter.isupper() else beside


def _casing(text: str, level: int, draw: np.random.Generator) -> str:
    parts = re.split(r"(\s+)", text)
    hits = draw.random(len(parts)) < CASING[level]
    return "".join(part.upper() if hit else part for part, hit in zip(parts, hits, strict=True))


def _whitespace(text: str, level: int, draw: np.random.Generator) -> str:
    parts = text.split(" ")
    hits = draw.random(len(parts)) < WHITESPACE[level]
    kinds = draw.integers(4, size=len(parts))
    blanks = (("", "  ", "\n", "\t")[kind] if hit else " " for hit, kind in zip(hits, kinds, strict=True))
    joined = "".join(part + blank for part, blank in zip(parts[:-1], blanks, strict=False))
    return joined + parts[-1]


def _homoglyphs(text: str, level: int, draw: np.random.Generator) -> str:
    alike = dict(zip(LATIN, CYRILLIC, strict=True))
    hits = draw.random(len(text)) < HOMOGLYPHS[level]
    return "".join(
        alike.get(letter, letter) if hit else letter for letter, hit in zip(text, hits, strict=True)
    )


_PIXELS: dict[str, Callable[[NDArray[np.float64], int, np.random.Generator], NDArray[np.float64]]] = {
    "noise": _noise,
    "blur": _blur,
    "contrast": _contrast,
    "rotation": _rotation,
    "inversion": _inversion,
}
_LETTERS: dict[str, Callable[[str, int, np.random.Generator], str]] = {
    "typos": _typos,
    "casing": _casing,
    "whitespace": _whitespace,
    "homoglyphs": _homoglyphs,
}

OF_IMAGES: Mapping[str, Corruption] = {name: partial(_of_image, name) for name in _PIXELS}
OF_TEXTS: Mapping[str, Corruption] = {name: partial(_of_text, name) for name in _LETTERS}
