"""Texts and JSON that came from elsewhere, read within limits."""

import json
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

LARGEST_BYTES = 2**26
LONGEST_REASON = 300
LONGEST_SHOWN = 200
"""Characters of a value that an error shows."""


def read_text(path: Path, most: int = LARGEST_BYTES) -> str:
    """Returns the text of a file in UTF-8.

    Raises:
        HarnessError: it is no file, cannot be read, is too large, or is not UTF-8 text.
    """
    try:
        if not path.is_file():
            raise HarnessError(f"There is no file {path}.")
        with path.open("rb") as file:
            data = file.read(most + 1)
        if len(data) > most:
            raise HarnessError(
                f"{path} is larger than {most} bytes, and no such file is read; make it smaller."
            )
        return data.decode()
    except OSError as error:
        raise HarnessError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path} is not UTF-8 text: {error.reason}.") from error


def parse_json(text: str | bytes) -> Any:
    """Returns the value of a JSON text.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def reason_of(error: BaseException) -> str:
    """Returns what an error of another package says, in one line of at most 300 characters; else its type."""
    return " ".join(str(error).split())[:LONGEST_REASON] or type(error).__name__


def shown(value: Any) -> str:
    """Returns the start of a value as Python writes it, for an error."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
