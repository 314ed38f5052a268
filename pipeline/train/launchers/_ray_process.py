"""What runs on the nodes of a cluster for `train.processes`; Ray pickles it whole, as the photos' worker."""

from __future__ import annotations

import _thread
import os
import pickle
import tempfile
import warnings
from contextlib import nullcontext, redirect_stderr
from io import TextIOBase
from pathlib import Path
from threading import Event, Thread
from typing import Any

import ray
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig, get_context
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.torch.config import _TorchBackend

from pipeline.workers.cluster.actor import enter, look

get: Any = ray.get  # of references to anything
node_address: Any = ray.util.get_node_ip_address


class Keeper:
    """An actor beside the head: the newest checkpoint, and what the first process says."""

    def __init__(self, checkpoint: bytes | None) -> None:
        self.checkpoint, self.fresh = checkpoint, False
        self.lines: list[str] = []
        self.is_stopped = False
        self.error: bytes | None = None

    def keep(self, checkpoint: bytes) -> None:
        """Takes the checkpoint of an epoch."""
        self.checkpoint, self.fresh = checkpoint, True

    def kept(self) -> bytes | None:
        """The newest checkpoint."""
        return self.checkpoint

    def say(self, line: str) -> None:
        """Takes a line for the user."""
        self.lines.append(line)

    def refuse(self, error: bytes) -> None:
        """Takes a pickled error with which every further try would end, too."""
        self.error, self.is_stopped = error, True

    def stop(self) -> None:
        """Asks for the end of the training."""
        self.is_stopped = True

    def stopped(self) -> bool:
        """Whether the training should end."""
        return self.is_stopped

    def take(self) -> tuple[list[str], bytes | None, bytes | None]:
        """Lines and checkpoint that have come since it was last called, and the error."""
        lines, self.lines = self.lines, []
        checkpoint, self.fresh = self.checkpoint if self.fresh else None, False
        return lines, checkpoint, self.error


class KeeperStream(TextIOBase):
    """In place of stderr: whole lines go to the keeper."""

    def __init__(self, keeper: Any) -> None:
        self.keeper, self.rest = keeper, ""

    def write(self, text: str) -> int:
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            self.keeper.say.remote(line)
        return len(text)


class LinkedTorch(_TorchBackend):
    """Finds the network by which the nodes know each other, where a host name means another one."""

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


class LinkedTorchConfig(TorchConfig):
    """Torch's process group, set up by `LinkedTorch`."""

    @property
    def backend_cls(self) -> type[LinkedTorch]:
        return LinkedTorch


def _choose_interface() -> None:
    import psutil

    address = node_address()
    for name, facts in psutil.net_if_addrs().items():
        if address in {fact.address for fact in facts}:
            os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = name


def run(order: dict[str, Any], processes: int, failures: int, notes: str, settings: dict[str, str]) -> None:
    """Has Ray Train run `train_here` to its end, in 1 to `processes` processes of `cpus` CPUs each.

    Raises:
        TrainingFailedError: a process failed more than `failures` times.
    """
    os.environ.update({name: os.environ.get(name, value) for name, value in settings.items()})
    done = Event()
    Thread(target=_interrupt_when_stopped, args=(order["keeper"], done), daemon=True).start()
    gpu = not order["on_cpu"]
    trainer = TorchTrainer(
        train_here,
        train_loop_config=order,
        torch_config=LinkedTorchConfig(),
        scaling_config=ScalingConfig(
            num_workers=(1, processes),
            use_gpu=gpu,
            resources_per_worker={"CPU": order["cpus"], **({"GPU": 1} if gpu else {})},
        ),
        run_config=RunConfig(
            storage_path=notes,
            failure_config=FailureConfig(max_failures=failures),
        ),
    )
    try:
        trainer.fit()
    finally:
        done.set()


def _interrupt_when_stopped(keeper: Any, done: Event) -> None:
    """Has Ray Train end its processes and give back what it reserved, as Ctrl-C in its own process would."""
    while not done.wait(0.5):
        if get(keeper.stopped.remote()):
            _thread.interrupt_main()
            return


def train_here(order: dict[str, Any]) -> None:
    """One process: goes on from the newest checkpoint, to the end."""
    if get(order["keeper"].stopped.remote()):
        return  # so that the training ends, and Ray Train gives back what it reserved
    facts = look(order["site"], list(order["versions"]))
    enter(order["site"], None if facts["sees"] else order["sent"])
    from pipeline.runtime.errors import UserError
    from pipeline.workers.cluster.site import require_same_packages

    try:
        require_same_packages(facts["address"], facts["versions"], order["versions"])
        _train(order)
    except UserError as e:
        get(order["keeper"].refuse.remote(pickle.dumps(e)))
        raise


def _train(order: dict[str, Any]) -> None:
    if order["on_cpu"]:
        os.environ["ACCELERATE_USE_CPU"] = "true"
        torch.set_num_threads(order["cpus"])  # not those of the node, on which others may learn, too
    from pipeline.train.config import resolve_config
    from pipeline.train.loop import fit

    (learn, valid), train = get(order["examples"][0]), get(order["train"][0])
    keeper, first = order["keeper"], get_context().get_world_rank() == 0
    keeper.say.remote(f"ray: process {get_context().get_world_rank()} trains on {node_address()}")
    warnings.filterwarnings("ignore", "torch.distributed.nn.functional", FutureWarning)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "fold.pt"
        if held := get(keeper.kept.remote()):
            checkpoint.write_bytes(held)

        def keep(_: list[dict[str, float]]) -> None:
            if first:
                get(keeper.keep.remote(checkpoint.read_bytes()))

        with redirect_stderr(KeeperStream(keeper)) if first else nullcontext():
            fit(learn, valid, resolve_config(train), order["fold"], checkpoint, keep)
