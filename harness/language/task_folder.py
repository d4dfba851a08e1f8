"""Folders of lm-eval's YAML tasks that came from elsewhere: what in them runs code, found before it is read.

lm-eval imports what `!function` names, and loads readers and metrics by any name. Sizes and depths are
limited for every folder; code is refused unless the user trusts it. The one reader that `harness export-task`
writes is known byte for byte and needs no trust.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.guard.text import read_text, shown

LARGEST_FILE = 2**20
MOST_FILES = 10_000
MOST_EVENTS = 1_000_000
"""Parts of all files of a folder."""
DEEPEST = 50
PLAIN_TAGS = ("str", "int", "float", "bool", "null", "seq", "map", "timestamp", "binary", "set", "omap")
CODE_KEYS = ("class", "custom_dataset", "process_docs", "process_results", "use_prompt", "unsafe_code")
"""Keys whose values are functions, classes or templates of another package."""
CODE_READERS = ("pandas", "generator", "spark", "sql", "cache", "webdataset", "lance", "iceberg", "eval")
"""Readers of `datasets` that load pickles or open connections."""
EXPORTED = "loader.read"


def check_folder(folder: Path, *, is_trusted: bool) -> None:
    """Looks at every YAML file of a folder, and at what they include.

    Raises:
        HarnessError: there is no such folder, a file is no YAML or too large, or it runs code that is not
            trusted.
    """
    import yaml

    if not folder.is_dir():
        raise HarnessError(f"There is no folder {folder}; give one with lm-eval's YAML tasks.")
    root = folder.resolve()
    left = sorted(file.resolve() for file in root.rglob("*.yaml"))
    seen = set(left)
    events = 0
    while left:
        file = left.pop()
        if len(seen) > MOST_FILES:
            raise HarnessError(f"{folder} has over {MOST_FILES} YAML files; no such folder is read.")
        text = read_text(file, LARGEST_FILE)
        try:
            tags: list[str] = []
            for tag in _tags(file, text):
                events += 1
                if events > MOST_EVENTS:
                    raise HarnessError(f"The YAML files of {folder} have over {MOST_EVENTS} parts.")
                if tag:
                    tags.append(tag)
            content = _content(text)
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise HarnessError(f"{file} is no YAML: {' '.join(str(error).split())[:300]}.") from error
        if not is_trusted:
            _refuse_code(file, tags, content)
        for one in _included(file, content):
            if not is_trusted and not one.is_relative_to(root):
                raise _untrusted(file, f"includes {one}, which lies outside of its folder")
            if one not in seen and one.is_file():
                seen.add(one)
                left.append(one)


def _tags(file: Path, text: str) -> Iterator[str]:
    """Yields the tag of every part, empty where it has none; counts how deep the file goes."""
    import yaml

    depth = 0
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise HarnessError(f"{file} is nested too deeply; at most {DEEPEST} levels are read.")
        yield getattr(event, "tag", None) or ""


def _content(text: str) -> Any:
    """Returns what a file says; `!function NAME` is a `_Function`, and what has another tag is left out."""
    import yaml

    kind: Any = type("Loader", (yaml.SafeLoader,), {})
    kind.add_constructor("!function", lambda loader, node: _Function(str(node.value)))
    kind.add_multi_constructor("!", lambda loader, tag, node: None)
    return yaml.load(text, Loader=kind)  # a SafeLoader that makes texts of functions  # nosec B506


class _Function(str):
    """The name of a function."""


def _refuse_code(file: Path, tags: list[str], content: Any) -> None:
    plain = {f"tag:yaml.org,2002:{tag}" for tag in PLAIN_TAGS}
    for tag in tags:
        if tag not in plain and tag not in ("!", "!function"):
            raise _untrusted(file, f"has the tag {shown(tag)}")
    for key, value in _pairs(content):
        if isinstance(value, _Function) and not _is_exported(file, value):
            raise _untrusted(file, f"runs the function {shown(str(value))}")
        if key in CODE_KEYS and value and not isinstance(value, _Function):
            raise _untrusted(file, f"has the key {key!r}")
        if key == "dataset_path" and value in CODE_READERS:
            raise _untrusted(file, f"reads data by the reader {value!r}")
        if key in ("trust_remote_code", "hf_evaluate") and value:
            raise _untrusted(file, f"has the key {key!r}")
        if key == "metric" and not _is_known_metric(value):
            raise _untrusted(file, f"counts {shown(value)}, which is no metric of lm-eval")


def _is_exported(file: Path, function: str) -> bool:
    """Whether it is the reader that `harness export-task` wrote beside the file, byte for byte."""
    ours = Path(__file__).with_name("loader.py").read_bytes()
    reader = file.with_name("loader.py")
    return function == EXPORTED and reader.is_file() and reader.read_bytes() == ours


def _is_known_metric(value: Any) -> bool:
    import lm_eval.api.metrics  # noqa: F401 - fills the registry
    from lm_eval.api.registry import metric_registry

    return isinstance(value, str) and value in metric_registry


def _pairs(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every key and value at any depth; what is repeated by an alias once."""
    left, seen = [(None, content)], set()
    while left:
        key, value = left.pop()
        yield key, value
        if isinstance(value, dict | list) and id(value) not in seen:
            seen.add(id(value))
            inner = value.items() if isinstance(value, dict) else ((key, one) for one in value)
            left += list(inner)


def _included(file: Path, content: Any) -> Iterator[Path]:
    for key, value in _pairs(content):
        if key == "include" and isinstance(value, str) and "\0" not in value:
            yield (file.parent / value).resolve()


def _untrusted(file: Path, what: str) -> HarnessError:
    return HarnessError(
        f"{file} {what}, so it runs code that came with it; look at it, and give --trust if it may."
    )
