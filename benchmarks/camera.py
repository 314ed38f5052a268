"""What a camera picture costs the server of `cleanplate try`, part by part.

    python -m benchmarks.camera PHOTO… --model OUT [--pictures 40]

Milliseconds of one picture of 640 × 480 on one thread: by the clock, and of CPU time, which other programs on
the machine do not change. The browser's own share (taking, encoding and drawing) comes on top.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.predict import Model
from cleanplate.trial.looking import look
from pipeline.io.photo import encode_jpeg, read_photo

SIZE = (640, 480)
PARTS = {
    "_of_bytes": "decode",
    "detect": "detect",
    "segment": "matte",
    "_view": "compose",
    "answer": "classify",
}


class Stopwatch:
    """Seconds spent in functions, by name: clock, CPU."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, np.ndarray] = defaultdict(lambda: np.zeros(2))

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time is added under `name`."""

        def call(*arguments: Any, **named: Any) -> Any:
            before = np.array([time.perf_counter(), time.process_time()])
            try:
                return function(*arguments, **named)
            finally:
                self.spent[name] += np.array([time.perf_counter(), time.process_time()]) - before

        return call


def frame_of(photo: np.ndarray) -> bytes:
    """A photo, uint8 [H, W, 3] RGB, in the middle of a grey camera picture, as JPEG."""
    width, height = SIZE
    scale = min(width / photo.shape[1], height / photo.shape[0])
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((height, width, 3), 128, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    frame[top : top + small.shape[0], left : left + small.shape[1]] = small
    return encode_jpeg(frame)


def costs(model: Model, frames: Sequence[bytes], pictures: int) -> dict[str, np.ndarray]:
    """Milliseconds of a picture by part, float64 [2]: clock, CPU."""
    watch = Stopwatch()
    for name, part in PARTS.items():
        if getattr(model, name):
            setattr(model, name, watch.timed(part, getattr(model, name)))
    whole = watch.timed("whole", look)
    for frame in frames:
        whole(model, frame, live=True)  # networks are compiled for a shape when it first comes
    watch.spent.clear()
    for number in range(pictures):
        whole(model, frames[number % len(frames)], live=True)
    return {part: 1000 * seconds / pictures for part, seconds in watch.spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.camera",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, default=Path("build/export"))
    parser.add_argument("--pictures", type=int, default=40)
    options = parser.parse_args()
    frames = [frame_of(read_photo(path)) for path in options.photos]
    print("part          ms   CPU ms")
    for part, (clock, cpu) in costs(Model.load(options.model), frames, options.pictures).items():
        print(f"{part:10s}{clock:7.1f}{cpu:8.1f}")


if __name__ == "__main__":
    main()
