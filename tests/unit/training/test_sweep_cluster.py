"""Ray: two nodes on this machine, a worker killed, then its node; and what needs no cluster."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from san_stream.errors import MissingExtraError, SettingError
from san_training.sweep import cluster

SCRIPT = Path(__file__).with_name("sweep_on_cluster.py")


@pytest.mark.long
@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed")
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes by /proc")
def test_killed_workers_and_nodes_lose_and_double_nothing(tmp_path, source_environment):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path)],
        env=source_environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"] == 1
    assert told["removed"] is True
    assert told["nodes_left"] == 1
    assert told["status"] == {"done": told["trials"]}
    assert told["as_local"] is True
    assert told["no_gpu"] == "SettingError: cluster ADDRESS: has 0 GPUs, a trial asks for 0.5"
    lines = (tmp_path / "cluster.jsonl").read_text().splitlines()[1:]
    keys = [json.loads(line)["key"][0] for line in lines]
    assert len(keys) == len(set(keys)) == told["trials"]


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"--cluster needs the package 'ray'.*\[cluster\]"):
        list(cluster.run_cluster([], "auto"))


def test_addresses_where_nobody_is():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for address, reason in (
        (f"127.0.0.1:{port}", "refused"),
        (f"ray://127.0.0.1:{port}", "refused"),
        ("127.0.0.1:99999", ""),
        ("somewhere", "must be HOST:PORT, ray://HOST:PORT or auto"),
    ):
        with pytest.raises(SettingError, match=f"cluster {address}: .*{reason}"):
            cluster._connect(None, address)
