"""Number of CPUs that this process may use, by affinity and by cgroup quotas (containers).

`docker --cpus`, Kubernetes' limits and systemd's CPUQuota limit CPU time but leave every CPU visible: with
one process per visible CPU, processes would mostly wait for each other.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
CPUS = "CLEANPLATE_CPUS"  # a share of the CPUs, for one of several experiments that run at once
JOBS = "CLEANPLATE_JOBS"  # how many run at once, each of which takes that share of a cluster
# usual places in containers, whatever /proc says
USUAL_V2 = "/sys/fs/cgroup"
USUAL_V1 = ("/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpuacct,cpu")


def usable_cpus(root: Path = ROOT) -> int:
    """CPUs by affinity (including cpusets), or the quota, rounded up, or the share, if that is lower.

    Args:
        root: parent of /proc and /sys.
    """
    quota = cpu_quota(root)
    return min(visible_cpus(), cpu_share() or visible_cpus(), math.ceil(quota or visible_cpus()))


def cpu_share() -> int | None:
    """CPUs that this experiment may use while others run beside it; None: no others."""
    return _positive(CPUS)


def experiments_at_once() -> int:
    """How many experiments run at once; 1: this one alone."""
    return _positive(JOBS) or 1


def _positive(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() and int(value) else None


def visible_cpus() -> int:
    """CPUs that this process can be scheduled on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(root: Path = ROOT) -> float | None:
    """The lowest CPU quota of this process's control groups and their parents; None without a quota."""
    quotas = [q for folder in _v2_groups(root) if (q := _v2_quota(folder)) is not None]
    quotas += [q for folder in _v1_groups(root) if (q := _v1_quota(folder)) is not None]
    return min(quotas, default=None)


def _v2_quota(folder: Path) -> float | None:
    """Reads cpu.max, e.g. `max 100000` or `150000 100000`: microseconds of CPU time per period."""
    quota, _, period = _read(folder / "cpu.max").partition(" ")
    return _share(quota, period or "100000")


def _v1_quota(folder: Path) -> float | None:
    return _share(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _share(quota: str, period: str) -> float | None:
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):  # `max`, or no such file
        return None
    return share if share > 0 else None  # -1: none


def _v2_groups(root: Path) -> Iterator[Path]:
    own = next((path for controllers, path in _memberships(root) if not controllers), "/")
    for place, mounted, _ in _mounts(root, "cgroup2"):
        yield from _upwards(root, place, mounted, own)
    yield root / USUAL_V2.lstrip("/")


def _v1_groups(root: Path) -> Iterator[Path]:
    own = next((path for controllers, path in _memberships(root) if "cpu" in controllers), "/")
    for place, mounted, options in _mounts(root, "cgroup"):
        if "cpu" in options:
            yield from _upwards(root, place, mounted, own)
    yield from (root / usual.lstrip("/") for usual in USUAL_V1)


def _upwards(root: Path, place: str, mounted: str, own: str) -> Iterator[Path]:
    """The folders of the group `own` and its parents, up to the mount point.

    Args:
        root: see `usable_cpus`.
        place: the mount point.
        mounted: the group mounted there; in a container it may be the container's own.
        own: the group of this process.
    """
    top = root / place.lstrip("/")
    inner = PurePosixPath(own)
    below = inner.relative_to(mounted) if inner.is_relative_to(mounted) else PurePosixPath()
    if ".." in below.parts:  # another namespace
        below = PurePosixPath()
    for part in (below, *below.parents):
        yield top / part


def _memberships(root: Path) -> list[tuple[list[str], str]]:
    """Controllers ([] = version 2) and path of each control group of this process."""
    rows = [line.split(":", 2) for line in _read(root / "proc/self/cgroup").splitlines()]
    return [([c for c in row[1].split(",") if c], row[2]) for row in rows if len(row) == 3]


def _mounts(root: Path, kind: str) -> list[tuple[str, str, list[str]]]:
    """Place, mounted group and options of each mounted file system of this kind."""
    mounts: list[tuple[str, str, list[str]]] = []
    for line in _read(root / "proc/self/mountinfo").splitlines():
        mount, _, system = line.partition(" - ")
        fields, facts = mount.split(), system.split()
        if len(fields) >= 5 and len(facts) >= 3 and facts[0] == kind:
            mounts.append((_unescape(fields[4]), _unescape(fields[3]), facts[2].split(",")))
    return mounts


def _unescape(name: str) -> str:
    """`a\\040b` → `a b`: undoes the kernel's escapes."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        name = name.replace(code, chr(int(code[1:], 8)))
    return name


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return ""
