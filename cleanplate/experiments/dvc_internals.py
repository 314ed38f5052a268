"""The three private APIs of DVC that this project uses, tested with DVC 3.67.1; the third: `BESIDE_OTHERS`.

If another DVC version lacks one, the command fails with a message: otherwise a truncated `dvc.lock` would
pass as intact, and a queued experiment would be queued twice.

Private APIs of other libraries: `_processes` of ProcessPoolExecutor in pipeline/workers/engines/local.py
(Python 3.11), the stub for `openvino_telemetry` in pipeline/__init__.py (2026.4.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.runtime.errors import UserError

CHECKED = "3.67.1"
BESIDE_OTHERS = Path(__file__).with_name("dvc_beside_others.py")  # the script that experiments at once run


def lock_problem(raw: dict[str, Any]) -> str:
    """Why DVC refuses this content of a `dvc.lock`, or "".

    Raises:
        UserError: this DVC has no such check.
    """
    with _explain_missing("dvc.schema.COMPILED_LOCKFILE_SCHEMA"):
        from dvc.schema import COMPILED_LOCKFILE_SCHEMA
        from voluptuous import Invalid
    try:
        COMPILED_LOCKFILE_SCHEMA(raw)
    except Invalid as e:
        return str(e)
    return ""


def waiting_experiments() -> set[str]:
    """Names of the experiments that are queued or running in the queue.

    Raises:
        UserError: this DVC has no such queue.
    """
    from dvc.repo import Repo

    with Repo(".") as repo, _explain_missing("dvc.repo.Repo.experiments.celery_queue"):
        queue = repo.experiments.celery_queue
        return {str(e.name) for e in [*queue.iter_queued(), *queue.iter_active()] if e.name}


@contextmanager
def _explain_missing(what: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, AttributeError) as e:
        import dvc

        raise UserError(
            f"DVC {dvc.__version__} is not supported: it has no {what}",
            got=str(e),
            fix=f"install DVC {CHECKED} again (`make setup`), or a newer Cleanplate",
        ) from e
