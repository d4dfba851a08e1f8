"""Tasks of lm-eval as YAML beside their rows, and what a network says of bytes, one at a time."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

TASK = """
task: {name}
dataset_path: {dataset}
dataset_kwargs: {{data_files: {{test: {rows}}}}}
test_split: test
output_type: {kind}
doc_to_text: "{text}"
doc_to_target: {target}
metric_list: [{metrics}]
{more}
"""
CHOOSE = {"kind": "multiple_choice", "text": "{{text}}", "target": "gold", "metrics": "{metric: acc}"}
CHOOSE |= {"more": "doc_to_choice: choices"}
ROLL = {"kind": "loglikelihood_rolling", "text": "", "target": "text", "metrics": "{metric: bits_per_byte}"}


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def write(folder: Path, name: str, rows: Path, about: Mapping[str, str], dataset: str = "json") -> None:
    """Writes a task of the rows in a file."""
    text = TASK.format(**{"more": ""} | dict(about), name=name, rows=rows, dataset=dataset)
    (folder / f"{name}.yaml").write_text(text)


def log_probability(module: torch.nn.Module, context: int, before: bytes, after: bytes) -> float:
    """Returns the log-probability of a continuation that fits the context, one byte at a time."""
    whole = (before + after)[-context - 1 :]
    total = 0.0
    for position in range(len(whole) - len(after), len(whole)):
        with torch.inference_mode():
            logits = module(torch.tensor([list(whole[:position])]))[0, -1]
        total += float(logits.log_softmax(-1)[whole[position]])
    return total


class Uniform:
    """A model that finds all bytes equally likely."""

    def bits(self, documents: Iterable[bytes]) -> Any:
        return np.array([8.0 * len(document) for document in documents])
