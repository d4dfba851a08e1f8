"""Released typefaces of Fontsource: 150 named families in five categories, each a pinned package of npm.

`fontsource.csv` names them. Of families that are drawn together over several categories (Roboto and Roboto
Mono), or in two nearly alike designs (Poppins and DM Mono), it has one.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from harness.data.drawn.glyphs import families, fit, truetype_glyphs
from harness.data.foreign.archive import tar_members
from harness.data.near import coarse
from harness.data.packages import tarball
from harness.errors import DataUnavailableError
from harness.task.task import Archive, Archives, Domain, Sample

FACES = re.compile(r"package/files/.*-latin-(400|700)-(normal|italic)\.woff")
"""A family's regular and bold faces, upright and italic."""
CATEGORIES = ("sans-serif", "serif", "monospace", "display", "handwriting")
NAMES = {"sans-serif": "sans_serif", "handwriting": "script"}
"""Category -> domain, where they differ."""
LICENCES = {
    "sans-serif": "OFL-1.1",
    "serif": "OFL-1.1",
    "monospace": "OFL-1.1, UFL-1.0",
    "display": "OFL-1.1, Apache-2.0",
    "handwriting": "OFL-1.1, Apache-2.0",
}
"""Category -> licences of its families, which must be those that the packages name."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family as its package has it.

    Attributes:
        name: of the package, without its scope.
        category: that its metadata name.
        licence: SPDX name.
        faces: font files, the regular upright one first.
    """

    name: str
    category: str
    licence: str
    faces: tuple[bytes, ...]


def fontsource_domains(characters: str, what: str) -> tuple[Domain, ...]:
    """Returns a domain a category: `characters` in all faces of its families.

    Args:
        characters: one per class, in the order of the labels.
        what: they are, e.g. `Digits`.
    """
    return tuple(
        Domain(
            name=NAMES.get(category, category),
            origin=f"{what} of {len(_archives()[category])} {category} typefaces of npm's @fontsource",
            licence=LICENCES[category],
            groups="font family",
            stratum="typefaces",
            read=partial(_read, category, characters),
            archives=_archives()[category],
        )
        for category in CATEGORIES
    )


@cache
def _archives() -> dict[str, tuple[Archive, ...]]:
    """Returns category -> packages."""
    with Path(__file__).with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        category: tuple(
            tarball(f"@fontsource/{row['name']}", row["version"], row["sha256"])
            for row in rows
            if row["category"] == category
        )
        for category in CATEGORIES
    }


def read_family(path: Path) -> Family:
    """Returns the family of a fetched package.

    Raises:
        DataUnavailableError: it has no regular face, or no metadata.
    """
    held = dict(
        tar_members(path, lambda name: name == "package/metadata.json" or bool(FACES.fullmatch(name)))
    )
    try:
        metadata = json.loads(held.pop("package/metadata.json"))
        name, category = str(metadata["id"]), str(metadata["category"])
        licence = str(metadata["license"]["type"])
        held[f"package/files/{name}-latin-400-normal.woff"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataUnavailableError(f"{path} is no package of Fontsource: {error!r}.") from error
    order = sorted(held, key=lambda face: ("-400-normal" not in face, face))
    return Family(name=name, category=category, licence=licence, faces=tuple(held[face] for face in order))


def _read(category: str, characters: str, archives: Archives) -> Iterator[Sample]:
    """Yields the characters of every face that has all of them.

    Nearly alike families are one group; a character that nearly is that of another group, as a bar for I is,
    is left out.
    """
    read = [read_family(archives[archive.name]) for archive in _archives()[category]]
    licences = {one.licence for one in read}
    if wrong := [one.name for one in read if one.category != category]:
        raise DataUnavailableError(f"@fontsource/{wrong[0]} is not of {category} type.")
    if licences != set(LICENCES[category].split(", ")):
        raise DataUnavailableError(f"Families of {category} type are under {', '.join(sorted(licences))}.")
    drawn = []
    for one in read:
        glyphs = [truetype_glyphs(face, characters) for face in one.faces]
        faces = [[fit(picture) for picture in pictures] for pictures in glyphs if pictures]
        if faces:
            drawn.append((one.name, faces))
    regular = np.stack([np.stack(faces[0]).reshape(len(characters), -1) for _, faces in drawn])
    groups = families([name for name, _ in drawn], regular)
    owners: dict[bytes, str] = {}
    for group, (_, faces) in zip(groups, drawn, strict=True):
        for face in faces:
            for label, (image, fingerprint) in enumerate(zip(face, coarse(np.stack(face)), strict=True)):
                if owners.setdefault(fingerprint, group) == group:
                    yield Sample(image.tobytes(), label, group)
