"""What a worker elsewhere must know of the project, and what it must have in common with this machine.

A worker that does not see the project gets the code, and the networks that the head has fetched or converted
(`SENT`). Ray's object store carries them, once per node.
"""

from __future__ import annotations

import hashlib
import io
import secrets
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pipeline.runtime.disk import main_root
from pipeline.runtime.errors import UserError
from pipeline.workers.cluster.actor import versions_of
from pipeline.workers.cluster.pickles import main_module

CODE = Path(__file__).resolve().parents[3]
PARTS = ("pipeline", "stages", "cleanplate")  # of the code, and the one that holds the function
SENT = (".cache/weights", ".cache/compiled", "build/segmenter")
DECIDE = (
    "numpy",
    "opencv-python-headless",
    "pillow",
    "simplejpeg",
    "openvino",
    "torch",
    "timm",
    "accelerate",
)
DECIDE += ("dlib-bin", "scipy")


class Site:
    """The project as it is on this machine. Close it.

    Args:
        ray: the module.
        module: of the function that workers run, whose part of the code they need.
        files: that a worker sees, if it sees the project.
        needs: folders that go along with the networks.

    Attributes:
        facts: where project and code are, for `PhotoWorker`.
        versions: of the packages that decide results.
    """

    def __init__(self, ray: Any, module: str, files: Iterable[Path], needs: Sequence[str] = ()) -> None:
        self.needs = (*SENT, *needs)
        self.ray, self.module, self.versions = ray, module, versions_of(DECIDE)
        self.probe = Path(".cache") / f"seen-{secrets.token_hex(8)}"
        self.probe.parent.mkdir(exist_ok=True)
        self.probe.write_text("", encoding="utf-8")
        seen = (self.probe.absolute(), Path(__file__), *files)
        self.facts = {
            "project": str(Path.cwd()),
            "main": str(main_root().absolute()),
            "code": str(CODE),
            "module": main_module(),
            "files": [(str(path), path.stat().st_size) for path in seen],
        }
        self._sent: dict[str, Any] | None = None

    def close(self) -> None:
        """Removes what was written for the time of the run."""
        self.probe.unlink(missing_ok=True)

    def sent(self) -> dict[str, Any]:
        """Code and networks for a worker that does not see the project, by reference."""
        if self._sent is None:
            code, files = self._code(), {}
            for root in self.needs:
                base = main_root() if root.startswith(".cache") else Path()
                for path in sorted(p for p in (base / root).rglob("*") if p.is_file()):
                    content = path.read_bytes()
                    name = path.relative_to(base).as_posix()
                    files[name] = (hashlib.sha256(content).hexdigest(), [self.ray.put(content)])
            self._sent = {
                "code": (hashlib.sha256(code).hexdigest()[:16], [self.ray.put(code)]),
                "files": files,
            }
        return self._sent

    def _code(self) -> bytes:
        """A zip of the code, the same bytes for the same code."""
        module = self.module if self.module != "__main__" else main_module()
        parts = sorted({*PARTS, module.partition(".")[0]})
        files = [CODE / "weights.lock", *(p for part in parts for p in sorted((CODE / part).rglob("*")))]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in files:
                if path.is_file() and path.suffix != ".pyc":
                    name = path.relative_to(CODE).as_posix()
                    packed.writestr(zipfile.ZipInfo(name), path.read_bytes())
        return buffer.getvalue()


def require_same_packages(address: str, there: dict[str, str], here: dict[str, str]) -> None:
    """Raises UserError if a node has other versions of what decides results than the head."""
    problem = "a node of the cluster has other versions of packages, and would give other results"
    _require_equal(problem, address, there, here, "run `make setup EXTRAS=cluster` of this commit there")


def require_same_facts(address: str, there: dict[str, Any], here: dict[str, Any]) -> None:
    """Raises UserError if a node would compute in another way than the head, e.g. in another precision."""
    problem = "a node of the cluster would compute in another way, and give other results"
    fix = "set device, backend and precision in params.yaml to what every node has, instead of auto"
    _require_equal(problem, address, there, here, fix)


def _require_equal(problem: str, address: str, there: dict[str, Any], here: dict[str, Any], fix: str) -> None:
    other = [
        f"{name} {there.get(name)} (here {here[name]})" for name in here if there.get(name) != here[name]
    ]
    if other:
        raise UserError(problem, where=f"node {address}", got=", ".join(other), fix=fix)
