"""Read-only git queries: experiments, tags, branches, files of a commit.

The project may be a subfolder of the repository, hence `COMMIT:./path` and `--relative`.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from pipeline.runtime.errors import UserError, nearest
from pipeline.runtime.progress import say

WORKSPACE = "workspace"


def experiments() -> dict[tuple[str, str], str]:
    """(base commit, name) → commit, for every experiment of this repository."""
    commits: dict[tuple[str, str], str] = {}
    for line in git("for-each-ref", "--format=%(refname) %(objectname)", "refs/exps").splitlines():
        ref, commit = line.rsplit(" ", 1)
        parts = ref.split("/", 4)  # refs/exps/<2 digits>/<38 digits>/<name>
        if len(parts) == 5 and len(parts[3]) == 38:
            commits[parts[2] + parts[3], parts[4]] = commit
    return commits


def experiment_names() -> list[str]:
    """Names of all experiments, sorted."""
    return sorted({name for _, name in experiments()})


def resolve_commit(name: str) -> str:
    """The commit of a name.

    Experiments of several base commits may share a name: HEAD's wins, else the newest, with a note.
    """
    by_base = {base: commit for (base, n), commit in experiments().items() if n == name}
    head = git("rev-parse", "--verify", "-q", "HEAD").strip()
    if not by_base:
        commit = git("rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}").strip()
        return commit or _unknown(name, head)
    newest = git("rev-list", "--no-walk=sorted", *by_base.values()).split()[0]
    chosen = by_base.get(head, newest)
    if len(by_base) > 1:
        say(f"note: {len(by_base)} commits have an experiment {name}; taken: {chosen[:7]}")
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
    """A file of a commit, by its path below the current directory; None if it is missing."""
    done = subprocess.run(["git", "show", f"{commit}:./{path}"], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def project_prefix() -> str:
    """Path of the current directory below the repository's root, e.g. `apps/cleanplate/`; "" at the root."""
    return git("rev-parse", "--show-prefix").rstrip("\n")


def changed_files(*commits: str, within: tuple[str, ...]) -> list[str]:
    """Files of the project that differ between two commits, or between one and the workspace."""
    return git("diff", "--name-only", "--relative", *commits, "--", *within).splitlines()


def git(*arguments: str) -> str:
    """Output of a read-only git command; "" if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _names(place: str) -> list[str]:
    return git("for-each-ref", "--format=%(refname:short)", place).split()
