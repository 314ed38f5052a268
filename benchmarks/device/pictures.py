"""The paths that find faces and people and cut them out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.device.outcome import Attempt, Material, NotHere, Outcome, timed
from pipeline.runtime.errors import UserError, first_line

SAME_BOX_IOU = 0.95
FIT_SIZE, FIT_SEED = 128, 0


def mtcnn(material: Material) -> Outcome:
    """Many photos at once, as a GPU is asked, against OpenVINO, one photo at a time."""
    from pipeline.detect.mtcnn.cascade import Mtcnn

    batched = Mtcnn(backend="torch", device=material.device, root=material.root)
    plain = Mtcnn(backend="openvino", root=material.root)
    found, rate = timed(batched.detect_largest_in, material.photos)
    wanted = [plain.detect_largest(photo) for photo in material.photos]
    pairs = [(a and a.box, b and b.box) for a, b in zip(found, wanted, strict=True)]
    faces = sum(face is not None for face in wanted)
    return Outcome(same_boxes(pairs), 0.98, rate, f"{faces} faces in {len(wanted)} photos, batched")


def yolov8(precision: Literal["auto", "f32"]) -> Attempt:
    """People by torch in `precision` (auto: f16 on CUDA) against OpenVINO in f32."""

    def path(material: Material) -> Outcome:
        from pipeline.detect.methods import yolov8 as method
        from pipeline.networks.weights import resolve
        from pipeline.params.preparation import Detect, Yolov8Params

        try:
            weights = str(resolve("yolov8n.pt", Path()).absolute())
        except UserError as e:
            raise NotHere(f"there is no yolov8n.pt: {first_line(e)}") from e
        asked = Detect(
            method="yolov8", backend="torch", yolov8=Yolov8Params(weights=weights, precision=precision)
        )
        usual = Detect(method="yolov8", backend="openvino", yolov8=Yolov8Params(weights=weights))
        method.prepare(usual, material.root)
        found, rate = timed(method.create(asked, material.root), material.photos)
        wanted = method.create(usual, material.root)(material.photos)
        pairs = [(a and a.box, b and b.box) for a, b in zip(found, wanted, strict=True)]
        people = sum(one is not None for one in wanted)
        return Outcome(same_boxes(pairs), 0.98, rate, f"{people} people in {len(wanted)} photos, {precision}")

    return path


def same_boxes(pairs: Sequence[tuple[Any, Any]]) -> float:
    """Share of the pairs of boxes, or of None for nothing found, that are the same.

    0 where the CPU finds nothing at all: then nothing is shown.
    """
    from pipeline.detect.boxes import iou

    if all(wanted is None for _, wanted in pairs):
        return 0.0
    same = [a is b if a is None or b is None else iou(a, b) >= SAME_BOX_IOU for a, b in pairs]
    return float(np.mean(same))


def fit_segmenter(material: Material) -> Outcome:
    """A small U-Net, fitted on the device for two epochs; its IoU on other people's true mattes."""
    from pipeline.io.atomic import write_json
    from pipeline.networks.weights import resolve, sha256_of
    from pipeline.params.preparation import FitSegmenter
    from pipeline.segment.unet import fitting
    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.config import CONFIG, WEIGHTS, UnetConfig
    from pipeline.segment.unet.matte_pairs import find_pairs, read_pair, split_people
    from pipeline.segment.unet.weights import load_encoder, save_net

    params = FitSegmenter(epochs=2, size=FIT_SIZE)
    config = UnetConfig(encoder=params.encoder, decoder_channels=fitting.DECODER_CHANNELS, size=FIT_SIZE)
    pairs = find_pairs(material.root / "data", material.root / "mattes")[::2]
    sides = split_people(pairs, FIT_SEED, set())
    learn, unseen = (
        [fitting.sample_of(p.name, *read_pair(p, (255, 255, 255)), FIT_SIZE) for p in side] for side in sides
    )
    net, scores, begun = build(config), list[float](), time.perf_counter()
    load_encoder(net, resolve(str(params.encoder_weights), Path()))
    fitted = fitting.fit_net(net, config, params, learn, unseen, lambda *row: scores.append(row[2]))
    rate = params.epochs * len(learn) / (time.perf_counter() - begun)
    folder = material.root / "segmenter"
    folder.mkdir(exist_ok=True)
    save_net(folder / WEIGHTS, fitted.net)
    named = config.model_copy(update={"sha256": sha256_of(folder / WEIGHTS)})
    write_json(folder / CONFIG, named.model_dump(mode="json"))
    return Outcome(scores[-1], 0.6, rate, f"IoU on {len(unseen)} photos of other people after 2 epochs")


def unet(precision: Literal["auto", "f32"]) -> Attempt:
    """Mattes of the U-Net just fitted, by torch in `precision`, against OpenVINO in f32."""

    def path(material: Material) -> Outcome:
        from pipeline.params.preparation import Segment, UnetParams
        from pipeline.segment.mattes import iou
        from pipeline.segment.methods import unet as method

        fitted = material.root / "segmenter"
        if not fitted.is_dir():
            fit_segmenter(material)
        asked = Segment(backend="torch", unet=UnetParams(precision=precision))
        usual = Segment(backend="openvino")
        method.prepare(usual, material.root, fitted)
        found, rate = timed(method.create(asked, material.root, fitted), material.photos)
        wanted = method.create(usual, material.root, fitted)(material.photos)
        agreement = np.mean([iou(a, b) for a, b in zip(found, wanted, strict=True)])
        return Outcome(float(agreement), 0.99, rate, f"IoU of {len(wanted)} mattes, {precision}")

    return path
