"""Truth: a figlet font written by hand, the DejaVu faces of matplotlib, and near copies made on purpose."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from harness.data.drawn.glyphs import (
    Jitter,
    families,
    figlet_glyphs,
    fit,
    parse_figlet,
    readable,
    truetype_glyphs,
)
from harness.data.near import coarse, distinct, shingles

FACES = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
DIGITS = "0123456789"


def figlet(digits: str = DIGITS) -> bytes:
    """Returns a font whose digit d is d + 1 marks over a hard blank and a mark."""
    lines = ["flf2a$ 2 1 12 0 1", "a comment"]
    for character in map(chr, range(32, 127)):
        marks = "#" * (1 + digits.index(character)) if character in digits else " "
        lines += [f"{marks}@", "$#@@"] if character in digits else [" @", " @@"]
    return "\n".join(lines).encode("latin-1")


def test_a_figlet_font_is_read_without_its_end_marks_and_hard_blanks() -> None:
    font = parse_figlet(figlet())
    assert font["2"] == ("###", " #")


@pytest.mark.parametrize("data", [b"", b"no font", figlet()[:200], b"flf2a$ 0 1 12 0 1\n"])
def test_a_damaged_figlet_font_is_none(data: bytes) -> None:
    assert parse_figlet(data) is None


def test_figlet_fonts_that_lack_or_repeat_glyphs_are_skipped() -> None:
    cells = (FACES / "DejaVuSansMono.ttf").read_bytes()
    whole, empty = parse_figlet(figlet()), parse_figlet(figlet(digits="012345678"))
    assert empty is not None
    glyphs = figlet_glyphs(whole, DIGITS, cells)
    assert glyphs is not None
    assert len(glyphs) == 10
    assert figlet_glyphs(empty, DIGITS, cells) is None
    repeated = {**whole, "7": whole["3"]}
    assert figlet_glyphs(repeated, DIGITS, cells) is None


def test_truetype_faces_give_ten_glyphs_or_none() -> None:
    glyphs = truetype_glyphs((FACES / "DejaVuSans.ttf").read_bytes(), DIGITS)
    assert glyphs is not None
    assert len(glyphs) == 10
    assert truetype_glyphs((FACES / "STIXSizOneSymReg.ttf").read_bytes(), DIGITS) is None
    assert truetype_glyphs(b"no font", DIGITS) is None


def test_a_glyph_fills_its_box_in_the_middle() -> None:
    picture = Image.new("L", (200, 300))
    picture.paste(180, (50, 30, 110, 150))
    image = fit(picture)[0]
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (4, 23, 9, 18)
    assert image.max() == 255
    moved = fit(picture, Jitter(right=2, down=-3))[0]
    assert np.array_equal(np.roll(image, (-3, 2), axis=(0, 1)), moved)


def test_fonts_without_likeness_are_not_readable() -> None:
    draw = np.random.default_rng(0)
    shapes = draw.integers(0, 256, (1, 4, 64)).repeat(5, axis=0)
    near = np.clip(shapes + draw.integers(-20, 20, shapes.shape), 0, 255).astype(np.uint8)
    near[2] = near[2, [1, 2, 3, 0]]
    assert readable(near, 1).tolist() == [True, True, False, True, True]


def test_fonts_with_equal_names_or_glyphs_are_one_family() -> None:
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (5, 4, 64)).astype(np.uint8)
    images[3] = images[2]
    stems = ["banner", "banner3-bold", "alpha", "beta", "gamma"]
    assert families(stems, images) == ["banner", "banner", "alpha", "alpha", "gamma"]


def test_a_document_inside_a_longer_one_is_left_out() -> None:
    draw = np.random.default_rng(0)
    words = [b"w%d" % number for number in draw.integers(0, 10**6, 300)]
    long, inside, other = b" ".join(words[:200]), b" ".join(words[50:90]), b" ".join(words[200:])
    assert distinct([inside, long, other, long]) == [1, 2]


def test_addresses_and_case_do_not_make_a_document_new() -> None:
    assert shingles(b"Ten foods to beat bloat: http://a.b/c1") == shingles(
        b"ten foods to beat BLOAT http://a.b/d"
    )


def test_a_coarse_picture_ignores_noise_and_sees_shapes() -> None:
    draw = np.random.default_rng(0)
    image = np.full((1, 1, 8, 8), 110, np.uint8)
    noisy = (image + draw.integers(0, 3, image.shape)).astype(np.uint8)
    assert coarse(image) == coarse(noisy)
    noisy[0, 0, :4] = 0
    assert coarse(image) != coarse(noisy)
