"""Rules that choose a row's learning rate."""

from typing import Final

DEFAULT_SELECTION: Final = "training-domain validation"
CROSS_VALIDATION: Final = "leave-one-domain-out cross-validation"
ORACLE: Final = "oracle"
SELECTIONS: Final = (DEFAULT_SELECTION, CROSS_VALIDATION, ORACLE)
"""How a row's learning rate is chosen (Gulrajani and Lopez-Paz 2021): on the sources' validation splits, on
each source by a model that never saw it, or on the validation split of the very domain that is scored."""
