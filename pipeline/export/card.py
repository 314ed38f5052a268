"""The model card: `card.json` and `README.md` in the fields of Hugging Face's model cards."""

from __future__ import annotations

import json
from typing import Any

from pipeline.labels import TASKS

LICENCE = "agpl-3.0"
TAGS = ["image-classification", "face-mask", "onnx", "openvino", "cleanplate"]
NOT_FOR = (
    "deciding anything about a person: access, work, punishment, price, insurance, policing",
    "finding out who somebody is, or following a person from picture to picture",
    "stating gender as a person's own: it was learnt from two labels that somebody else gave by look",
    "stating an age: it answers with three groups, learnt from labels that may be estimates",
    "people, cameras and places unlike those of the training photos, without measuring there first",
    "medical or safety equipment: a worn mask is recognised by its look, not by its fit",
)
TABLE_HEAD = "| who | photos | people | class | mask | gender | age group |\n|---|---|---|---|---|---|---|\n"


def make_card(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """The card as data: Hugging Face's metadata and, under `cleanplate`, all facts.

    Args:
        name: of the model.
        facts: data, metrics, groups, reliance, calibration, weights, params (`stages.shared.export_facts`),
            together (params by which the project answers about all photos together), and int8
            where one was tried (`cleanplate.quantization`).
    """
    return {
        "language": "en",
        "license": LICENCE,
        "library_name": "cleanplate",
        "pipeline_tag": "image-classification",
        "tags": TAGS,
        "model-index": [{"name": name, "results": [_result(task, facts) for task in TASKS]}],
        "cleanplate": {**facts, "not_for": list(NOT_FOR)},
    }


def _result(task: str, facts: dict[str, Any]) -> dict[str, Any]:
    """One entry of `model-index`: a task's scores on people that were not learnt from."""
    scores = facts["metrics"] if task == "class" else facts["metrics"][task]
    metrics = [
        {
            "type": kind,
            "name": f"{label} ({task})",
            "value": round(scores[kind]["value"], 6),
            "interval_95": [round(scores[kind][end], 6) for end in ("low", "high")],
        }
        for kind, label in (("macro_f1", "macro-F1"), ("accuracy", "accuracy"))
    ]
    return {
        "task": {"type": "image-classification", "name": task},
        "dataset": {
            "type": "private",
            "name": f"sha256 {facts['data']['fingerprint'][:16]}",
            "split": "validation",
        },
        "metrics": metrics,
    }


def card_text(card: dict[str, Any]) -> str:
    """README.md: the metadata as YAML front matter (JSON is YAML), then the facts in sentences and tables."""
    facts = card["cleanplate"]
    head = "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in card.items()
        if key != "cleanplate"
    )
    parts = (
        f"# {card['model-index'][0]['name']}\n\nMask × gender × age group of each person, 18 classes.",
        _use(),
        _data(facts["data"]),
        _scores(facts),
        _reliance(facts["reliance"]),
        *([_int8(facts["int8"])] if "int8" in facts else []),
        _calibration(facts["calibration"]),
        _weights(facts["weights"]),
        "## Not for\n\n" + "\n".join(f"- {line}" for line in facts["not_for"]),
    )
    return f"---\n{head}---\n\n" + "\n\n".join(parts) + "\n"


def _use() -> str:
    return (
        "## Use\n\n```sh\npip install 'cleanplate[predict]'\ncleanplate predict PHOTO --model .\n```\n\n"
        "`chain.json` says each step from photo to answer; `onnx/` and `openvino/` hold one set of networks."
    )


def _data(data: dict[str, Any]) -> str:
    return (
        f"## Data\n\nTrained on {data['trained_photos']:,} photos of {data['people']:,} people; fingerprint "
        f"`{data['fingerprint']}`. {data['quarantined']:,} files could not be used, "
        f"{data['corrected']:,} labels were corrected, {data['dropped']:,} photos dropped, "
        f"{data['ruled']:,} training targets moved by rules."
    )


def _scores(facts: dict[str, Any]) -> str:
    whole = facts["metrics"]
    tasks = ("mask", "gender", "age")
    scores = [whole, *(whole[task] for task in tasks)]
    rows = [_row("all", whole["photos"], whole["people"], scores, "macro_f1")]
    rows += [
        _row(group["who"], group["photos"], group["people"],
             [group["scores"][t] for t in ("class", "mask", "gender", "age")], "accuracy")
        for group in facts["groups"]
    ]  # fmt: skip
    together = ", ".join(f"`{option}`" for option in facts["together"])
    note = (
        f"\n\nWith {together} the project answers about all photos together; this folder answers one at a "
        "time, by its likeliest class, so scores and answers may differ."
    )
    return (
        "## Scores\n\nOn people that were not learnt from, with 95 % intervals over people: macro-F1 for all,"
        " accuracy for each group of gender and age.\n\n"
        + TABLE_HEAD
        + "\n".join(rows)
        + (note if together else "")
    )


def _row(who: str, photos: int, people: int, scores: list[dict[str, Any]], kind: str) -> str:
    cells = [f"{s[kind]['value']:.3f} ({s[kind]['low']:.3f}–{s[kind]['high']:.3f})" for s in scores]
    return "| " + " | ".join([who, f"{photos:,}", f"{people:,}", *cells]) + " |"


def _reliance(reliance: dict[str, Any] | None) -> str:
    if not reliance or not reliance["flip_rate"]:  # e.g. without mattes
        return "## Background\n\nNot measured: whether another background changes the answers is not known."
    flip = reliance["flip_rate"]
    return (
        f"## Background\n\nAnother background changes {flip['value']:.1%} of the answers "
        f"({flip['low']:.1%} to {flip['high']:.1%})."
    )


def _int8(int8: dict[str, Any]) -> str:
    lost = int8["loss"]
    measured = (
        f"Against float32 it loses {lost['value']:.4f} of macro-F1 (95 % {lost['low']:.4f} to "
        f"{lost['high']:.4f}, paired over {int8['people']:,} people held out); {int8['changed']:,} of "
        f"{int8['photos']:,} answers changed."
    )
    ranges = f"weights and activations, calibrated on {int8['calibrated_on']:,} training photos"
    if int8["accepted"]:
        kept = f"The classifier that answers is int8: {ranges}. The scores above are float32's."
    else:
        kept = (
            f"An int8 classifier was tried ({ranges}) and is not in this folder: the interval would have to "
            f"end below {int8['allowed']}, on {int8['least_people']} people or more."
        )
    return f"## int8\n\n{kept} {measured}"


def _calibration(calibration: dict[str, Any]) -> str:
    return (
        f"## Calibration\n\nProbabilities are tempered with T = {calibration['temperature']:.4f}, fitted on "
        f"{calibration['photos']:,} validation photos. Expected calibration error "
        f"{calibration['error_before']:.3f} before, {calibration['error_after']:.3f} after "
        "(fitted on one half of the people, measured on the other)."
    )


def _weights(weights: list[dict[str, str]]) -> str:
    rows = "\n".join(
        f"| {w['use']} | {w['name']} | {w['licence']} | {w['trained_on'] or '–'} |" for w in weights
    )
    return (
        "## Licences\n\nThe software is AGPL-3.0-or-later. Photos that weights were trained on have terms of "
        f"their own.\n\n| network | weights | licence | trained on |\n|---|---|---|---|\n{rows}"
    )
