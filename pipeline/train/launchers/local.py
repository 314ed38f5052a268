"""Processes on this machine: one per GPU, or on its cores with gloo."""

from __future__ import annotations

import os
import socket

import torch
from torch import distributed
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from pipeline.params.machine import Machine
from pipeline.runtime.disk import explain_shared_memory, shared_memory_error
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import die_with_parent
from pipeline.train.share import SharedTraining


def launch(training: SharedTraining, machine: Machine) -> None:
    """Runs the training in new processes that find each other; see `pipeline.train.launchers`.

    Raises:
        UserError: one of them failed; the others are ended.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    count = training.train.processes
    threads = max(1, torch.get_num_threads() // count)
    try:
        with explain_shared_memory("train.processes"):
            spawn(_start, (training, count, port, threads), nprocs=count)
    except (ProcessRaisedException, ProcessExitedException) as e:
        if "/dev/shm" in str(e):  # NCCL's, on several GPUs
            raise shared_memory_error("NCCL cannot use it", "train.processes") from e
        lines = str(e).strip().splitlines()
        fix = "set train.processes: 1 to see it more clearly"
        raise UserError("a training process failed", where="train.processes", got=lines[-1], fix=fix) from e


def _start(rank: int, training: SharedTraining, count: int, port: int, threads: int) -> None:
    die_with_parent()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    os.environ |= {"LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    if training.on_cpu:
        os.environ["ACCELERATE_USE_CPU"] = "true"
        torch.set_num_threads(threads)
    try:
        training.run()
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()
