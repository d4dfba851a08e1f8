"""Hook of mkdocs: keys of files, from the schemas that editors use, and the stable names of the package."""

import json
from collections.abc import Iterator
from typing import Any

from mkdocs.structure.files import File, Files

import harness
from harness import catalog
from harness.study.schema import written_schema
from harness.study.suite import load_suite
from harness.study.trained.settings import Suite

KINDS = {"suites": "suite", "tasks": "task", "tables": "table"}
HEAD = ("", "| key | type | default | what it is |", "|---|---|---|---|")
PYTHON = """# Python

`import harness` offers the names that entries, scripts and notebooks need. Each is loaded when it is first
used, so that the import itself takes a few milliseconds.
"""


def on_files(files: Files, config: Any) -> Files:
    """Adds a page for each kind of file, and one of the stable names."""
    for page, kind in KINDS.items():
        lines = [
            f"# Keys of a {kind}",
            "",
            f"`harness schema {kind}` prints them as a JSON Schema, for editors.",
        ]
        for study in catalog.names("study") if kind == "suite" else [None]:
            lines += ["", f"## {study or 'All keys'}", *HEAD, *_rows(written_schema(kind, study), "")]
        lines += _regimes() if kind == "suite" else []
        files.append(File.generated(config, f"reference/{page}.md", content="\n".join(lines) + "\n"))
    names = sorted(harness._stable().items(), key=lambda pair: pair[0].lower())
    parts = [f"## {name}\n\n::: {module}.{name}\n" for name, module in names]
    files.append(File.generated(config, "reference/python.md", content="\n".join([PYTHON, *parts])))
    return files


def _regimes() -> Iterator[str]:
    """Yields what is known of the references of shipped suites that train."""
    yield from ("", "## Regimes", "", "Whether the reference passes the floor in domain, by earlier runs.")
    yield from ("", "| suite | task | reference past the floor in domain |", "|---|---|---|")
    told = {"past the floor": "yes"}
    for name in catalog.names("suite"):
        suite = load_suite(name)[1]
        if isinstance(suite, Suite):
            for task in suite.tasks:
                yield f"| `{name}` | `{task.name}` | {told.get(task.regime, task.regime)} |"


def _rows(schema: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, found in schema.get("properties", {}).items():
        default = f"`{_json(found['default'])}`" if "default" in found else ""
        yield f"| `{prefix}{name}` | {_type(found)} | {default} | {_cell(found.get('description', ''))} |"
        inner = found.get("items", found)
        if isinstance(inner, dict):
            yield from _rows(inner, f"{prefix}{name}.")
            named = inner.get("additionalProperties")
            if isinstance(named, dict):
                yield from _rows(named, f"{prefix}{name}.NAME.")


def _type(found: dict[str, Any]) -> str:
    if "enum" in found:
        return " or ".join(f"`{_json(one)}`" for one in found["enum"])
    if "const" in found:
        return f"`{_json(found['const'])}`"
    for word in ("anyOf", "oneOf"):
        if word in found:
            return " or ".join(dict.fromkeys(_type(one) for one in found[word]))
    kind = str(found.get("type", "any"))
    if kind == "array" and isinstance(found.get("items"), dict):
        return f"list of {_type(found['items'])}"
    return {"object": "table"}.get(kind, kind)


def _json(value: Any) -> str:
    return _cell(json.dumps(value, ensure_ascii=False))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
