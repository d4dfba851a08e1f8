"""Glyphs: characters of TrueType and figlet fonts as small grey pictures, light on black."""

import io
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.near import firsts

if TYPE_CHECKING:
    from PIL import Image

SIDE = 28
BOX = 20
LARGE = 96
CELL = 16
MISSING = "\U0010fffd"


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """A small change of a glyph.

    Attributes:
        box: side in pixels of the square it is fitted into.
        angle: degrees counter-clockwise.
        right: shift in pixels.
        down: shift in pixels.
    """

    box: int = BOX
    angle: float = 0.0
    right: int = 0
    down: int = 0


PLAIN = Jitter()

Figlet = Mapping[str, tuple[str, ...]]
"""A parsed figlet or TOIlet font: character -> its rows of text."""


def truetype_glyphs(font: bytes, characters: str) -> "list[Image.Image] | None":
    """Returns one large picture per character, or None when the font lacks or repeats one of them."""
    from PIL import ImageFont

    try:
        face = ImageFont.truetype(io.BytesIO(font), LARGE, layout_engine=ImageFont.Layout.BASIC)
        pictures = [_draw(face, character) for character in [*characters, MISSING]]
    except OSError:
        return None
    return _distinct(pictures[:-1], absent=pictures[-1])


def figlet_glyphs(font: Figlet, characters: str, cell_font: bytes) -> "list[Image.Image] | None":
    """Returns one large picture per character, or None when the font lacks or repeats one of them.

    The text of a figlet glyph is drawn in the fixed-width face `cell_font`, each row under the last.
    """
    if any(character not in font for character in characters):
        return None
    return _distinct([_draw_rows(font[character], cell_font) for character in characters], absent=None)


def parse_figlet(data: bytes) -> Figlet | None:
    """Returns the printable ASCII characters of a .flf or .tlf font, or None when it is damaged.

    Source: the FIGfont version 2 standard, "The header line" and "FIGcharacter data".
    """
    text = data.decode("utf-8", errors="replace") if data[:4] == b"tlf2" else data.decode("latin-1")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    header = re.match(r"[ft]lf2.(\S)\s+(\d+)\s+-?\d+\s+-?\d+\s+-?\d+\s+(\d+)", lines[0])
    if header is None or int(header[2]) == 0:
        return None
    blank, height, comments = header[1], int(header[2]), int(header[3])
    body = lines[1 + comments :]
    rows = {}
    for place, character in enumerate(map(chr, range(32, 127))):
        block = body[place * height : (place + 1) * height]
        if len(block) < height:
            return None
        rows[character] = tuple(_strip_end(line).replace(blank, " ") for line in block)
    return rows


def fit(picture: "Image.Image", jitter: Jitter = PLAIN) -> NDArray[np.uint8]:
    """Returns the ink of `picture` in a box in the middle, aspect kept, uint8, shape (1, 28, 28)."""
    from PIL import Image

    if jitter.angle:
        picture = picture.rotate(jitter.angle, Image.Resampling.BICUBIC, expand=True)
    picture = picture.crop(picture.getbbox())
    scale = jitter.box / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    small = picture.resize((width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR)
    square = Image.new("L", (SIDE, SIDE))
    square.paste(small, ((SIDE - width) // 2 + jitter.right, (SIDE - height) // 2 + jitter.down))
    result = np.array(square, np.uint8)
    brightest = int(result.max())
    if brightest:
        result = np.rint(result * (255.0 / brightest)).astype(np.uint8)
    return result[None]


def readable(images: NDArray[np.uint8], needed: int) -> NDArray[np.bool_]:
    """Returns which fonts of (fonts, characters, pixels) have `needed` glyphs whose like in others agrees."""
    fonts, characters, pixels = images.shape
    flat = images.reshape(-1, pixels).astype(np.float32)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    owner = np.repeat(np.arange(fonts), characters)
    right = np.zeros(len(flat), np.bool_)
    for font in range(fonts):
        mine = slice(font * characters, (font + 1) * characters)
        likeness = flat[mine] @ flat.T
        likeness[:, owner == font] = -1
        right[mine] = likeness.argmax(axis=1) % characters == np.arange(characters)
    return np.asarray(right.reshape(fonts, characters).sum(axis=1) >= needed)


def families(stems: Sequence[str], images: NDArray[np.uint8]) -> list[str]:
    """Returns a family per font: fonts whose names agree, or half of whose glyphs nearly do, share one.

    Names agree when they are equal after digits, separators and the words of styles are taken away. A
    family is called after its first font. Images are uint8, shape (fonts, characters, pixels).
    """
    links: list[tuple[int, int]] = []
    by_name: dict[str, int] = {}
    for font, stem in enumerate(stems):
        links.append((font, by_name.setdefault(_family_name(stem), font)))
    glyphs = images.astype(np.float32)
    glyphs /= np.maximum(np.linalg.norm(glyphs, axis=2, keepdims=True), 1e-6)
    likeness = np.einsum("acp,bcp->cab", glyphs, glyphs, optimize=True)
    alike = (likeness > 0.97).mean(axis=0) >= 0.5
    links += zip(*(place.tolist() for place in np.nonzero(np.triu(alike, 1))), strict=True)
    return [stems[first] for first in firsts(len(stems), links)]


_STYLE = re.compile(
    r"(bold|italic|oblique|slant|small|big|wide|mini|rev|flip|invert|left|right|script|tall|thin|double)+$"
)


def _family_name(stem: str) -> str:
    plain = stem.lower().translate(str.maketrans("", "", string.digits + "-_ ."))
    return _STYLE.sub("", plain) or plain


def _strip_end(line: str) -> str:
    line = line.rstrip()
    return line.rstrip(line[-1]) if line else line


def _draw(face: Any, text: str) -> "Image.Image":
    from PIL import Image, ImageDraw

    left, top, right, bottom = (int(side) for side in face.getbbox(text))
    picture = Image.new("L", (max(1, right - left) + 4, max(1, bottom - top) + 4))
    ImageDraw.Draw(picture).text((2 - left, 2 - top), text, fill=255, font=face)
    return picture


@lru_cache(maxsize=4096)
def _cell(character: str, font: bytes) -> "Image.Image":
    from PIL import Image, ImageDraw, ImageFont

    face = ImageFont.truetype(io.BytesIO(font), CELL, layout_engine=ImageFont.Layout.BASIC)
    width = round(face.getlength("M"))
    picture = Image.new("L", (width, 2 * width))
    ImageDraw.Draw(picture).text((0, round(1.55 * width)), character, fill=255, font=face, anchor="ls")
    return picture


def _draw_rows(rows: Iterable[str], cell_font: bytes) -> "Image.Image":
    from PIL import Image

    lines = list(rows)
    width, height = _cell("M", cell_font).size
    columns = max((len(line) for line in lines), default=0)
    picture = Image.new("L", (max(1, columns * width), max(1, len(lines) * height)))
    for down, line in enumerate(lines):
        for right, character in enumerate(line):
            if not character.isspace():
                picture.paste(_cell(character, cell_font), (right * width, down * height))
    return picture


def _distinct(pictures: "list[Image.Image]", absent: "Image.Image | None") -> "list[Image.Image] | None":
    if not all(picture.getbbox() for picture in pictures):
        return None
    compared = [*pictures, absent] if absent is not None and absent.getbbox() else pictures
    return pictures if len({fit(picture).tobytes() for picture in compared}) == len(compared) else None
