"""What git knows of this repository: experiments, tags, branches, files of a commit. Nothing here writes.

The project may be a subfolder of the repository: git is asked for `COMMIT:./path` and `--relative` names.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from pipeline.runtime.errors import UserError, nearest
from pipeline.runtime.progress import say

WORKSPACE = "workspace"


def experiments() -> dict[tuple[str, str], str]:
    """(commit that it started from, name) → its own commit, for every experiment of this repository."""
    found: dict[tuple[str, str], str] = {}
    for line in git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines():
        ref, commit = line.rsplit(" ", 1)
        parts = ref.split("/", 4)  # refs/exps/<2 digits>/<38 digits>/<name>
        if len(parts) == 5 and len(parts[3]) == 38:
            found[parts[2] + parts[3], parts[4]] = commit
    return found


def experiment_names() -> list[str]:
    """Names of all experiments, sorted."""
    return sorted({name for _, name in experiments()})


def commit_of(name: str) -> str:
    """What a name means to the user.

    An experiment's name may be shared by those of several commits: that of the commit checked out wins, else
    the newest, and the user is told.
    """
    found = {base: commit for (base, n), commit in experiments().items() if n == name}
    head = git("rev-parse", "--verify", "-q", "HEAD").strip()
    if not found:
        commit = git("rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}").strip()
        return commit or _unknown(name, head)
    newest = git("rev-list", "--no-walk=sorted", *found.values()).split()[0]
    chosen = found.get(head, newest)
    if len(found) > 1:
        say(f"note: {len(found)} commits have an experiment {name}; taken: {chosen[:7]}")
    return chosen


def _unknown(name: str, head: str) -> str:
    if not head:
        fix = "run in the project's root"
        raise UserError("this is no git repository with a commit", where=Path.cwd(), fix=fix)
    known = [WORKSPACE, *experiment_names(), *_names("refs/tags"), *_names("refs/heads")]
    close = nearest(name, known)
    listing = "`dvc exp list --all-commits` lists the experiments"
    raise UserError(
        "there is no experiment, tag or commit of this name",
        got=name,
        allowed=known,
        fix=f"did you mean `{close}`?" if close else listing,
    )


def git_bytes(commit: str, path: str) -> bytes | None:
    """A file of a commit, by its path below the current directory; None where it has none."""
    done = subprocess.run(["git", "show", f"{commit}:./{path}"], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def project_prefix() -> str:
    """Path of the current directory below the repository's root, e.g. `apps/cleanplate/`; "" at the root."""
    return git("rev-parse", "--show-prefix").rstrip("\n")


def changed_files(*commits: str, within: tuple[str, ...]) -> list[str]:
    """Files of the project that differ between two commits, or between one and the workspace."""
    return git("diff", "--name-only", "--relative", *commits, "--", *within).splitlines()


def git(*arguments: str) -> str:
    """Output of a git command that only reads; "" where it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _names(place: str) -> list[str]:
    return git("for-each-ref", "--format=%(refname:short)", place).split()
