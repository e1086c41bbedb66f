"""Two raylets on this machine, and logs to read. Each engine has an environment of its own: see the Makefile."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import respool

HERE = Path(__file__).parent
# Workers import what they run by name.
sys.path.insert(0, str(HERE))
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent)])

from scale_logs import batches, kept  # noqa: E402  found by that path

STORE = 400 << 20
"""Bytes of the object store of each node."""


@pytest.fixture(scope="session")
def ray() -> Iterator[object]:
    """Ray on two nodes of one CPU, with a directory of its own for what it leaves."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(dir="/tmp", prefix="rs") as directory:
        node = {"num_cpus": 1, "object_store_memory": STORE}
        head = {**node, "include_dashboard": False, "temp_dir": directory}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        cluster.add_node(**node)
        cluster.wait_for_nodes()
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        try:
            yield ray
        finally:
            ray.shutdown()
            cluster.shutdown()


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory on a disk for the whole session."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="respool-scale-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def log(scratch: Path) -> Path:
    """Ten batches of 20,000 rows, with the zone maps of the ids beside them."""
    path = kept(scratch / "log", batches(10, 20_000))
    with respool.open(path) as cache:
        assert cache.filter([("id", "<", 0)]).num_rows == 0
    assert (path / "_zones.0").exists()
    return path
