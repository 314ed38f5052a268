"""What the machine allows: photos/s if only reading them and the multiplications of the networks took time.

The peak is the fastest of a few convolutions on OpenVINO, in one process per CPU at the same time, as the
stages run. No stage reaches it: a network of few channels does not fill the vectors, nor a depthwise one
the multipliers. It says how much of a missed target is the machine's.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.interleave import processes
from pipeline.networks.backends import Precision, openvino_properties
from pipeline.runtime.process import worker_count

SHAPES = ((64, 56), (128, 28), (256, 14))  # channels in and out, side: 3 x 3 convolutions that stay in L2
SECONDS = 0.4  # that each of them is tried
MULTIPLY_ADDS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "MatMul")


def per_second(photos: Sequence[Path], gflop: float, precision: Precision) -> float:
    """Photos/s of all CPUs, at the most.

    Args:
        photos: some of those that are read.
        gflop: of the networks, for one photo on average; a multiply-add is two.
        precision: of the networks.
    """
    return worker_count(None) / (reading(tuple(photos[:64])) + gflop / peak(precision))


@functools.cache
def peak(precision: Precision) -> float:
    """GFLOP/s of one CPU while all of them work."""
    with processes(functools.partial(convolver, precision), chunk=1) as tried:
        return float(np.mean(tried(list(range(worker_count(None))))))


@functools.cache
def reading(photos: tuple[Path, ...]) -> float:
    """Seconds of one CPU to read one of these photos, while all of them work."""
    with processes(reader, chunk=1) as read:
        return float(np.mean(read([photos] * worker_count(None))))


def convolver(precision: Precision) -> Callable[[int], float]:
    """Gives the GFLOP/s of the fastest convolution in this process."""
    import openvino as ov
    import openvino.opset8 as ops

    def work(_: int) -> float:
        rates: list[float] = []
        for channels, side in SHAPES:
            image = ops.parameter([1, channels, side, side], ov.Type.f32)
            x: Any = image
            for _layer in range(4):  # so that a conversion at the ends does not count
                weights = np.full((channels, channels, 3, 3), 1e-3, np.float32)
                x = ops.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1])
            model = ov.Model([x], [image], "peak")
            compiled = ov.Core().compile_model(model, "CPU", openvino_properties(precision))
            request = compiled.create_infer_request()
            # memory as it comes may hold denormals, which took nine times as long on a CPU with AVX512
            request.set_input_tensor(ov.Tensor(np.ones((1, channels, side, side), np.float32)))
            infer = request.infer
            infer()
            times: list[float] = []
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                started = time.perf_counter()
                infer()
                times.append(time.perf_counter() - started)
            rates.append(gflop_of(model) / float(np.median(times)))
        return max(rates)

    return work


def reader() -> Callable[[tuple[Path, ...]], float]:
    """Gives the seconds to read one of some photos."""
    import cv2

    from pipeline.io.photo import read_photo

    cv2.setNumThreads(1)

    def work(photos: tuple[Path, ...]) -> float:
        started = time.perf_counter()
        for photo in photos:
            read_photo(photo)
        return (time.perf_counter() - started) / len(photos)

    return work


def gflop_of(model: Any) -> float:
    """Of an OpenVINO model whose shapes are known: its convolutions and matrix products."""
    total = 0.0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        if kind not in MULTIPLY_ADDS:
            continue
        weights, out = list(node.input(1).get_shape()), list(node.output(0).get_shape())
        if kind == "MatMul":
            each = list(node.input(0).get_shape())[-1]
        elif kind == "ConvolutionBackpropData":  # every input pixel goes into each place of the kernel
            out, each = list(node.input(0).get_shape()), int(np.prod(weights[1:]))
        else:
            each = int(np.prod(weights[2:] if kind == "GroupConvolution" else weights[1:]))
        total += 2.0 * float(np.prod(out)) * each
    return total / 1e9
