"""Carries out a suite on a Ray cluster of two nodes of this machine, and ends one of them in the midst.

python tests/ray_cluster.py SUITE RUN [MORE WORDS OF THE COMMAND]
"""

import subprocess
import sys
import time
from pathlib import Path

from command import COMMAND
from ray.cluster_utils import Cluster


def main() -> int:
    suite, run = sys.argv[1], Path(sys.argv[2])
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    words = [
        "eval",
        suite,
        "--out",
        str(run),
        "--executor",
        "ray",
        "--address",
        cluster.address,
        *sys.argv[3:],
    ]
    process = subprocess.Popen(
        [*COMMAND, *words], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True
    )
    while process.poll() is None and len(list(run.glob("units/*/record.json"))) < 4:
        time.sleep(0.02)
    were_left = process.poll() is None
    cluster.remove_node(second, allow_graceful=False)
    print(process.communicate(timeout=150)[0])
    cluster.shutdown()
    print(f"a node of a run that went on: {were_left}")
    return process.returncode


if __name__ == "__main__":
    raise SystemExit(main())
