"""Whether there is a token for a Ray cluster; one that asks for none lets anybody run code on every node."""

from __future__ import annotations

import os
from importlib.util import find_spec

from pipeline.params.machine import Machine
from pipeline.workers.cluster.connection import has_token

WAYS = "RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token"


def cluster_problems(machine: Machine) -> tuple[list[str], list[str]]:
    """Problems and warnings about the cluster of `machine.engine: ray`; starts none and asks none."""
    if machine.engine != "ray":
        return [], []
    if find_spec("ray") is None:
        return ["machine.engine: ray needs Ray, which is not installed; `make setup EXTRAS=cluster`"], []
    mode = os.environ.get("RAY_AUTH_MODE", "token")
    if mode != "token":
        return [], [
            f"warning: RAY_AUTH_MODE is {mode}: whoever reaches a port of a cluster started like this "
            "runs code on every node; start it with RAY_AUTH_MODE=token (SECURITY.md)"
        ]
    if machine.address == "auto" or has_token():
        return [], []
    return [], [
        f"warning: there is no token for the Ray cluster at {machine.address} in {WAYS}: without one "
        "no stage joins it; set it to the one that its head was started with (SECURITY.md)"
    ]
