"""Nodes read shards from a server by themselves, and no photo passes the head: `make soak`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.fixtures.cluster_project import digests, forget, make_cluster_project, run_stages, set_params
from tests.fixtures.ray_nodes import Nodes, hidden, why_not
from tests.fixtures.remotes import SECRET, install_s3rver, running, s3_command
from tests.fixtures.shards import pack_folders
from tests.reliability.soak import SOAK

if not SOAK:
    pytest.skip("long: make soak", allow_module_level=True)
if reason := why_not():
    pytest.skip(reason, allow_module_level=True)
pytest.importorskip("s3fs", reason="s3fs is not installed: make setup EXTRAS=remotes")

PORT = 9000
UPLOAD = """
import sys, fsspec
fsspec.filesystem("s3").put(sys.argv[1], "team/photos", recursive=True)
"""


@pytest.mark.timeout(600)
def test_nodes_ask_the_server_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_cluster_project(tmp_path / "project")
    pack_folders(project / "photos", project / "packed")
    shutil.rmtree(project / "photos")
    set_params(project, data__root="packed", data__layout="shards")
    run_stages(project, "ingest", "detect")
    wanted = digests(project)
    forget(project)
    installed, nodes = install_s3rver(tmp_path / "s3rver"), Nodes(tmp_path / "nodes", cpus=0)
    try:
        account = {"AWS_ACCESS_KEY_ID": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
        account |= {"AWS_ENDPOINT_URL": f"http://{nodes.host(0)}:{PORT}", "AWS_MAX_ATTEMPTS": "1"}
        for name, value in account.items():
            monkeypatch.setenv(name, value)
        nodes.add(hidden(project), account | {"AWS_SECRET_ACCESS_KEY": SECRET})
        nodes.wait(2)
        command, variables = s3_command(tmp_path / "buckets", installed, PORT, nodes.host(0))
        with running(nodes.command(command), "listening", variables):
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            packed = f"{project / 'packed'}/"
            sent = nodes.run([sys.executable, "-c", UPLOAD, packed], project)
            assert sent.returncode == 0, sent.stderr
            cluster = {"machine__engine": "ray", "machine__address": nodes.address, "machine__workers": None}
            set_params(project, data__root="s3://team/photos", data__layout="shards", **cluster)
            run_stages(project, "ingest", nodes=nodes)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")  # so the head could not read a photo
            said = run_stages(project, "detect", nodes=nodes)
    finally:
        nodes.close()
    assert f"work by node: {nodes.host(1)} (files travel)" in said
    assert digests(project) == wanted
