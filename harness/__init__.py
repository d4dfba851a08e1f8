"""Benchmark-and-evaluation harness for cross-domain generalization of searched architectures.

`__init__.pyi` lists the stable names, which are what entries, plug-ins and notebooks import; each is loaded
when it is first used.
"""

import ast
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"


@cache
def _stable() -> dict[str, str]:
    """Returns name -> module of the names that the stub lists."""
    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{__name__}.{line.module}" for line in lines for alias in line.names}


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in _stable():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_stable()[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_stable()})
