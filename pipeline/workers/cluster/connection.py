"""The connection of this process to a Ray cluster: found, or started on 127.0.0.1, always with a token.

Whoever reaches a Ray port without a token can run code on every node, so a token is always asked for. Usage
statistics, dashboard and the copying of workers' output are off. One connection lasts until this process
ends, since to start a cluster takes seconds.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from pipeline.params.machine import Machine
from pipeline.runtime.cpus import experiments_at_once
from pipeline.runtime.disk import explain_shared_memory
from pipeline.runtime.errors import UserError, first_line
from pipeline.runtime.process import worker_count
from pipeline.runtime.progress import say

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else a warning about a change to come
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "300",  # then it would abort; `is_there` is sooner
}
FOLDER = "cleanplate-ray-"  # + the process; of a cluster of one's own, in the system's temporary folder
OBJECT_STORE = 512 << 20  # bytes, of a cluster of one's own; what does not fit goes to disk
GONE_SECONDS = 15.0  # without an answer, the cluster is gone
# Ray ends a process at once whose node is gone, and then nothing of it runs any more
WATCH = "import sys; sys.stdin.buffer.read() or print(sys.argv[1], file=sys.stderr, flush=True)"
ENDED = (
    "ray: this process was ended without a word: it was killed, or Ray ended it because its node is gone\n"
    "  fix:     run again when the cluster is back, or set machine.engine: local; no output was changed"
)
FIX_TOKEN = "set RAY_AUTH_TOKEN, or ~/.ray/auth_token, to the token that its head was started with"
FIX_NODE = "run on a node of the cluster, with the Python and Ray of its head (docs/scale.md)"


@dataclass
class Cluster:
    """A connected cluster: the module `ray`, what machine.address was, HOST:PORT of the head, and whether
    this process started it for itself alone, with its share of the CPUs.
    """

    ray: Any
    asked: str
    address: str
    is_own: bool
    answered: float

    def share(self, resource: str) -> float:
        """How much of a resource (CPU, GPU) is there for this experiment, of those that run at once."""
        total = sum(node["Resources"].get(resource, 0) for node in self.ray.nodes() if node["Alive"])
        return total if self.is_own else total / experiments_at_once()

    def is_there(self) -> bool:
        """Whether the head answers now.

        Raises:
            UserError: it has not answered for `GONE_SECONDS`.
        """
        if self.answers():
            self.answered = time.monotonic()
            return True
        if time.monotonic() - self.answered > GONE_SECONDS:
            raise UserError(
                "the Ray cluster is gone; no output was changed, and finished results are in the cache",
                where=self.address,
                fix="run again when it is back, or set machine.engine: local",
            )
        return False

    def answers(self) -> bool:
        """Whether somebody listens at the head's address."""
        try:
            _knock(self.address, 2)
        except OSError:
            return False
        return True


def has_token() -> bool:
    """Whether Ray finds a token; another one than the cluster's is found out by joining it."""
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or file.is_file()


_current: Cluster | None = None


def connect(machine: Machine) -> Cluster:
    """The cluster that `machine.address` means.

    Raises:
        UserError: Ray is not installed; there is no cluster at the address, or it refuses us.
    """
    global _current
    if find_spec("ray") is None:
        raise UserError(
            "machine.engine: ray needs Ray, which is not installed",
            fix="`make setup EXTRAS=cluster`, or set machine.engine: local",
        )
    start = time.monotonic()
    os.environ.update({name: os.environ.get(name, value) for name, value in SETTINGS.items()})
    os.environ["RAY_AUTH_MODE"] = SETTINGS["RAY_AUTH_MODE"]
    import ray

    if _current and _current.asked == machine.address and ray.is_initialized():
        return _current
    ray.shutdown()
    _silence(ray)
    address = _running() if machine.address == "auto" else machine.address
    head = _join(ray, address) if address else _start(ray, machine)
    if _current is None:
        _start_watcher()
    _current = Cluster(ray, machine.address, head, not address, time.monotonic())
    where = f"joined the cluster at {address}" if address else "started a cluster on this machine alone"
    say(f"ray: {where} in {time.monotonic() - start:.1f} s")
    return _current


def _start_watcher() -> None:
    """Starts a process that says `ENDED` when this one ends in any other way than by Python's own."""
    watcher = subprocess.Popen(
        [sys.executable, "-S", "-c", WATCH, ENDED], stdin=subprocess.PIPE, start_new_session=True
    )

    def release() -> None:
        watcher.communicate(b"ended")

    atexit.register(release)


def _silence(ray: Any) -> None:
    """Keeps Ray's own messages, which nothing turns off, out of the output: `Workers` says what matters."""
    from ray._private import worker

    logging.getLogger("ray").setLevel(logging.ERROR)
    worker.print_to_stdstream = lambda *message, **options: None


def _running() -> str | None:
    """The address of the cluster that `ray start` made this machine a node of; None if there is none.

    Never one that another process has started for itself alone, which Ray would find too; nor one that
    `ray start` noted and that has ended since.
    """
    from ray._private.services import find_gcs_addresses
    from ray._private.utils import read_ray_address

    if address := os.environ.get("RAY_ADDRESS"):
        return address
    noted = read_ray_address()
    return noted if noted in find_gcs_addresses() else None


def _start(ray: Any, machine: Machine) -> str:
    """Starts a cluster that only this machine reaches, and that ends with this process."""
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False  # else it takes an outer address, and listens on all of them
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    _remove_left_folders()
    folder = tempfile.mkdtemp(prefix=f"{FOLDER}{os.getpid()}-")
    atexit.register(_leave, ray, folder)
    with explain_shared_memory("machine.workers"):
        context = ray.init(
            address="local",
            num_cpus=worker_count(machine.workers),
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            object_store_memory=OBJECT_STORE,
            _temp_dir=folder,
        )
    return context.address_info["gcs_address"]


def _leave(ray: Any, folder: str) -> None:
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


def _remove_left_folders() -> None:
    """Removes the folders of killed processes."""
    for left in Path(tempfile.gettempdir()).glob(f"{FOLDER}*"):
        pid = left.name.removeprefix(FOLDER).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _join(ray: Any, address: str) -> str:
    """Connects to a started cluster."""
    try:
        _knock(address, 5)
    except (OSError, ValueError) as e:
        raise UserError(
            "there is no Ray cluster at this address",
            where=f"machine.address: {address}",
            got=str(e),
            fix="start it (docs/scale.md), correct the address, or set machine.engine: local",
        ) from e
    if not has_token():  # Ray would abort, with a stack trace
        raise UserError(
            "there is no token for the Ray cluster", where=f"machine.address: {address}", fix=FIX_TOKEN
        )
    from ray._raylet import GcsClient  # pyright: ignore[reportAttributeAccessIssue]

    try:
        GcsClient(address=address)  # says at once what `ray.init` would say of nothing but time
        context = ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as e:
        refused = isinstance(e, ray.exceptions.AuthenticationError)
        raise UserError(
            "the Ray cluster wants another token" if refused else "the Ray cluster refuses this machine",
            where=f"machine.address: {address}",
            got=first_line(e),
            fix=FIX_TOKEN if refused else FIX_NODE,
        ) from e
    return context.address_info["gcs_address"]


def _knock(address: str, timeout: float) -> None:
    """Raises OSError if nobody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
