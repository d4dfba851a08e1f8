"""Threads of numerical libraries: one a process, as more give other bits, and little on a busy machine."""

import os
import sys

LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS")


def one_thread() -> None:
    """Lets what this process and those that it starts load from now on use one thread."""
    os.environ.update({f"{name}_NUM_THREADS": "1" for name in LIBRARIES})


def most_threads() -> int:
    """Returns the largest number of threads that torch or a BLAS uses, of those that are loaded."""
    from threadpoolctl import threadpool_info

    torch = sys.modules.get("torch")
    loaded = [int(one["num_threads"]) for one in threadpool_info()]
    return max([1, *loaded, *([int(torch.get_num_threads())] if torch is not None else [])])
