"""Rules that choose a row's learning rate."""

from typing import Final, Literal, get_args

Selection = Literal["training-domain validation", "leave-one-domain-out cross-validation", "oracle"]
SELECTIONS: Final[tuple[Selection, ...]] = get_args(Selection)
"""How a row's learning rate is chosen (Gulrajani and Lopez-Paz 2021): on the sources' validation splits, on
each source by a model that never saw it, or on the validation split of the very domain that is scored."""
DEFAULT_SELECTION, CROSS_VALIDATION, ORACLE = SELECTIONS
