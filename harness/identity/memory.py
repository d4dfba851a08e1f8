"""What was once computed out of content alone, remembered by the hash of all that it depends on.

It lies in one sealed file of the data cache. A key holds the content that a value follows from, never a path
or a time, so that an edit finds nothing; a file that is not as it was written is worth nothing.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from harness.errors import HarnessError
from harness.files import SCHEMA, content_hash, read_sealed, sealed, write_atomically

NAME: Final = ".remembered.json"
MOST: Final = 20_000
"""Values that are kept; beyond, all are forgotten, as most are of code that is gone."""


class _Memory:
    def __init__(self) -> None:
        self.folder: Path | None = None
        self.values: dict[str, Any] = {}
        self.is_new = False

    def open(self, folder: Path) -> None:
        """Takes in what another process remembered in `folder`."""
        self.folder = folder
        with suppress(FileNotFoundError, HarnessError):  # what is damaged is computed again
            self.values = read_sealed(folder / NAME, "it is computed again")["values"] | self.values

    def save(self) -> None:
        """Keeps what is new, in a folder that is there."""
        if not self.is_new or self.folder is None or not self.folder.is_dir():
            return
        self.is_new = False
        self.open(self.folder)
        kept = self.values if len(self.values) <= MOST else {}
        with suppress(HarnessError):  # a folder that cannot be written costs time alone
            write_atomically(self.folder / NAME, sealed({"schema": SCHEMA, "values": kept}))

    def remembered(self, key: Any, compute: Callable[[], Any]) -> Any:
        """Returns the JSON value of a key, from `compute` where it is not remembered."""
        name = content_hash(key)
        if name not in self.values:
            self.values[name] = json.loads(json.dumps(compute()))
            self.is_new = True
        return self.values[name]

    def recalled(self, key: Any, otherwise: Any) -> Any:
        """Returns the JSON value of a key; `otherwise` where it is not remembered."""
        return self.values.get(content_hash(key), otherwise)


_memory = _Memory()
remember_in, remembered, save = _memory.open, _memory.remembered, _memory.save
recalled = _memory.recalled
"""Those of this process."""
