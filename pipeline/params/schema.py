"""The schema of params.yaml: every section, in the order of the file, with the same defaults.

params.yaml documents the params for users; comments here are for developers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from pipeline.labels import MIDDLE_FROM, OLD_FROM, OLDEST

YES_NO = {"yes", "no", "on", "off", "y", "n"}  # words in YAML 1.2, and true or false in YAML 1.1

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Level = Annotated[int, Field(ge=0, le=255)]
Scale = Annotated[float, Field(gt=0, le=8)]
Row = tuple[float, float, float]
Backend = Literal["auto", "openvino", "torch"]


class Section(BaseModel):
    """A section of params.yaml: refuses unknown keys, does not guess types, is immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _reject_ambiguous_booleans(cls, value: Any, info: ValidationInfo) -> Any:
        """`epochs: true` would count as 1, and `adaptive: yes` is a word in YAML 1.2."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if "bool" not in str(kind):
            if _contains(value, lambda v: isinstance(v, bool)):
                raise ValueError("true and false are not allowed; write a number, or a word in quotes")
        elif kind is bool and not isinstance(value, bool):
            raise ValueError("write true or false")
        elif _contains(
            [*value.values()] if isinstance(value, dict) else value,
            lambda v: isinstance(v, str) and v.lower() in YES_NO,
        ):
            raise ValueError("yes, no, on, off are text in YAML 1.2; write true or false")
        return value


class Data(Section):
    """Where the photos are and how they are laid out."""

    root: str = Field(min_length=1)
    layout: str = "folders"  # a file in pipeline/dataset/layouts/
    table: str = "photos.csv"
    shards: int | None = Field(default=None, ge=0)  # 0 as empty


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


class Train(Section):
    """Everything that decides what is learnt, so every key is a dependency of `train`."""

    model: str = "resnet10t"  # a timm name, or features
    model_args: dict[str, bool | int | float | str] = Field(default={})
    pretrained: bool | str = False
    normalize: Literal["model", "imagenet", "half"] = "model"
    face_features: Literal["none", "append"] = "none"
    heads: str = "multitask"  # a file in pipeline/objective/heads/
    age_bounds: tuple[float, float] = (30.0, 60.0)
    loss: str | tuple[dict[str, float], ...] = "cross_entropy"  # of pipeline/objective/losses/
    class_weights: Literal["none", "inverse", "effective"] = "none"
    effective_beta: float = Field(default=0.999, gt=0, lt=1)
    focal_gamma: float = Field(default=2.0, ge=0)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    age_soft: tuple[Row, Row, Row] = ((0.8, 0.2, 0.0), (0.1, 0.8, 0.1), (0.0, 0.2, 0.8))
    size: int = Field(default=64, ge=16, le=1024)
    sampler: Literal["none", "class", "age", "one_mask", "one_mask_class", "one_mask_age"] = "one_mask"
    augment: str | tuple[str, ...] = "flip_shift_colour_noise"  # a recipe, or single operations by name
    background_swap: float = Field(default=0.0, ge=0, le=1)
    mix: Literal["none", "mixup", "cutmix", "both"] = "cutmix"
    cutmix_boxes: Literal["random", "upper_half", "eyes"] = "random"
    mix_alpha: float = Field(default=1.0, gt=0)
    mix_probability: float = Field(default=0.5, ge=0, le=1)
    epochs: int = Field(default=20, ge=1, le=10_000)
    batch_size: int = Field(default=64, ge=2, le=65_536)
    optimizer: str = "adamw"
    lr: float = Field(default=0.003, gt=0)
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["cosine", "step", "plateau", "constant"] = "cosine"
    warmup_epochs: float = Field(default=1.0, ge=0)
    decay_epochs: int = Field(default=5, ge=1)
    decay_rate: float = Field(default=0.3, gt=0, lt=1)
    patience: int = Field(default=3, ge=0)
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    early_stopping: int = Field(default=0, ge=0)
    clip_grad: float = Field(default=0.0, ge=0)
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    freeze_epochs: int = Field(default=0, ge=0)
    folds: Literal["one", "all"] = "one"
    pseudo_labels: float | None = Field(default=None, gt=0, lt=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    processes: int = Field(default=1, ge=1, le=256)
    precision: Literal["auto", "f32", "bf16", "f16"] = "auto"
    seed: Seed = 0

    @field_validator("loss")
    @classmethod
    def _each_loss_has_a_weight(
        cls, loss: str | tuple[dict[str, float], ...]
    ) -> str | tuple[dict[str, float], ...]:
        if isinstance(loss, str):
            return loss
        names = [name for part in loss for name in part]
        if not loss or any(len(part) != 1 for part in loss) or len(set(names)) < len(names):
            raise ValueError("must be a name, or a list of different losses like [{f1: 0.4}, {focal: 0.6}]")
        if not all(0 < weight < float("inf") for part in loss for weight in part.values()):
            raise ValueError("the weight of each loss must be above 0")
        return loss

    @property
    def losses(self) -> dict[str, float]:
        """Name → weight of the losses whose weighted sum is minimised."""
        if isinstance(self.loss, str):
            return {self.loss: 1.0}
        return {name: weight for part in self.loss for name, weight in part.items()}

    @field_validator("age_soft")
    @classmethod
    def _rows_are_distributions(cls, rows: tuple[Row, Row, Row]) -> tuple[Row, Row, Row]:
        for row in rows:
            if min(row) < 0 or abs(sum(row) - 1) > 1e-6:
                raise ValueError("each row must be three shares >= 0 that sum to 1")
        return rows

    @model_validator(mode="after")
    def _no_freezing_with_processes(self) -> Train:
        if self.processes > 1 and self.freeze_epochs:
            raise ValueError("freeze_epochs is for one process; set processes: 1")
        return self

    @field_validator("age_bounds")
    @classmethod
    def _bounds_rise(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if not 0 < bounds[0] < bounds[1] <= 120:
            raise ValueError("must be two rising ages in years")
        return bounds


Decision = Literal["likeliest", "macro_f1"]


class Inference(Section):
    """Inference with a trained model."""

    batch_size: int = Field(default=64, ge=1, le=65_536)
    tta_flip: bool = False
    tta_scales: tuple[Scale, ...] = Field(default=(1.0,), min_length=1)
    decision: Decision = "likeliest"


class Evaluate(Inference):
    """Scores on people not in training."""

    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)
    seed: Seed = 0


class Predict(Inference):
    """Predictions for photos without labels."""

    vote: Literal["soft", "hard"] = "soft"
    prior_correction: bool = False


class Reliance(Section):
    """Predictions for validation photos on other backgrounds, and Grad-CAM."""

    backgrounds_per_photo: int = Field(default=3, ge=1, le=100)
    backgrounds: Literal["others", "procedural"] = "others"
    max_people: int | None = Field(default=300, ge=1)
    seed: Seed = 0


class Audit(Section):
    """Search for wrong labels."""

    model: str | None = None
    model_args: dict[str, bool | int | float | str] = Field(default={})
    pretrained: bool | str = True
    normalize: Literal["model", "imagenet", "half"] = "model"
    size: int = Field(default=160, ge=32, le=1024)
    l2: float = Field(default=1000.0, gt=0)  # 1 / sklearn's C
    min_confidence: float = Field(default=0.5, ge=0, le=1)
    max_hash_distance: int = Field(default=20, ge=0, le=256)
    min_cosine: float = Field(default=0.9, ge=-1, le=1)
    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)
    seed: Seed = 0

    @model_validator(mode="after")
    def _model_needs_weights(self) -> Audit:
        if self.model and self.pretrained is False:
            raise ValueError("a model without weights is useless; set pretrained, or leave model empty")
        return self


class Explore(Section):
    """Statistics of the data."""

    l2: float = Field(default=100.0, gt=0)
    bootstrap: int = Field(default=1000, ge=100, le=1_000_000)
    permutations: int = Field(default=500, ge=100, le=1_000_000)
    max_hash_distance: int = Field(default=20, ge=0, le=256)
    min_cosine: float = Field(default=0.9, ge=-1, le=1)
    sheet_photos: int = Field(default=12, ge=1, le=100)
    seed: Seed = 0


class Machine(Section):
    """Changes speed, never an output; no stage depends on it."""

    workers: int | None = Field(default=None, ge=1, le=256)
    cache_gb: float = Field(default=20.0, ge=0)


class Params(Section):
    """The whole file. Omitted sections have their defaults."""

    data: Data
    ingest: Ingest = Ingest()
    relabel: Relabel = Relabel()
    split: Split = Split()
    detect: Detect = Detect()
    faces: Faces = Faces()
    fit_segmenter: FitSegmenter = FitSegmenter()
    segment: Segment = Segment()
    compose: Compose = Compose()
    synthesize: Synthesize = Synthesize()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    predict: Predict = Predict()
    reliance: Reliance = Reliance()
    audit: Audit = Audit()
    explore: Explore = Explore()
    machine: Machine = Machine()


def _contains(value: Any, is_one: Callable[[Any], bool]) -> bool:
    """Whether `is_one` holds for `value` or anything in its lists. Visits each list once: YAML aliases can
    repeat a list a billion times, or nest it in itself.
    """
    pending: list[Any] = [value]
    visited: set[int] = set()
    while pending:
        one = pending.pop()
        if is_one(one):
            return True
        if isinstance(one, list | tuple) and id(cast(object, one)) not in visited:
            visited.add(id(cast(object, one)))
            pending += cast(Sequence[Any], one)
    return False


def _duplicates(values: Sequence[int]) -> list[int]:
    return sorted({v for v in values if values.count(v) > 1})
