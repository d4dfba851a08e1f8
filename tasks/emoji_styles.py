"""Emoji in ten drawing styles: which of Unicode's categories is it, in a style and of a thing never seen?

The split is by concept and the same in every style, so a test picture of a held-out style shows a thing that
no training picture of any style shows.
"""

import re
import zlib
from collections.abc import Iterator
from functools import partial

from harness import Archives, Domain, Sample, Signature, Task
from harness.data.drawn.icons import concepts, draw, read_icons
from harness.data.packages import tarball

SIDE = 32
CATEGORIES = (
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
)
TONES = re.compile(r"(^|-)(medium-)?(light|medium|dark)-skin-tone(-|$)")

PACKAGES = {
    "noto": "1.2.9 3e918d88fc945c0bb3d468dbace6f88caef67f01c9f0e7bcae0915a042e8f1ad",
    "twemoji": "1.2.5 19046dff7d8707ce96212ec86468b36ac5f8e60409629dd13f809265c6d0ebb7",
    "emojione": "1.2.3 26a14f44284407e8bcde91799388dca2bfd91dbcd55a97f425524a1c5b73610e",
    "noto-v1": "1.2.5 2bf62c26c2c2884aa99e90aec942cdaee17a5921f05690694f4978ad4b017c37",
    "fluent-emoji-flat": "1.2.6 7d064769dee690815f823bc5bcc511d957198caf9f5edd8dd9c1aa48a6aeb175",
    "openmoji": "1.2.29 03181e2c156cab35cf4a62f1f7886bd971d59212e75ac3f189d5a4cae3930fc5",
    "fluent-emoji-high-contrast": "1.2.6 0b92d48c90d2200bd499e3cdd09a127ca6a8c8ddefd34c35eb5a1e4994012ae0",
    "emojione-monotone": "1.2.1 40b90004bafb406b59266155ef9b7e1dd67bf2947fc8db8d07388776f4d0d04e",
    "emojione-v1": "1.2.3 6641d59d48a42823fdc2b84e7427e9f302944eb98d2c7d94d6e67c139e7b37b3",
    "fxemoji": "1.2.2 f3e72b3c59d05e1db03b7e308d55c0d05bd7ba3f625a90da1b79313c12858eef",
}
"""Package of @iconify-json -> its version and sha256."""
ARCHIVES = {name: tarball(f"@iconify-json/{name}", *pin.split()) for name, pin in PACKAGES.items()}
NOTO = ARCHIVES["noto"]


def split_of(concept: str) -> str:
    """Returns the split of a concept: a fifth is test, and a fifth of the rest validation."""
    number = zlib.crc32(concept.encode())
    if number % 5 == 0:
        return "test"
    return "validation" if number // 5 % 5 == 0 else "train"


def _style(package: str, archives: Archives) -> Iterator[Sample]:
    """Yields one picture per concept that Noto has too, in any skin tone but the plain one left out."""
    reference = read_icons(archives[NOTO.name])
    icons = read_icons(archives[package])
    for name, concept in concepts(icons, reference):
        category = reference.categories.get(concept)
        if category in CATEGORIES and not TONES.search(concept):
            data = draw(icons, name, SIDE)
            yield Sample(data, CATEGORIES.index(category), f"{split_of(concept)}/{concept}")


FAMILIES = {
    **dict.fromkeys(("noto", "noto_v1"), "noto"),
    **dict.fromkeys(("emojione", "emojione_monotone", "emojione_v1"), "emojione"),
    **dict.fromkeys(("fluent_flat", "fluent_high_contrast"), "fluent"),
}
"""Style -> its artist, where several are of one: a later version, or the same drawings in one colour."""


def _domain(name: str, package: str, author: str, licence: str) -> Domain:
    archive = ARCHIVES[package]
    return Domain(
        name=name,
        origin=f"{author}, from {archive.name} {archive.version}; concepts of Noto {NOTO.version}",
        licence=licence,
        groups="concept",
        family=FAMILIES.get(name, ""),
        read=partial(_style, archive.name),
        archives=(archive,) if archive is NOTO else (archive, NOTO),
        fixed_splits=True,
    )


TASK = Task(
    summary="Name the Unicode category of an emoji in an unseen style; RGB 32 x 32; balanced accuracy.",
    signature=Signature(kind="image", classes=len(CATEGORIES), channels=3, height=SIDE, width=SIDE),
    metric="balanced_accuracy",
    chance=1 / len(CATEGORIES),
    domains=(
        _domain("noto", "noto", "Noto Emoji by Google", "Apache-2.0"),
        _domain("twemoji", "twemoji", "Twitter Emoji by Twitter", "CC BY 4.0"),
        _domain("emojione", "emojione", "Emoji One (colored) by EmojiTwo", "CC BY 4.0"),
        _domain("noto_v1", "noto-v1", "Noto Emoji (v1) by Google", "Apache-2.0"),
        _domain("fluent_flat", "fluent-emoji-flat", "Fluent Emoji Flat by Microsoft", "MIT"),
        _domain("openmoji", "openmoji", "OpenMoji", "CC BY-SA 4.0"),
        _domain(
            "fluent_high_contrast",
            "fluent-emoji-high-contrast",
            "Fluent Emoji High Contrast by Microsoft",
            "MIT",
        ),
        _domain("emojione_monotone", "emojione-monotone", "Emoji One (monotone) by EmojiTwo", "CC BY 4.0"),
        _domain("emojione_v1", "emojione-v1", "Emoji One (v1) by JoyPixels", "CC BY-SA 4.0"),
        _domain("fxemoji", "fxemoji", "Firefox OS Emoji by Mozilla", "Apache-2.0"),
    ),
    sources=("noto", "twemoji", "emojione", "noto_v1"),
    held_out=("fluent_flat", "openmoji", "fluent_high_contrast", "fxemoji"),
    class_names=CATEGORIES,
    shares_groups=True,
)
