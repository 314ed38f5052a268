"""CPUs that a process may use: control groups, in folders like the kernel's and for real."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.runtime.cpus import cpu_quota, usable_cpus
from tests.conftest import ROOT

V2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
V1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"


def system(folder: Path, cgroup: str, mounts: str, files: dict[str, str]) -> Path:
    """A root folder with what the kernel says: /proc/self/cgroup, /proc/self/mountinfo and groups' files."""
    written = {"proc/self/cgroup": cgroup, "proc/self/mountinfo": mounts}
    for name, text in (written | {f"sys/fs/cgroup/{name}": text for name, text in files.items()}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n" * (not text.endswith("\n")), encoding="utf-8")
    return folder


CASES = {
    "nothing is known": ("", "", {}, None),
    "v2, in a container": ("0::/\n", V2, {"cpu.max": "150000 100000"}, 1.5),
    "v2, no limit": ("0::/a\n", V2, {"a/cpu.max": "max 100000", "cpu.max": "max 100000"}, None),
    "v2, a group above allows less": (
        "0::/kube/pod/app\n",
        V2,
        {
            "kube/pod/app/cpu.max": "400000 100000",
            "kube/pod/cpu.max": "max 100000",
            "kube/cpu.max": "50000 100000",
        },
        0.5,
    ),
    "v2, another group's limit": ("0::/a\n", V2, {"a/cpu.max": "max 100000", "b/cpu.max": "1000 1000"}, None),
    "v2, only a quota": ("0::/\n", V2, {"cpu.max": "200000"}, 2.0),
    "v2, seen from outside": ("0::/../outside\n", V2, {"cpu.max": "300000 100000"}, 3.0),
    "v2, a name with a blank": (
        "0::/a b\n",
        V2.replace(" / ", " /a\\040b "),
        {"cpu.max": "100000 50000"},
        2.0,
    ),
    "v2, where /proc says nothing": ("", "", {"cpu.max": "250000 100000"}, 2.5),
    "v1, in a container": (
        "4:cpu,cpuacct:/docker/0a\n",
        V1.replace(" / ", " /docker/0a "),
        {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        2.5,
    ),
    "v1, no limit": (
        "4:cpu,cpuacct:/\n",
        V1,
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
        None,
    ),
    "v1, a group above allows less": (
        "9:memory:/x\n4:cpu,cpuacct:/slice/unit\n0::/\n",
        V1,
        {
            "cpu,cpuacct/slice/unit/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/slice/unit/cpu.cfs_period_us": "100000",
            "cpu,cpuacct/slice/cpu.cfs_quota_us": "100000",
            "cpu,cpuacct/slice/cpu.cfs_period_us": "100000",
        },
        1.0,
    ),
    "both, v1 rules the CPUs": (
        "4:cpu:/a\n0::/b\n",
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
        {
            "cpu/a/cpu.cfs_quota_us": "120000",
            "cpu/a/cpu.cfs_period_us": "100000",
            "unified/b/cgroup.type": "",
        },
        1.2,
    ),
    "damaged": ("x\n0::/\n", "y\n" + V2, {"cpu.max": "many 0"}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_least_of_all_quotas_counts(tmp_path: Path, case: str) -> None:
    cgroup, mounts, files, expected = CASES[case]
    root = system(tmp_path, cgroup, mounts, files)
    assert cpu_quota(root) == expected


@pytest.mark.parametrize(
    ("quota", "cpus"), [("1000 100000", 1), ("100000 100000", 1), ("99900000 100000", None)]
)
def test_a_quota_takes_cpus_away_and_adds_none(tmp_path: Path, quota: str, cpus: int | None) -> None:
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert usable_cpus(system(tmp_path, "0::/\n", V2, {"cpu.max": quota})) == (cpus or seen)


def test_a_part_of_a_cpu_counts_as_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert usable_cpus(system(tmp_path, "0::/\n", V2, {"cpu.max": "250000 100000"})) == 3


ASK = """
from pipeline.runtime.process import configure_threads, worker_count
configure_threads()
import torch
print(worker_count(None), worker_count(5), torch.get_num_threads())
"""


@contextlib.contextmanager
def real_group(quota: str) -> Iterator[Path]:
    """A control group of this machine with a quota of CPU time; skips where none can be made."""
    v1, v2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    first = (v1 / "cpu.cfs_quota_us").exists()
    outer = (v1 if first else v2) / f"cleanplate-test-{os.getpid()}"
    inner = outer / "inner"
    try:
        inner.mkdir(parents=True)
        (outer / ("cpu.cfs_quota_us" if first else "cpu.max")).write_text(quota)
    except OSError as e:
        if outer.exists():
            inner.rmdir() if inner.exists() else None
            outer.rmdir()
        pytest.skip(f"no control group can be made here: {e}")
    try:
        yield inner
    finally:
        inner.rmdir()
        outer.rmdir()


@pytest.mark.skipif(
    len(getattr(os, "sched_getaffinity", lambda _: [0])(0)) < 2, reason="there is but one CPU"
)
def test_in_a_real_group_workers_and_torch_keep_to_the_quota() -> None:
    with real_group("50000") as group:
        code = f"import os; open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n" + ASK
        clean = {k: v for k, v in os.environ.items() if not k.startswith("OMP_")}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=clean, capture_output=True, text=True, check=False
        )
    assert done.stdout.split() == ["1", "5", "1"], done.stderr
