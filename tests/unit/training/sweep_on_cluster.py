"""A sweep on a Ray cluster of two nodes on this machine; one loses a worker, then itself.

Run in a process of its own by `test_sweep_cluster.py`: ``sweep_on_cluster.py FOLDER``. Prints
what happened as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import ray
from ray.cluster_utils import Cluster

from san_training.ledger import Ledger
from san_training.paper import paper_split
from san_training.sweep.cluster import run_cluster
from san_training.sweep.grid import make_grid
from san_training.sweep.local import run_local
from san_training.sweep.run import BASIS, run_sweep
from san_training.sweep.signals import Signal


def parent(pid: int) -> int:
    """The process that started it."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def working(raylets: list[int]) -> list[int]:
    """Processes of these nodes that are in the midst of a task of ours."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(folder.name)
            title = (folder / "cmdline").read_bytes()
            if title.startswith(b"ray::run_chunk") and parent(pid) in raylets:
                found.append(pid)
    return found


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    signals = [Signal(name, paper_split(rng.normal(size=(12, 1000)), name)) for name in "ab"]
    grid = make_grid({"sizes": "2-61", "activation": "relu,extrema", "epochs": 60})
    trials = grid.trials(signals)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    raylet = second.all_processes["raylet"][0].process.pid
    events = {"rows": 0, "killed": 0, "removed": False}

    def disturb(rows_of):
        for rows in rows_of:
            events["rows"] += len(rows)
            yield rows
            if not events["killed"] and events["rows"] > 10:
                deadline = time.monotonic() + 30
                while not events["killed"] and time.monotonic() < deadline:
                    for pid in working([raylet]):
                        os.kill(pid, signal.SIGKILL)
                        events["killed"] += 1
            if not events["removed"] and events["rows"] > len(trials) // 2:
                cluster.remove_node(second, allow_graceful=False)
                events["removed"] = True

    runner = partial(run_cluster, address=cluster.address, retries=2)
    began = time.perf_counter()
    with Ledger(folder / "cluster.jsonl", BASIS) as ledger:
        sweep = run_sweep(
            trials, ledger, lambda todo: disturb(runner(todo)), callback=lambda *_: None
        )
    events["seconds"] = time.perf_counter() - began
    events["nodes_left"] = nodes_left(cluster.address)
    try:
        list(run_cluster(trials[:1], cluster.address, gpus_per_trial=0.5))
    except Exception as error:  # noqa: BLE001 its text is what is asked for
        events["no_gpu"] = f"{type(error).__name__}: {error}".replace(cluster.address, "ADDRESS")
    cluster.shutdown()
    with Ledger(folder / "local.jsonl", BASIS) as ledger:
        local = run_sweep(
            trials, ledger, partial(run_local, jobs=2, retries=0), callback=lambda *_: None
        )
    figures = [
        [{k: v for k, v in row.items() if k != "seconds"} for row in found.rows]
        for found in (sweep, local)
    ]
    events["trials"] = len(trials)
    events["status"] = dict(sweep.count())
    events["as_local"] = figures[0] == figures[1]
    sys.stdout.write(f"{json.dumps(events)}\n")


def nodes_left(address: str) -> int:
    """How many live; the cluster takes some seconds to find one dead."""
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    deadline = time.monotonic() + 60
    while (left := sum(node["Alive"] for node in ray.nodes())) > 1:
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
    ray.shutdown()
    return left


if __name__ == "__main__":
    main(Path(sys.argv[1]))
