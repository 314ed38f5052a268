"""Processes on the nodes of a Ray cluster, found and restarted by Ray Train: nccl on GPUs, gloo on CPUs.

The decoded pictures travel through Ray's object store, once per node, so that no folder need be shared.
After every epoch the first process hands its checkpoint to this one, which writes it: a lost node costs the
epoch at hand, and the others go on with the processes that there is room for.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace

import numpy as np

from pipeline.io.atomic import atomic_file
from pipeline.params.machine import Machine
from pipeline.runtime.cpus import experiments_at_once
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from pipeline.train.config import resolve_config
from pipeline.train.data import Examples, Pictures
from pipeline.train.share import SharedTraining
from pipeline.workers.cluster import actor
from pipeline.workers.cluster.connection import Cluster, connect
from pipeline.workers.cluster.pickles import Loader
from pipeline.workers.cluster.site import Site

SETTINGS = {
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # else each line comes twice
}
FAILURES = 3  # of processes or nodes, until the training ends
LOOK_SECONDS = 0.5  # between looks at the cluster
PATIENCE = 300.0  # seconds until the first process must have begun; other work may have to end first
PATIENCE_BESIDE_OTHERS = 6 * 3600.0  # the same among experiments at once, whose passes end some time
WAITING = 30.0  # seconds until it is said that none has
ABORT_SECONDS = 30.0  # that Ray Train has to end its processes


def launch(training: SharedTraining, machine: Machine) -> None:
    """Runs the training on the cluster; see `pipeline.train.launchers`.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be reached, has no room, or is gone. A process
            failed again and again, or a node has other packages.
    """
    cluster = connect(machine)
    site = Site(cluster.ray, actor.__name__, ())
    with tempfile.TemporaryDirectory(prefix="cleanplate-train-") as notes:
        try:
            Attempt(cluster, site, training, notes).watch()
        finally:
            site.close()


class Attempt:
    """One run of a training on a cluster, from its checkpoint on; `notes`: a folder for what Ray notes."""

    def __init__(self, cluster: Cluster, site: Site, training: SharedTraining, notes: str) -> None:
        from pipeline.train.launchers import _ray_process

        self.cluster, self.ray, self.training = cluster, cluster.ray, training
        for module in (actor, _ray_process):
            self.ray.cloudpickle.register_pickle_by_value(module)
        here = {"ray.io/node-id": self.ray.get_runtime_context().get_node_id()}
        keeper = self.ray.remote(_ray_process.Keeper).options(num_cpus=0, label_selector=here)
        held = training.checkpoint.read_bytes() if training.checkpoint.is_file() else None
        self.keeper = keeper.remote(held)
        config = resolve_config(training.train)  # every node computes as this one would
        same = {"device": config.device.type, "precision": config.precision}
        order = {
            "site": site.facts,
            "versions": site.versions,
            "sent": site.sent() if len(self.ray.nodes()) > 1 else None,
            "examples": [self.ray.put(movable(*training.load()))],
            "train": [self.ray.put(training.train.model_copy(update=same))],
            "fold": training.fold,
            "on_cpu": config.device.type == "cpu",
            "keeper": self.keeper,
        }
        room = cluster.share("CPU" if order["on_cpu"] else "GPU")
        if room == 0 and not order["on_cpu"]:
            fix = "start its nodes with their GPUs, or set machine.engine: local, or train.device: cpu"
            raise UserError("the cluster has no GPU, and this machine has", where=cluster.address, fix=fix)
        self.processes = max(1, min(training.train.processes, int(room)))  # others run at once, too
        order["cpus"] = self.cpus()
        several = f"up to {self.processes} processes" if self.processes > 1 else "one process"
        say(f"ray: {several} of {order['cpus']} CPUs{' each' if self.processes > 1 else ''}")
        # in a process of its own: Ray may not be shut down while a thread of this one waits for it
        run = self.ray.remote(_ray_process.run).options(num_cpus=0, max_retries=0, label_selector=here)
        self.end = run.remote(order, self.processes, FAILURES, notes, SETTINGS)
        self.begun = self.is_waiting = False

    def cpus(self) -> int:
        """CPUs of each process: a single one fits on the largest node, each of several on the smallest."""
        room = [node["Resources"].get("CPU", 0) for node in self.ray.nodes() if node["Alive"]]
        fits = max(room) if self.processes == 1 else min(n for n in room if n)
        return int(max(1, min(self.cluster.share("CPU") // self.processes, fits)))

    def watch(self) -> None:
        """Waits until it has ended; says what its first process says, and keeps its checkpoints.

        Raises:
            UserError: see `launch`.
        """
        since = time.monotonic()
        try:
            while not self.ray.wait([self.end], timeout=LOOK_SECONDS)[0]:
                if self.cluster.is_there():
                    self._take()
                if not self.begun:
                    self._wait_for_room(time.monotonic() - since)
            self._take()
        except BaseException:
            self._abort()
            raise
        try:
            self.ray.get(self.end)
        except self.ray.exceptions.RayError as e:
            while not self.cluster.is_there():  # which raises when it is gone
                time.sleep(LOOK_SECONDS)
            raise explained(e) from e

    def _take(self) -> None:
        """Takes what the first process has said and kept since.

        Raises:
            UserError: a process ended with it.
        """
        try:
            lines, checkpoint, error = self.ray.get(self.keeper.take.remote(), timeout=5)
        except self.ray.exceptions.RayError:  # the head may be away; `is_there` says when it is gone
            return
        self.begun = self.begun or bool(lines) or checkpoint is not None
        if checkpoint is not None:
            with atomic_file(self.training.checkpoint) as part:
                part.write_bytes(checkpoint)
        for line in lines:
            say(line)
        if error is not None:
            raise Loader({}).load(error)

    def _abort(self) -> None:
        """Ends all processes of this driver; Ray Train first, or what it reserved stays so for 3 minutes."""
        if not self.cluster.is_own and self.cluster.answers():
            self.keeper.stop.remote()
            self.ray.wait([self.end], timeout=ABORT_SECONDS)
        self.ray.shutdown()

    def _wait_for_room(self, seconds: float) -> None:
        """Says that no process has begun; raises UserError when none will."""
        if seconds > WAITING and not self.is_waiting:
            self.is_waiting = True
            say("ray: no process has begun yet; what a killed training reserved is free after 3 minutes")
        patience = PATIENCE if experiments_at_once() == 1 else PATIENCE_BESIDE_OTHERS
        if seconds < patience:
            return
        raise UserError(
            f"no training process began within {patience:.0f} s",
            where=f"the Ray cluster at {self.cluster.address}",
            got=f"{self.ray.available_resources().get('CPU', 0):g} free CPUs",
            fix="wait for other work on the cluster, run fewer experiments at once (--jobs), add nodes, "
            "or set machine.engine: local",
        )


def movable(learn: Examples, valid: Examples) -> tuple[Examples, Examples]:
    """The examples with their pictures in memory, as the object store takes them.

    Raises:
        UserError: they read a folder of this machine in every epoch.
    """
    if learn.plates is not None:
        raise UserError(
            "train.background_swap reads plates in every epoch, which a cluster's nodes may not see",
            where="machine.engine: ray",
            fix="set train.background_swap: 0, or machine.engine: local, or train.processes: 1",
        )
    pictures = in_memory(learn.pictures)
    others = pictures if valid.pictures is learn.pictures else in_memory(valid.pictures)
    return replace(learn, pictures=pictures), replace(valid, pictures=others)


def in_memory(pictures: Pictures) -> Pictures:
    """The same pictures, no longer mapped from a file, which would be pickled byte by byte."""
    return replace(pictures, arrays=tuple(np.asarray(array) for array in pictures.arrays))


def explained(error: BaseException) -> UserError:
    """What went wrong in a process again and again, as its user should see it."""
    error = getattr(error, "cause", None) or error
    failure = next(iter(getattr(error, "worker_failures", {}).values()), error)
    text = str(getattr(failure, "cause", failure)).strip().splitlines()[-1]
    fix = "set machine.engine: local to see it more clearly"
    return UserError("a training process failed", where="machine.engine: ray", got=text, fix=fix)
