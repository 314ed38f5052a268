"""The sections of params.yaml from the data folder to the pictures that a model learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pipeline.io.url_folder import SCHEMES, is_url
from pipeline.labels import MIDDLE_FROM, OLD_FROM, OLDEST
from pipeline.params.section import Backend, Level, Section, Seed

Shards = Annotated[int, Field(ge=0)] | Literal["auto"] | None  # 0 as None: a file each


class Data(Section):
    """Where the photos are and how they are laid out."""

    root: str = Field(min_length=1)
    layout: str = "folders"  # a file in pipeline/dataset/layouts/
    table: str = "photos.csv"
    shards: Shards = "auto"

    @model_validator(mode="after")
    def _shards_are_what_a_server_offers(self) -> Data:
        if is_url(self.root) and self.root.partition("://")[0] not in SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
            raise ValueError(f"root: {self.root} is a URL that is not read ({known} are): mount or copy it")
        if is_url(self.root) and self.layout != "shards":
            raise ValueError(f"root: {self.root} is a URL, of which layout: shards alone is read")
        if is_url(self.root) and urlsplit(self.root).password is not None:
            raise ValueError("root: a password in a URL would stand in git: use ~/.ssh/config, or a key")
        return self


class Ingest(Section):
    """Which files become photos."""

    max_quarantine: float = Field(default=0.01, ge=0, le=1)
    max_pixels: int = Field(default=50_000_000, gt=0)
    min_side: int = Field(default=32, ge=1)  # a photo with a shorter side is quarantined
    transparent_rgb: tuple[Level, Level, Level] = (255, 255, 255)
    verify: Literal["header", "strict"] = "strict"


class AgeRule(Section):
    """In training, count people of age `from` as if they were of age `to`. Rules are not chained."""

    from_: int = Field(alias="from", ge=0, le=OLDEST)
    to: int = Field(ge=0, le=OLDEST)


class Relabel(Section):
    """Facts (corrections) change true and training label; rules change the training target only."""

    corrections: str = Field(default="data/corrections.csv", min_length=1)
    age_rules: tuple[AgeRule, ...] = ()
    drop_train_ages: tuple[int, ...] = ()
    old_from: int = Field(default=OLD_FROM, gt=MIDDLE_FROM, le=OLDEST)  # the true label keeps 60

    @field_validator("age_rules")
    @classmethod
    def _one_rule_per_age(cls, rules: tuple[AgeRule, ...]) -> tuple[AgeRule, ...]:
        twice = _duplicates([rule.from_ for rule in rules])
        if twice:
            raise ValueError(f"more than one rule for age {', '.join(map(str, twice))}")
        return rules

    @field_validator("drop_train_ages")
    @classmethod
    def _possible_ages(cls, ages: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 0 <= age <= OLDEST for age in ages):
            raise ValueError(f"ages are whole years from 0 to {OLDEST}")
        return ages

    @model_validator(mode="after")
    def _no_rule_for_dropped(self) -> Relabel:
        both = sorted({rule.from_ for rule in self.age_rules} & set(self.drop_train_ages))
        if both:
            raise ValueError(f"age {', '.join(map(str, both))} is in both age_rules and drop_train_ages")
        return self


class Split(Section):
    """Folds by person."""

    folds: int = Field(default=5, ge=2, le=100)
    validation_fold: int = Field(default=0, ge=0)
    seed: Seed = 0
    table: str = Field(default="data/folds.csv", min_length=1)


class MtcnnParams(Section):
    adaptive: bool = True


class Yolov8Params(Section):
    weights: str = "yolov8n.pt"
    confidence: float = Field(default=0.25, gt=0, lt=1)
    precision: Literal["auto", "f32", "bf16"] = "f32"


class RetinafaceParams(Section):
    weights: str = "retinaface_mv1_0.25.onnx"
    score: float = Field(default=0.5, gt=0, lt=1)
    max_side: int = Field(default=640, ge=64, le=4096)


class BlazefaceParams(Section):
    weights: str = "face_detection_short_range.tflite"
    score: float = Field(default=0.3, gt=0, lt=1)


class Detect(Section):
    method: str = "mtcnn"  # a file in pipeline/detect/methods/
    backend: Backend = "auto"
    reject_implausible: bool = True
    mtcnn: MtcnnParams = MtcnnParams()
    retinaface: RetinafaceParams = RetinafaceParams()
    blazeface: BlazefaceParams = BlazefaceParams()
    yolov8: Yolov8Params = Yolov8Params()


class FaceresParams(Section):
    weights: str = "faceres.json"


class DlibParams(Section):
    weights: str = "dlib_face_recognition_resnet_model_v1.dat"


class FacenetParams(Section):
    weights: str = "facenet-vggface2.pt"


class Faces(Section):
    """Networks that describe each face."""

    network: str | tuple[str, ...] = "none"  # none, or files in pipeline/faces/methods/
    faceres: FaceresParams = FaceresParams()
    dlib: DlibParams = DlibParams()
    facenet: FacenetParams = FacenetParams()

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks that look at each face, in order; () for none."""
        names = (self.network,) if isinstance(self.network, str) else self.network
        return () if names == ("none",) else names

    @field_validator("network")
    @classmethod
    def _each_once(cls, network: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not isinstance(network, str):
            if len(set(network)) < len(network):
                raise ValueError("names a network twice")
            if not network or "none" in network:
                raise ValueError("none stands alone: write `network: none`")
        return network


class FitSegmenter(Section):
    """The small U-Net that fit_segmenter trains on photos with true mattes."""

    photos: str = "demo/data"
    mattes: str = "demo/mattes"
    teacher: Literal["none", "selfie"] = "none"
    refine: Literal["none", "grabcut"] = "none"
    max_photos: int | None = Field(default=None, ge=10)
    encoder: str = "tu-mobilenetv2_100"
    encoder_weights: str | None = "mobilenet_v2-b0353104.pth"
    size: int = Field(default=128, ge=32, le=1024)
    epochs: int = Field(default=2, ge=1, le=10_000)
    batch_size: int = Field(default=8, ge=1, le=65_536)
    lr: float = Field(default=0.004, gt=0)
    seed: Seed = 0

    @field_validator("mattes")
    @classmethod
    def _mattes_are_a_folder(cls, mattes: str) -> str:
        if mattes == "teacher":
            raise ValueError("must be a folder; a network's mattes: set fit_segmenter.teacher: selfie")
        return mattes

    @model_validator(mode="after")
    def _only_a_teacher_is_refined(self) -> FitSegmenter:
        if self.refine != "none" and self.teacher == "none":
            raise ValueError("refine is for a teacher's mattes; set teacher: selfie, or refine: none")
        return self


class UnetParams(Section):
    weights: str = "demo"
    size: int | None = Field(default=None, ge=32, le=4096)
    precision: Literal["auto", "f32", "bf16"] = "f32"


class SelfieParams(Section):
    weights: str = "selfie_segmentation.tflite"
    precision: Literal["auto", "f32", "bf16"] = "f32"


class Segment(Section):
    method: str = "unet"  # a file in pipeline/segment/methods/
    backend: Backend = "auto"
    refine: Literal["none", "grabcut"] = "none"
    unet: UnetParams = UnetParams()
    selfie: SelfieParams = SelfieParams()


class Compose(Section):
    margin: float = Field(default=0.3, ge=0, le=10)
    size: int = Field(default=224, ge=16, le=2048)
    fill: str = "keep"  # a file in pipeline/compose/fills/
    seed: Seed = 0


class Synthesize(Section):
    copies: float = Field(default=1.0, ge=0, le=100)
    balance: Literal["none", "class"] = "none"
    backgrounds: str = "others"  # a file in pipeline/compose/backgrounds/
    folder: str | None = None
    seed: Seed = 0


def _duplicates(values: Sequence[int]) -> list[int]:
    return sorted({v for v in values if values.count(v) > 1})
