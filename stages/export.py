"""Writes the trained chain as one folder that works elsewhere: networks, steps, model card.

Reads build/model, build/segmenter, the weights and the reports; writes build/export: `onnx/` and `openvino/`
(the same networks), `chain.json` (every step from a photo to an answer), `README.md` and `card.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.compose.crop import NEUTRAL
from pipeline.export import FORMAT
from pipeline.io.atomic import MANIFEST, atomic_folder, write_json
from pipeline.labels import AGE_GROUPS, CLASS_NAMES, GENDERS, MASKS
from pipeline.params import Params
from pipeline.params.learning import Train
from pipeline.runtime.disk import main_root
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say
from pipeline.train.face_features import APPEND, FEATURES
from stages.shared.artefacts import BOXES, CROPS, MODEL, PHOTOS, SEGMENTER
from stages.shared.command import Stage, stage_command
from stages.shared.export_facts import card_facts
from stages.shared.model import ModelConfig, read_config

EXPORT = Path("build/export")
NO_CHAIN = "a model on face networks' numbers has no chain of open networks to export"
NO_BLAZEFACE = "an export cannot hold detect.method blazeface yet"
Change = Callable[[Path, dict[str, Any], dict[str, Any]], None]
CHECKED_PHOTOS = 50  # whose squares say whether params.yaml is what build/images was made with


def run(stage: Stage) -> None:
    """Runs the stage; a model that cannot be exported leaves a folder that says why."""
    if refusal := refusal_of(stage.params, stage.params.train):
        reason = str(refusal).splitlines()[0]
        say(f"export: {reason}; build/export only says so")
        with atomic_folder(stage.out(EXPORT)) as folder:
            write_json(folder / "not_exported.json", {"reason": reason})
        return
    export_model(stage.params, MODEL, stage.out(EXPORT))


def refusal_of(params: Params, train: Train) -> UserError | None:
    """Why there is no export, or None.

    Args:
        params: what everything in build/ was made with.
        train: the section that the model was trained with.
    """
    if train.model == FEATURES:
        return UserError(NO_CHAIN, where="train.model", got=FEATURES, fix="train a network: set a timm name")
    if train.face_features == APPEND:
        return UserError(
            NO_CHAIN, where="train.face_features", got=APPEND, fix="set train.face_features: none"
        )
    if params.detect.method == "blazeface":
        fix = "set detect.method: retinaface, whose boxes are finer"
        return UserError(NO_BLAZEFACE, where="detect.method", got="blazeface", fix=fix)
    return None


def export_model(params: Params, model: Path, out: Path, change: Change | None = None) -> None:
    """Writes the chain into the folder `out`, replacing one that was there.

    Args:
        params: what everything in build/ was made with.
        model: folder of the trained model.
        out: of the export.
        change: called with the folder, what will be chain.json, and the facts of the card, to change them.

    Raises:
        UserError: something was not run, or was run with other params.
    """
    from pipeline.export.card import card_text, make_card

    config = read_config(model)
    if refusal := refusal_of(params, config.train):
        raise refusal
    refuse_other_params(params, config)
    sections = {
        "relabel": params.relabel,
        "detect": params.detect,
        "fit_segmenter": params.fit_segmenter,
        "segment": params.segment,
        "compose": params.compose,
        "synthesize": params.synthesize,
        "train": params.train,
        "evaluate": params.evaluate,
        "predict": params.predict,
    }
    facts: dict[str, Any] = card_facts(params, sections) | {"together": options_of_all_photos(params)}
    for option in facts["together"]:
        say(f"export: note: {option} looks at all photos together; an exported model answers one at a time")
    with atomic_folder(out) as folder:
        chain = write_chain(params, config, model, folder, facts["calibration"])
        if change:
            change(folder, chain, facts)
        card = make_card(f"cleanplate-{config.train.model}", facts)
        write_json(folder / "card.json", card)
        (folder / "README.md").write_text(card_text(card), encoding="utf-8")
        write_json(folder / "chain.json", {**chain, "files": digests(folder)})
    say(f"export: {out}: {len(chain['classify']['networks'])} classifiers, detector {params.detect.method}, "
        f"segmenter {params.segment.method}")  # fmt: skip


def options_of_all_photos(params: Params) -> list[str]:
    """Params by which `evaluate` and `predict` answer about all photos together, which an export cannot."""
    options = {
        "evaluate.decision: macro_f1": params.evaluate.decision == "macro_f1",
        "predict.decision: macro_f1": params.predict.decision == "macro_f1",
        "predict.prior_correction: true": params.predict.prior_correction,
    }
    return [option for option, chosen in options.items() if chosen]


def write_chain(
    params: Params, config: ModelConfig, model: Path, folder: Path, calibration: dict[str, Any]
) -> dict[str, Any]:
    """Writes the networks, and returns chain.json: the steps in the order that a photo takes them."""
    from pipeline.export.classifier import write_classifier
    from pipeline.export.detector import write_detector
    from pipeline.export.segmenter import write_segmenter
    from pipeline.train.config import resolve_config

    root, compose, ingest = main_root(), params.compose, params.ingest
    resolved = resolve_config(config.train)
    return {
        "format": FORMAT,
        "labels": {
            "mask": MASKS,
            "gender": GENDERS,
            "age_group": AGE_GROUPS,
            "class": CLASS_NAMES,
            "class_of": "6 * mask + 3 * gender + age_group",
        },
        "photo": {
            "formats": ["JPEG", "PNG"],
            "colour": "RGB, EXIF orientation applied",
            "transparent_rgb": list(ingest.transparent_rgb),
            "max_pixels": ingest.max_pixels,
            "min_side": ingest.min_side,
        },
        "detect": write_detector(params.detect, root, folder),
        "segment": write_segmenter(params.segment, root, SEGMENTER, folder),
        "compose": {
            "margin": compose.margin,
            "size": compose.size,
            "fill": compose.fill,
            "needs_matte": load_plugin("compose.fills", compose.fill).NEEDS_MATTE,
            "padding_rgb": list(NEUTRAL),
            "seed": compose.seed,
            "square": "around the box's centre, side = longer side * (1 + 2 * margin), corners even; padded",
            "saved_as": "JPEG, quality 95, 4:2:0, and read again",
        },
        "classify": write_classifier(model, resolved, config.folds, params.predict, folder),
        "calibrate": {"temperature": calibration["temperature"], "p": "softmax(log(p) / temperature)"},
    }


def refuse_other_params(params: Params, config: ModelConfig) -> None:
    """Raises a UserError where params.yaml was changed after the pictures were made or the model trained."""
    from stages.compose import make_tasks

    if config.train != params.train:
        wrong = [
            k for k in type(params.train).model_fields if getattr(config.train, k) != getattr(params.train, k)
        ]
        raise UserError(
            "params.yaml is not what the model was trained with",
            where=", ".join(f"train.{key}" for key in wrong),
            got=", ".join(repr(getattr(params.train, key)) for key in wrong),
            allowed=", ".join(repr(getattr(config.train, key)) for key in wrong),
            fix="run `dvc repro train`, or put the params back",
        )
    crops = CROPS.read().head(CHECKED_PHOTOS)
    photos = PHOTOS.read("image", "sha256", "width", "height")
    boxes = BOXES.read("image", "status", "x1", "y1", "x2", "y2")
    tasks = make_tasks(crops[["image"]].merge(photos, on="image"), boxes, params.compose.margin)
    squares = [(t.square.x1, t.square.y1, t.square.x2, t.square.y2) for t in tasks]
    made = list(zip(*(crops[c].tolist() for c in ("x1", "y1", "x2", "y2")), strict=True))
    sizes = (crops["scale"] * (crops["x2"] - crops["x1"])).round()
    if squares != made or (sizes != params.compose.size).any():
        raise UserError(
            "params.yaml is not what build/images was made with",
            where="compose.margin, compose.size",
            got=f"{params.compose.margin}, {params.compose.size}",
            fix="run `dvc repro compose`, or put the params back",
        )


def digests(folder: Path) -> dict[str, str]:
    """sha256 of every file of the export by its path, but for the manifest."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


if __name__ == "__main__":
    stage_command("export", run, __doc__ or "")
