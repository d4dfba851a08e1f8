"""Reads the documents of a task that `harness export-task` wrote; lies beside its YAML files.

It is copied into every exported folder, so it imports nothing of harness.
"""

import json
from pathlib import Path
from typing import Any


def read(documents_file: str, **metadata: Any) -> Any:
    """Returns split -> documents of a JSONL file in this file's folder; no hub and no cache is asked."""
    from datasets import Dataset, DatasetDict

    path = Path(__file__).with_name(documents_file)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    return DatasetDict({"test": Dataset.from_list(rows)})
