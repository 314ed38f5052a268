"""What a killed `dvc exp run` leaves in the workspace, as DVC 3.67 does, and the way back.

It runs on a detached HEAD with the values of its `-S` options in params.yaml, and keeps its notes in refs:
EXEC_HEAD is the commit that it started from, EXEC_MERGE a stash of the workspace with the options applied.
What the workspace was before is in another stash (`WIP on …`) that was dropped, but that git still has;
where there is none, the workspace was clean.

One whose stage failed leaves the options too, and of the notes EXEC_HEAD alone; its stash was dropped like
the other one. An experiment of the name in its subject: it ended well, and its values were meant.

Notes and HEAD belong to the whole git repository, of which the project may be a subfolder: so do the files.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
from pathlib import Path

from cleanplate.integrity.leftovers import Ailment
from pipeline.io.atomic import atomic_file
from pipeline.runtime.errors import UserError

REFS = ("EXEC_BASELINE", "EXEC_HEAD", "EXEC_MERGE", "EXEC_BRANCH", "EXEC_CHECKPOINT")
SECONDS = 120  # between the stash of the workspace and that of the experiment
MOVED = re.compile(r"^checkout: moving from (\S+) to ")


def killed_experiment(root: Path) -> list[Ailment]:
    """A detached HEAD, options left in files, and DVC's notes. Call when nothing is at work here."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top:
        return []
    refs = {name: _git(root, "rev-parse", "-q", "--verify", f"refs/exps/exec/{name}") for name in REFS}
    refs = {name: rev for name, rev in refs.items() if rev}
    if not refs:
        return []
    found = _detached(root, refs.get("EXEC_HEAD", ""))
    head = refs.get("EXEC_HEAD", "")
    found += _options(Path(top), head, refs.get("EXEC_MERGE") or _failed(root, head))
    notes = "notes of a killed or failed `dvc exp run`: refs/exps/exec/" + ", ".join(refs)
    return [*found, Ailment(notes, "removes them", lambda: _drop(root, list(refs)))]


def _detached(root: Path, head: str) -> list[Ailment]:
    if not head or _git(root, "symbolic-ref", "-q", "HEAD") or _git(root, "rev-parse", "HEAD") != head:
        return []
    what = f"a detached HEAD at {head[:7]}, left by a killed `dvc exp run`"
    branch = _branch_before(root, head)
    if not branch:
        return [Ailment(what, "`git switch` to your branch")]
    reattach = functools.partial(_must, root, "symbolic-ref", "-m", "doctor", "HEAD", f"refs/heads/{branch}")
    return [Ailment(what, f"goes back to branch {branch}; no file changes", reattach)]


def _branch_before(root: Path, head: str) -> str:
    """The branch that the last move to `head` came from, if its tip is still `head`."""
    moves = _git(root, "reflog", "--format=%gs").splitlines()
    names = [m[1] for line in moves if (m := MOVED.match(line)) and line.endswith(head)]
    names += _git(
        root, "for-each-ref", "--points-at", head, "--format=%(refname:short)", "refs/heads"
    ).splitlines()
    return next(
        (n for n in names if _git(root, "rev-parse", "-q", "--verify", f"refs/heads/{n}") == head), ""
    )


def _options(top: Path, head: str, merge: str) -> list[Ailment]:
    """Files below the repository's root that are as the experiment wanted them, not as they were before."""
    if not head or not merge:
        return []
    before = _before(top, head, merge) or head
    changed = _git(
        top, "diff", "--name-only", "-z", before, merge, "--", ":(exclude,glob)**/.dvc/tmp/**"
    ).split("\0")
    found = []
    for name in filter(None, changed):
        path, asked = top / name, _blob(top, merge, name)
        if not path.is_file() or asked is None or path.read_bytes() != asked:
            continue  # back already, or changed since: then it is the user's
        old = _blob(top, before, name)
        if old is None:
            continue
        origin = "the last commit" if before == head else "your uncommitted version"
        found.append(
            Ailment(
                f"options of a killed or failed `dvc exp run` are still in {os.path.relpath(path)}",
                f"restores {origin}",
                lambda p=path, b=old: _restore(top, p, b),
            )
        )
    return found


def _failed(root: Path, head: str) -> str:
    """The dropped stash of the last experiment that ran on the workspace, if it failed; else ""."""
    stashes = _dropped(root, head, f"dvc-exp:{head}:")
    subject = _git(root, "log", "-1", "--format=%s", stashes[-1]) if stashes else ""
    ended = _git(root, "for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    name = subject.rpartition(":")[2]
    return "" if not name or any(ref.rpartition("/")[2] == name for ref in ended) else stashes[-1]


def _dropped(root: Path, head: str, subject: str, start: int = 0, end: int | None = None) -> list[str]:
    """Dropped stashes on top of `head`, oldest first, whose subject begins so; seconds since 1970."""
    lines = _git(root, "fsck", "--unreachable", "--no-reflogs", "--no-progress").splitlines()
    found: list[tuple[int, str]] = []
    for commit in [line.split()[2] for line in lines if line.startswith("unreachable commit ")]:
        facts = _git(root, "log", "-1", "--format=%P%n%ct%n%s", commit).split("\n")
        parents, when, said = [*facts, "", "", ""][:3]
        in_time = start <= int(when or 0) and (end is None or int(when or 0) <= end)
        if parents.split()[:1] == [head] and said.startswith(subject) and in_time:
            found.append((int(when or 0), commit))
    return [commit for _, commit in sorted(found)]


def _before(root: Path, head: str, merge: str) -> str:
    """The dropped stash of the workspace from just before the experiment's own; "" if there was none."""
    end = int(_git(root, "log", "-1", "--format=%ct", merge) or 0)
    return next(iter(_dropped(root, head, "WIP on ", end - SECONDS, end)[-1:]), "")


def _restore(top: Path, path: Path, content: bytes) -> None:
    with atomic_file(path) as part:
        part.write_bytes(content)
    _must(top, "reset", "-q", "--", str(path.relative_to(top)))


def _drop(root: Path, names: list[str]) -> None:
    for name in names:
        _must(root, "update-ref", "-d", f"refs/exps/exec/{name}")
    for left in (root / ".dvc/tmp/exps/run/workspace").glob("workspace.*"):
        left.unlink(missing_ok=True)


def _blob(root: Path, commit: str, name: str) -> bytes | None:
    done = subprocess.run(["git", "show", f"{commit}:{name}"], cwd=root, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _git(root: Path, *arguments: str) -> str:
    """What git prints, or "" where it fails."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    return done.stdout.decode("utf-8", "surrogateescape").strip() if done.returncode == 0 else ""


def _must(root: Path, *arguments: str) -> None:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError("git refused", got=done.stderr.strip(), where=f"git {' '.join(arguments)}")
