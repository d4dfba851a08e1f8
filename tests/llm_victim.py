"""Runs one search with a language model and leaves its record; a script that test_llm_kill.py kills."""

import sys
from pathlib import Path

from harness import catalog
from harness.files import canonical_json, write_atomically
from harness.guard.keys import Key
from harness.llm import open_client
from harness.search.loop import SearchContext, run_search

address, folder = sys.argv[1], Path(sys.argv[2])
table = {"base_url": address, "model": "asked-model", "timeout_seconds": 10.0, "max_tokens": 512}
key = Key(token="sk-" + "k" * 20)
client = open_client(table, model_file=None, transcript=folder / "transcript.jsonl", key=key)
space = catalog.load("space", "nasbench201").space("cifar100")
entry = catalog.load("searcher", "collm_nas")
context = SearchContext(space=space, seed=0, budget=60, options=entry.options, client=client)
result = run_search(entry.build(context), context, lambda one: one.count(3) / 6)
record = {"history": [vars(one) for one in result.history], "report": dict(result.report)}
write_atomically(folder / "record.json", canonical_json({**record, "stopped": result.stopped}))
