"""Training curves for `dvc plots show`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.runtime.errors import UserError, first_line

OnEpoch = Callable[[list[dict[str, float]]], None]


@contextmanager
def curves(folder: Path, multiple: bool) -> Iterator[Callable[[int], OnEpoch]]:
    """Writes one table per curve, `plots/metrics/train/loss.tsv` and so on, after every epoch.

    Args:
        folder: of the curves; what an earlier run left there goes, since it may be linked into DVC's cache.
        multiple: more than one fold is trained; each then has its own folder below plots/metrics.

    Yields:
        A function from a fold to what is called after each of its epochs, with all its rows so far; rows that
        are written already are not written again.

    Raises:
        UserError: the repository has no commit yet.
    """
    from dvclive.live import Live
    from scmrepo.exceptions import SCMError

    shutil.rmtree(folder, ignore_errors=True)
    try:  # the defaults would rewrite dvc.yaml in the middle of a run and save an experiment
        logger = Live(dir=str(folder), dvcyaml=None, save_dvc_exp=False, report=None, monitor_system=False)
    except SCMError as e:
        problem = "DVCLive, which writes the curves, cannot read the repository's last commit"
        raise UserError(problem, got=first_line(e), fix="git add -A && git commit -m start") from e
    with logger as live:

        def for_fold(fold: int) -> OnEpoch:
            prefix = f"fold{fold}/" if multiple else ""
            written = 0

            def write(history: list[dict[str, float]]) -> None:
                nonlocal written
                for live.step in range(written, len(history)):
                    for name, value in history[live.step].items():
                        live.log_metric(f"{prefix}{name}", value)
                    live.make_summary()
                written = len(history)

            return write

        yield for_fold
