"""Whether a Ray cluster asks for a token; one that does not lets anybody run code on every node."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from pipeline.params.machine import Machine

SECONDS = 20
KNOCK = "import sys; from ray._raylet import GcsClient; GcsClient(sys.argv[1]).get_all_node_info(timeout=5)"
WAYS = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"


def cluster_problems(machine: Machine) -> tuple[list[str], list[str]]:
    """Problems and warnings about the cluster of `machine.engine: ray`; starts none."""
    if machine.engine != "ray":
        return [], []
    if find_spec("ray") is None:
        return ["machine.engine: ray needs Ray, which is not installed; `make setup EXTRAS=cluster`"], []
    if machine.address == "auto":
        return [], []
    if _lets_in(machine.address):
        return [], [
            f"warning: the Ray cluster at {machine.address} asks for no token: whoever reaches one of its "
            "ports runs code on every node; start it with RAY_AUTH_MODE=token (SECURITY.md)"
        ]
    held = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if not held and not (Path.home() / ".ray" / "auth_token").is_file():
        return [], [f"warning: there is no token for the Ray cluster at {machine.address} in {WAYS}"]
    return [], []


def _lets_in(address: str) -> bool:
    """Whether the head at HOST:PORT answers somebody without a token."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
    try:
        done = subprocess.run(
            [sys.executable, "-c", KNOCK, address],
            env=environment | {"RAY_AUTH_MODE": "disabled"},
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
