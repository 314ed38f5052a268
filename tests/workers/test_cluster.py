"""The engine `ray` on two nodes that share nothing: every item once, whatever happens to a node."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fixtures.ray_nodes import Nodes, head_and_nodes, hidden, left_within_10_s, why_not

if reason := why_not():
    pytest.skip(reason, allow_module_level=True)

WORK = [sys.executable, "-m", "tests.workers.cluster_work"]
COUNT = 60


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for `cluster_work`."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "read").mkdir()
    for item in range(COUNT):
        (folder / "read" / str(item)).write_bytes(f"content of {item}".encode() * 1000)
    return folder


@pytest.fixture(scope="module")
def nodes(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A head that sees the project, and a node that does not."""
    with head_and_nodes(tmp_path_factory.mktemp("nodes"), project) as cluster:
        yield cluster


def start(nodes: Nodes, project: Path, what: str = "", count: int = COUNT) -> subprocess.Popen[str]:
    return nodes.start([*WORK, nodes.address, str(count), what], project, PYTHONPATH=str(ROOT))


def end(process: subprocess.Popen[str]) -> tuple[int, list[str], str]:
    """Its exit code, the lines that are not read yet, and what it said."""
    assert process.stdout is not None
    out = process.stdout.read()  # not by `communicate`, which forgets what is buffered
    _, err = process.communicate(timeout=60)
    return process.returncode, out.splitlines(), err


def read_until(process: subprocess.Popen[str], address: str, count: int) -> list[str]:
    """Lines up to the one that is the `count`th of a node."""
    lines: list[str] = []
    assert process.stdout is not None
    while sum(line.endswith(address) for line in lines) < count:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        lines.append(line.strip())
    return lines


def assert_complete(project: Path, lines: list[str], count: int = COUNT) -> None:
    assert [line.split()[0] for line in lines] == [str(item) for item in range(count)]
    for item in range(count):
        assert (project / "out" / str(item)).read_bytes() == (project / "read" / str(item)).read_bytes()


def test_files_travel_to_a_node_that_does_not_see_them(nodes: Nodes, project: Path) -> None:
    code, lines, said = end(start(nodes, project))
    assert code == 0, said
    assert_complete(project, lines)
    assert {line.split()[1] for line in lines} == {nodes.host(0), nodes.host(1)}
    assert f"{nodes.host(1)} (files travel)" in said
    assert not left_within_10_s(nodes)


def test_experiments_at_once_share_the_cluster(nodes: Nodes, project: Path) -> None:
    """Or the second would find no CPU for its first worker, and end."""
    command = [*WORK, nodes.address, str(COUNT)]
    code, lines, said = end(nodes.start(command, project, PYTHONPATH=str(ROOT), CLEANPLATE_JOBS="2"))
    assert code == 0, said
    assert_complete(project, lines)
    assert "the first of 1 workers is ready" in said, "of two CPUs"


@pytest.mark.parametrize(
    ("token", "file", "words"),
    [
        ("0" * 64, "", "wants another token"),
        ("", "", "there is no token"),
        ("", "not-there", "there is no token"),
    ],
)
def test_another_token_is_refused_in_a_sentence(
    nodes: Nodes, project: Path, tmp_path: Path, token: str, file: str, words: str
) -> None:
    variables = {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    variables |= {"RAY_AUTH_TOKEN": token, "RAY_AUTH_TOKEN_PATH": file and str(tmp_path / file)}
    process = nodes.run([*WORK, nodes.address, "3"], project, **variables)
    assert process.returncode == 1
    assert words in process.stderr
    assert "Traceback" not in process.stderr
    assert "StackTrace" not in process.stderr


def test_an_item_that_kills_its_worker_twice_is_named_and_refused(nodes: Nodes, project: Path) -> None:
    code, lines, said = end(start(nodes, project, "kill"))
    assert code == 1
    assert "killed 2 times" in said
    assert "item-13" in said
    assert [line.split()[0] for line in lines] == [str(item) for item in range(13)]
    assert not left_within_10_s(nodes)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_whoever_started_it_ends_and_so_do_the_workers(nodes: Nodes, project: Path, how: int) -> None:
    process = start(nodes, project)
    read_until(process, nodes.host(1), 1)
    process.send_signal(how)
    code, _, said = end(process)
    assert code != 0
    assert said.count("Traceback") <= (how == signal.SIGINT), said
    assert not left_within_10_s(nodes)
    assert (
        not list(project.glob("out.*")) + list((project / ".cache").glob("seen-*")) or how == signal.SIGKILL
    )


def test_a_node_that_is_killed_in_the_middle(nodes: Nodes, project: Path) -> None:
    """And one that joins meanwhile is used."""
    process = start(nodes, project)
    lines = read_until(process, nodes.host(1), 3)
    nodes.kill(nodes.names[1])
    nodes.add(hidden(project))
    code, rest, said = end(process)
    assert code == 0, said
    assert_complete(project, lines + rest)
    assert not left_within_10_s(nodes)
