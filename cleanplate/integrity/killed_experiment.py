"""Finds and undoes the traces of a killed `dvc exp run` (DVC 3.67) in the workspace.

It runs on a detached HEAD with the values of its `-S` options in params.yaml, and keeps its state in refs:
EXEC_HEAD is its base commit, EXEC_MERGE a stash of the workspace with the options applied. A dropped stash
(`WIP on …`), which git still has, contains the previous workspace; without one, the workspace was clean.

An experiment with a failed stage also leaves the options, but only the ref EXEC_HEAD; its stash is dropped,
too. If an experiment with the name in the stash's subject exists, it succeeded, and its values are intended.

Refs, HEAD and files belong to the whole git repository, of which the project may be a subfolder.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

from cleanplate.integrity.leftovers import Problem
from pipeline.io.atomic import atomic_file
from pipeline.runtime.errors import UserError

REFS = ("EXEC_BASELINE", "EXEC_HEAD", "EXEC_MERGE", "EXEC_BRANCH", "EXEC_CHECKPOINT")
MAX_STASH_GAP = 120  # between the stash of the workspace and that of the experiment
CHECKOUT = re.compile(r"^checkout: moving from (\S+) to ")


def killed_experiment(root: Path) -> list[Problem]:
    """A detached HEAD, options left in files, and DVC's refs. Call only while nothing runs here."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top:
        return []
    refs = {name: _git(root, "rev-parse", "-q", "--verify", f"refs/exps/exec/{name}") for name in REFS}
    refs = {name: rev for name, rev in refs.items() if rev}
    if not refs:
        return []
    problems = _detached(root, refs.get("EXEC_HEAD", ""))
    head = refs.get("EXEC_HEAD", "")
    problems += _options(Path(top), head, refs.get("EXEC_MERGE") or _failed_experiment_stash(root, head))
    if not problems and list(refs) == ["EXEC_HEAD"]:  # DVC leaves it behind one that ended well, too
        return []
    notes = "refs of a killed or failed `dvc exp run`: refs/exps/exec/" + ", ".join(refs)
    return [*problems, Problem(notes, "removes them", lambda: _remove_notes(root, list(refs)))]


def _detached(root: Path, head: str) -> list[Problem]:
    if not head or _git(root, "symbolic-ref", "-q", "HEAD") or _git(root, "rev-parse", "HEAD") != head:
        return []
    what = f"a detached HEAD at {head[:7]}, left by a killed `dvc exp run`"
    branch = _branch_before(root, head)
    if not branch:
        return [Problem(what, "`git switch` to your branch")]
    reattach = functools.partial(
        _run_git, root, "symbolic-ref", "-m", "doctor", "HEAD", f"refs/heads/{branch}"
    )
    return [Problem(what, f"goes back to branch {branch}; no file changes", reattach)]


def _branch_before(root: Path, head: str) -> str:
    """The branch checked out before the last move to `head`, if its tip is still `head`."""
    moves = _git(root, "reflog", "--format=%gs").splitlines()
    names = [m[1] for line in moves if (m := CHECKOUT.match(line)) and line.endswith(head)]
    names += _git(
        root, "for-each-ref", "--points-at", head, "--format=%(refname:short)", "refs/heads"
    ).splitlines()
    return next(
        (n for n in names if _git(root, "rev-parse", "-q", "--verify", f"refs/heads/{n}") == head), ""
    )


def _options(top: Path, head: str, merge: str) -> list[Problem]:
    """Files of the repository that still have the experiment's content."""
    if not head or not merge:
        return []
    before = _workspace_stash(top, head, merge) or head
    changed = _git(
        top, "diff", "--name-only", "-z", before, merge, "--", ":(exclude,glob)**/.dvc/tmp/**"
    ).split("\0")
    problems = []
    for name in filter(None, changed):
        path, expected = top / name, _blob(top, merge, name)
        if not path.is_file() or expected is None or path.read_bytes() != expected:
            continue  # restored already, or edited by the user since
        old = _blob(top, before, name)
        if old is None:
            continue
        origin = "the last commit" if before == head else "your uncommitted version"
        problems.append(
            Problem(
                f"options of a killed or failed `dvc exp run` are still in {os.path.relpath(path)}",
                f"restores {origin}",
                lambda p=path, b=old: _restore_file(top, p, b),
            )
        )
    return problems


def _failed_experiment_stash(root: Path, head: str) -> str:
    """The dropped stash of the last experiment in the workspace, if that failed; else ""."""
    stashes = _dropped_stashes(root, head, f"dvc-exp:{head}:")
    subject = _git(root, "log", "-1", "--format=%s", stashes[-1]) if stashes else ""
    experiments = _git(root, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    name = subject.rpartition(":")[2]
    return "" if not name or any(ref.rpartition("/")[2] == name for ref in experiments) else stashes[-1]


def _dropped_stashes(
    root: Path, head: str, subject: str, start: int = 0, end: int | None = None
) -> list[str]:
    """Dropped stashes on top of `head` with this start of the subject, oldest first; times in Unix
    seconds."""
    lines = _git(root, "fsck", "--unreachable", "--no-reflogs", "--no-progress").splitlines()
    stashes: list[tuple[int, str]] = []
    for commit in [line.split()[2] for line in lines if line.startswith("unreachable commit ")]:
        facts = _git(root, "log", "-1", "--format=%P%n%ct%n%s", commit).split("\n")
        parents, time, text = [*facts, "", "", ""][:3]
        in_time = start <= int(time or 0) and (end is None or int(time or 0) <= end)
        if parents.split()[:1] == [head] and text.startswith(subject) and in_time:
            stashes.append((int(time or 0), commit))
    return [commit for _, commit in sorted(stashes)]


def _workspace_stash(root: Path, head: str, merge: str) -> str:
    """The dropped stash of the workspace from just before the experiment's; "" if there is none."""
    end = int(_git(root, "log", "-1", "--format=%ct", merge) or 0)
    return next(iter(_dropped_stashes(root, head, "WIP on ", end - MAX_STASH_GAP, end)[-1:]), "")


def _restore_file(top: Path, path: Path, content: bytes) -> None:
    with atomic_file(path) as part:
        part.write_bytes(content)
    _run_git(top, "reset", "-q", "--", str(path.relative_to(top)))


def _remove_notes(root: Path, names: list[str]) -> None:
    for name in names:
        _run_git(root, "update-ref", "-d", f"refs/exps/exec/{name}")
    for left in (root / ".dvc/tmp/exps/run/workspace").glob("workspace.*"):
        left.unlink(missing_ok=True)


def _blob(root: Path, commit: str, name: str) -> bytes | None:
    done = subprocess.run(["git", "show", f"{commit}:{name}"], cwd=root, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _git(root: Path, *arguments: str) -> str:
    """Output of git, or "" if it fails."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else ""


def _run_git(root: Path, *arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError("git failed", got=done.stderr.strip(), where=f"git {' '.join(arguments)}")
