"""Combinations of params that are not allowed, and unknown plugin names."""

from __future__ import annotations

from pipeline.labels import MIDDLE_FROM, OLD_FROM
from pipeline.params.schema import Params
from pipeline.runtime.errors import nearest
from pipeline.runtime.plugins import plugin_names

FACE_DETECTORS = ("mtcnn", "retinaface", "blazeface")
AGE_CLASS_HEADS = ("multitask", "separate", "coral")
OWN_AGE_LOSS = ("age_regression", "coral")  # heads that learn age by a loss of their own
OPENVINO_DETECTORS = ("retinaface", "blazeface")


def combination_problems(params: Params) -> list[str]:
    """One sentence for each combination that is not allowed, and for each unknown plugin name."""
    problems = [
        _plugin_problem("data.layout", "dataset.layouts", params.data.layout),
        _plugin_problem("detect.method", "detect.methods", params.detect.method),
        _plugin_problem("segment.method", "segment.methods", params.segment.method),
        _plugin_problem("compose.fill", "compose.fills", params.compose.fill),
        _plugin_problem("synthesize.backgrounds", "compose.backgrounds", params.synthesize.backgrounds),
        *(_plugin_problem("train.loss", "objective.losses", name) for name in params.train.losses),
        _plugin_problem("train.heads", "objective.heads", params.train.heads),
        _plugin_problem("machine.engine", "workers.engines", params.machine.engine),
    ]
    if params.split.validation_fold >= params.split.folds:
        problems.append(
            f"split.validation_fold: got {params.split.validation_fold}, "
            f"allowed 0 to {params.split.folds - 1} with split.folds {params.split.folds}"
        )
    if params.segment.method == "none":
        if params.compose.fill != "keep":
            problems.append(
                f"compose.fill: {params.compose.fill} needs mattes, but segment.method is none; "
                "set compose.fill: keep or segment.method: selfie or unet"
            )
        if params.synthesize.copies > 0:
            problems.append(
                f"synthesize.copies: {params.synthesize.copies:g} needs mattes, but segment.method is none; "
                "set synthesize.copies: 0 or segment.method: selfie or unet"
            )
        if params.train.background_swap > 0:
            problems.append(
                f"train.background_swap: {params.train.background_swap:g} needs mattes, but segment.method "
                "is none; set train.background_swap: 0 or segment.method: selfie or unet"
            )
    if params.segment.method == "selfie" and params.segment.backend == "torch":
        problems.append(
            "segment.backend: torch has no selfie network, which runs on OpenVINO; set segment.backend: auto"
        )
    if params.train.background_swap > 0 and params.compose.fill != "keep":
        problems.append(
            f"train.background_swap: {params.train.background_swap:g} puts people on other backgrounds, but "
            f"compose.fill {params.compose.fill} removes every background; set compose.fill: keep"
        )
    problems += _prior_problems(params) + _feature_problems(params) + _age_class_problems(params)
    problems += _age_loss_problems(params)
    if params.train.eyes_for and params.detect.method not in FACE_DETECTORS:
        problems += [
            f"{needs} needs eyes, which are found by detect.method {', '.join(FACE_DETECTORS)}, not by "
            f"{params.detect.method}; set detect.method: mtcnn, or another value than {needs.split()[-1]}"
            for needs in params.train.eyes_for
        ]
    if params.detect.method in OPENVINO_DETECTORS and params.detect.backend == "torch":
        problems.append(
            f"detect.backend: torch runs mtcnn and yolov8; {params.detect.method} runs on OpenVINO only; "
            "set detect.backend: auto"
        )
    problems += _face_problems(params)
    if params.synthesize.backgrounds == "folder" and not params.synthesize.folder:
        problems.append(
            "synthesize.folder: must name a folder of pictures when synthesize.backgrounds is folder"
        )
    return [p for p in problems if p]


def _face_problems(params: Params) -> list[str]:
    """Unknown face networks, and boxes that are no faces."""
    networks = params.faces.networks
    problems = [_plugin_problem("faces.network", "faces.methods", name, ("none",)) for name in networks]
    if networks and params.detect.method not in FACE_DETECTORS:
        problems.append(
            f"faces.network: {', '.join(networks)} looks at faces, but detect.method {params.detect.method} "
            "finds none; set faces.network: none or detect.method: retinaface or mtcnn"
        )
    return problems


def _prior_problems(params: Params) -> list[str]:
    """Why the model's outputs are not class probabilities, which `predict.prior_correction` needs."""
    if not params.predict.prior_correction:
        return []
    why = []
    if set(params.train.losses) != {"cross_entropy"}:
        why.append(f"train.loss {', '.join(params.train.losses)} gives no probabilities; set cross_entropy")
    if params.train.heads == "age_regression":
        why.append("train.heads age_regression predicts years; set joint, multitask or separate")
    if params.train.heads == "coral" and params.train.class_weights != "none":
        why.append("train.heads coral does not weight ages; set train.class_weights: none")
    if params.train.age_classes and params.train.class_weights != "none":
        why.append("train.age_classes with class weights learn an unknown mix; set train.class_weights: none")
    if params.train.age_cuts != (MIDDLE_FROM, OLD_FROM):
        why.append("train.age_classes move a group's bound, so that its mix is unknown; take 30 and 60")
    if params.train.pseudo_labels is not None:
        why.append("train.pseudo_labels trains on the model's own predictions for these photos; set null")
    return [f"predict.prior_correction: true needs class probabilities, but {reason}" for reason in why]


def _age_class_problems(params: Params) -> list[str]:
    """What `train.age_classes` do not go with: what knows a photo's group but not its finer class."""
    train, problems = params.train, []
    if not train.age_classes:
        return []
    bounds = f"train.age_classes: {list(train.age_classes)}"
    if train.heads not in AGE_CLASS_HEADS:
        problems.append(
            f"{bounds} are learnt by train.heads {', '.join(AGE_CLASS_HEADS)}, not by {train.heads}"
        )
    if "age_soft" in train.losses:
        problems.append(f"{bounds} do not fit the three rows of loss age_soft; set train.loss: soft_ordinal")
    if train.pseudo_labels is not None:
        problems.append(f"{bounds} are finer than pseudo-labels are; leave train.pseudo_labels empty")
    if train.model == "features":
        problems.append(f"{bounds} are for networks; with features set []")
    relabel = params.relabel
    if train.age_cuts != (MIDDLE_FROM, OLD_FROM) and (relabel.age_rules or relabel.old_from != OLD_FROM):
        middle, old = train.age_cuts
        problems.append(
            f"{bounds} let middle begin at {middle} and old at {old}, and relabel.age_rules or old_from say "
            "so too; let one say it: take bounds 30 and 60, or leave relabel's rules out"
        )
    return problems


def _age_loss_problems(params: Params) -> list[str]:
    """Losses about ages that would change nothing."""
    train = params.train
    useless = {"age_soft", "soft_ordinal"} & set(train.losses)
    if train.heads not in OWN_AGE_LOSS or not useless:
        return []
    return [
        f"train.loss: {', '.join(sorted(useless))} is about ages, which train.heads {train.heads} learns by "
        "a loss of its own; take another loss, or heads multitask"
    ]


def _feature_problems(params: Params) -> list[str]:
    """What `train.model: features`, a linear model on the numbers of face networks, does not go with."""
    train = params.train
    if train.model != "features":
        return _appended_problems(params)
    problems = []
    if train.face_features != "none":
        problems.append(
            "train.face_features: append is for networks that see pictures; train.model features learns from "
            "face features alone: set train.face_features: none"
        )
    if not params.faces.networks:
        problems.append(
            "train.model: features learns from face networks, but faces.network is none; set faces.network: "
            "faceres or [faceres, dlib]"
        )
    if train.heads != "multitask":
        problems.append(f"train.heads: {train.heads} is for networks; with features set multitask")
    if train.class_weights == "effective":
        problems.append("train.class_weights: effective is for networks; with features set none or inverse")
    if train.pseudo_labels is not None:
        problems.append("train.pseudo_labels are for networks; with features leave it empty")
    if train.extra_weight != 1:
        problems.append("train.extra_weight is for networks; with features set 1")
    if train.background_swap > 0:
        problems.append("train.background_swap is for networks; with features set 0")
    if params.evaluate.tta_flip or params.predict.tta_flip:
        problems.append("tta_flip of evaluate and predict is for networks; with features set false")
    return problems


def _appended_problems(params: Params) -> list[str]:
    """`train.face_features: append` without a network that says anything of a face."""
    if params.train.face_features == "none" or params.faces.networks:
        return []
    return [
        "train.face_features: append takes what face networks say, but faces.network is none; set "
        "faces.network: faceres or [faceres, dlib], or train.face_features: none"
    ]


def _plugin_problem(param: str, kind: str, name: str, more: tuple[str, ...] = ()) -> str:
    known = [*more, *plugin_names(kind)]
    if name in known:
        return ""
    close = nearest(name, known)
    hint = f"; did you mean `{close}`?" if close else "."
    folder = f"pipeline/{kind.replace('.', '/')}/"
    return f"{param}: got {name!r}{hint} Allowed (files in {folder}): {', '.join(known)}"
