"""Where in a table an architecture's row is: one at a time, or a million a second."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.space.form import Architecture


class RowIndex:
    """Rows by genes: codes in order and, for single look-ups, a dictionary that the first one makes.

    A code is the genes as one number with a radix per choice where 63 bits hold it, and as bytes otherwise.

    Attributes:
        genes: option of each choice, shape (rows, choices), int32; may lie in a file.
        codes: of all rows, ascending, shape (rows,).
        order: the row of each code, shape (rows,).
    """

    def __init__(
        self,
        genes: NDArray[np.int32],
        sizes: tuple[int, ...],
        *,
        codes: NDArray[np.generic] | None = None,
        order: NDArray[np.int64] | None = None,
    ) -> None:
        """Indexes `genes`, of choices with `sizes` options; `codes` and `order` where they are known."""
        self.genes = genes
        self._sizes = np.asarray(sizes, dtype=np.int64)
        radix = [1]
        for size in reversed(sizes):
            radix.append(radix[-1] * size)
        fits = radix.pop() < 2**63
        self._radix = np.asarray(radix[::-1], dtype=np.int64) if fits else None
        if codes is None or order is None:
            found = self._codes(np.asarray(genes))
            order = np.argsort(found, kind="stable")
            codes = found[order]
        self.codes, self.order = codes, order

    @cached_property
    def rows(self) -> dict[Architecture, int]:
        """Architecture -> row."""
        return {tuple(one): row for row, one in enumerate(self.genes.tolist())}

    def find(self, genes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Returns the row of each architecture, shape (architectures,).

        Args:
            genes: option of each choice, shape (architectures, choices).

        Raises:
            HarnessError: one of them has no row, or is none of the space; it is named by its place.
        """
        if genes.ndim != 2 or genes.shape[1] != self._sizes.size:
            raise HarnessError(
                f"Genes of the shape {genes.shape} are no architectures of {self._sizes.size} choices."
            )
        wrong = np.flatnonzero(((genes < 0) | (genes >= self._sizes)).any(axis=1))
        if not wrong.size:
            codes = self._codes(genes)
            at = np.searchsorted(self.codes, codes)
            at[at == self.codes.size] = 0
            wrong = np.flatnonzero(self.codes[at] != codes)
        if wrong.size:
            first = int(wrong[0])
            raise HarnessError(
                f"{wrong.size} of {len(genes)} architectures have no row; the first, at {first}, is "
                f"{tuple(genes[first].tolist())}."
            )
        return np.asarray(self.order[at])

    def _codes(self, genes: NDArray[np.integer]) -> NDArray[np.generic]:
        if self._radix is not None:
            total = np.zeros(len(genes), dtype=np.int64)
            for column, factor in zip(genes.T, self._radix, strict=True):
                total += column.astype(np.int64) * factor
            return total
        packed = np.ascontiguousarray(genes, dtype=">u4")
        return packed.view(f"S{4 * self._sizes.size}").ravel()
