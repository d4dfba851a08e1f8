"""Typefaces: characters of released TrueType and figlet fonts as samples of one label space.

The domains `print` and `figlet` of every task of characters are read here.
"""

import hashlib
import re
from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import PurePosixPath

import numpy as np

from harness.data.drawn.glyphs import (
    PLAIN,
    Jitter,
    families,
    figlet_glyphs,
    fit,
    parse_figlet,
    readable,
    truetype_glyphs,
)
from harness.data.foreign.archive import zip_archive
from harness.data.packages import PYFIGLET, RENDERCV_FONTS
from harness.seeds import generator
from harness.task.task import Archives, Domain, Sample

SYMBOLS = ("cmex10", "cmsy10")


def print_domain(task_name: str, characters: str, what: str, *, jitters: int) -> Domain:
    """Returns the domain of `characters` in the TrueType faces of rendercv-fonts and matplotlib.

    Args:
        task_name: name of the stream that jitters are drawn from.
        characters: one per class, in the order of the labels.
        jitters: drawings of each glyph, each turned, shifted and scaled a little; 0 for one as it stands.
    """
    times = {0: "once", 4: "four times"}.get(jitters, f"{jitters} times")
    return Domain(
        name="print",
        origin=f"{what} of TrueType faces of rendercv-fonts 0.5.1 and matplotlib, each drawn {times}",
        licence="SIL OFL 1.1, Apache-2.0, Ubuntu, Bitstream Vera and STIX font licences",
        groups="font family",
        read=partial(_print, task_name, characters, jitters),
        archives=(RENDERCV_FONTS,),
    )


def figlet_domain(characters: str, what: str) -> Domain:
    """Returns the domain of `characters` in the text-art fonts of pyfiglet that can be read.

    A font stays when half of its glyphs have their like among the other fonts as nearest neighbour.
    """
    return Domain(
        name="figlet",
        origin=f"{what} of the text-art fonts of pyfiglet 1.0.4 that a nearest neighbour can read",
        licence="MIT (pyfiglet); fonts under their authors' terms",
        groups="font family",
        read=partial(_figlet, characters),
        archives=(PYFIGLET,),
    )


def _faces(archives: Archives) -> Iterator[tuple[str, str, bytes]]:
    """Yields (family, face, font file) of rendercv-fonts and of matplotlib, without faces of symbols."""
    with zip_archive(archives["rendercv-fonts"]) as wheel:
        for name in sorted(wheel.names):
            if name.endswith((".ttf", ".otf")):
                path = PurePosixPath(name)
                yield path.parent.name, path.stem, wheel.read(name)
    folder = resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".ttf"):
            face = file.name.removesuffix(".ttf")
            family = re.match(r"DejaVuSans|DejaVuSerif|STIX|cm(?=[a-z]+10)", face)
            if face not in SYMBOLS:
                yield family[0] if family else face, face, file.read_bytes()


def _print(task_name: str, characters: str, jitters: int, archives: Archives) -> Iterator[Sample]:
    for family, face, font in _faces(archives):
        pictures = truetype_glyphs(font, characters)
        for label, picture in enumerate(pictures or ()):
            for jitter in _jitters(jitters, task_name, face, label):
                yield Sample(fit(picture, jitter).tobytes(), label, family)


def _jitters(count: int, task_name: str, face: str, label: int) -> Iterator[Jitter]:
    if count == 0:
        yield PLAIN
    draw = generator(0, task_name, "print", face, label)
    for _ in range(count):
        box, right, down = (int(step) for step in draw.integers([17, -2, -2], [23, 3, 3]))
        yield Jitter(box=box, angle=float(draw.uniform(-8, 8)), right=right, down=down)


def _figlet(characters: str, archives: Archives) -> Iterator[Sample]:
    cells = resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSansMono.ttf"
    cell_font = cells.read_bytes()
    stems, glyphs = [], []
    seen: set[bytes] = set()
    with zip_archive(archives["pyfiglet"]) as wheel:
        for name in sorted(wheel.names):
            if not name.endswith((".flf", ".tlf")):
                continue
            parsed = parse_figlet(wheel.read(name))
            pictures = figlet_glyphs(parsed, characters, cell_font) if parsed else None
            if pictures is None:
                continue
            images = np.stack([fit(picture).reshape(-1) for picture in pictures])
            digest = hashlib.sha256(images.tobytes()).digest()
            if digest not in seen:
                seen.add(digest)
                stems.append(PurePosixPath(name).stem)
                glyphs.append(images)
    stacked = np.stack(glyphs)
    chosen = np.flatnonzero(readable(stacked, len(characters) // 2))
    names = families([stems[font] for font in chosen], stacked[chosen])
    for font, family in zip(chosen, names, strict=True):
        for label in range(len(characters)):
            yield Sample(stacked[font, label].tobytes(), label, family)
