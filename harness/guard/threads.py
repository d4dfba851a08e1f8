"""What numerical libraries may choose, and shall not: threads of a process, and algorithms of a GPU."""

import os
import sys
from typing import Any

LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS")


def one_thread() -> None:
    """Lets what this process and those that it starts load from now on use one thread."""
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in LIBRARIES})


def same_bits(device: str) -> None:
    """Lets torch take on `cuda` what gives the same bits each time, and raise where nothing does."""
    if device != "cuda":
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first product is taken
    import torch

    torch.use_deterministic_algorithms(True)  # also where the unit before had to do without
    memory: Any = torch.utils.deterministic
    memory.fill_uninitialized_memory = False  # no code of ours reads such


def most_threads() -> int:
    """Returns the largest number of threads that torch or a BLAS uses, of those that are loaded."""
    from threadpoolctl import threadpool_info

    torch = sys.modules.get("torch")
    loaded = [int(one["num_threads"]) for one in threadpool_info()]
    return max([1, *loaded, *([int(torch.get_num_threads())] if torch is not None else [])])
