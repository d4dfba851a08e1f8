"""Options as capital letters, which a small model reads as one token each."""

import string


def letter(gene: int) -> str:
    """Returns A to Z for options 0 to 25, then AA, AB and so on."""
    first, last = divmod(gene, 26)
    return (letter(first - 1) if first else "") + string.ascii_uppercase[last]
