"""`detect`, `segment`, `compose`, `synthesize`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.params.section import Section, Seed

Backend = Literal["auto", "openvino", "torch"]


class MtcnnParams(Section):
    adaptive: bool = True  # coarse scales first; all scales again where the largest face is below 80 px


class Yolov8Params(Section):
    weights: str = "yolov8n.pt"  # a name in weights.lock or a local path
    confidence: float = Field(default=0.25, gt=0, lt=1)
    precision: Literal["auto", "f32", "bf16"] = "f32"


class Detect(Section):
    method: str = "mtcnn"  # a file in pipeline/detect/methods/
    backend: Backend = "auto"
    mtcnn: MtcnnParams = MtcnnParams()
    yolov8: Yolov8Params = Yolov8Params()


class UnetParams(Section):
    weights: str = "demo"  # demo (fitted by fit_segmenter), a name in weights.lock, or a local path
    size: int | None = Field(default=None, ge=32, le=4096)  # longest side that it sees; null = as fitted
    precision: Literal["auto", "f32", "bf16"] = "f32"


class Segment(Section):
    method: str = "unet"  # a file in pipeline/segment/methods/
    backend: Backend = "auto"
    unet: UnetParams = UnetParams()


class FitSegmenter(Section):
    """The small U-Net that fit_segmenter trains on photos with true mattes."""

    photos: str = "demo/data"
    mattes: str = "demo/mattes"
    encoder: str = "tu-resnet10t"
    encoder_weights: str | None = None  # a local state dict of the encoder
    size: int = Field(default=128, ge=32, le=1024)
    epochs: int = Field(default=6, ge=1, le=10_000)
    batch_size: int = Field(default=8, ge=1, le=65_536)
    lr: float = Field(default=0.004, gt=0)
    seed: Seed = 0


class Compose(Section):
    margin: float = Field(default=0.3, ge=0, le=10)  # share of the box's longer side added on every side
    size: int = Field(default=224, ge=16, le=2048)  # output is size x size
    fill: str = "keep"  # a file in pipeline/compose/fills/
    seed: Seed = 0  # fill noise


class Synthesize(Section):
    copies: float = Field(default=1.0, ge=0, le=100)  # synthetic pictures per photo, on average
    balance: Literal["none", "class"] = "none"
    backgrounds: str = "others"  # a file in pipeline/compose/backgrounds/
    folder: str | None = None  # backgrounds: folder
    seed: Seed = 0
