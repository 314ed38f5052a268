"""Trains a small U-Net on photos with true mattes and scores it on held-out people.

For your own mattes, set `fit_segmenter.photos` and `fit_segmenter.mattes` to two folders with the same
relative names (mattes are .png, white = person), then `segment.unet.weights: demo` uses the trained network.
Without mattes of your own, `fit_segmenter.teacher: selfie` learns from the selfie network's mattes of
`fit_segmenter.photos`; mattes that match some of these photos then only validate. With any other segmenter,
nothing is trained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.io.atomic import atomic_folder, write_json
from pipeline.networks.weights import resolve, sha256_of
from pipeline.params.preparation import FitSegmenter, Segment
from pipeline.runtime.disk import main_root
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say, track
from pipeline.segment.mattes import iou
from pipeline.segment.unet.config import CONFIG, WEIGHTS, UnetConfig, write_config
from pipeline.segment.unet.matte_pairs import (
    Background,
    Pair,
    choose_pairs,
    find_pairs,
    matching_pairs,
    read_pair,
    split_people,
)
from pipeline.segment.unet.teacher import choose_photos, teach
from stages.shared.artefacts import SEGMENTER
from stages.shared.command import Stage, stage_command

if TYPE_CHECKING:
    from pipeline.segment.unet.architecture import MatteNet
    from pipeline.segment.unet.fitting import Sample


def run(stage: Stage) -> None:
    method, weights = stage.params.segment.method, stage.params.segment.unet.weights
    if method != "unet" or weights != "demo":
        skip(stage, weights if method == "unet" else method)
        return
    with ExitStack() as until_the_end:
        pairs, by_hand = find_or_teach(stage, until_the_end)
        fit(stage, pairs, by_hand)


def find_or_teach(stage: Stage, until_the_end: ExitStack) -> tuple[list[Pair], list[Pair]]:
    """The pairs to learn from, and those by hand that only validate: none without a teacher.

    A teacher's mattes lie in a temporary folder, which `until_the_end` removes.
    """
    params, background = stage.params.fit_segmenter, stage.params.ingest.transparent_rgb
    photos, mattes = Path(params.photos), Path(params.mattes)
    if params.teacher == "none":
        return choose_pairs(find_pairs(photos, mattes), params.max_photos, params.seed)[: stage.limit], []
    pupils = choose_photos(photos, stage.limit or params.max_photos, params.seed, background)
    if pupils.unusable:
        shown = ", ".join(pupils.unusable[:3]) + (", …" if len(pupils.unusable) > 3 else "")
        say(f"fit_segmenter: warning: {len(pupils.unusable)} photos cannot be used: {shown}")
    say(f"fit_segmenter: mattes of {len(pupils.photos)} photos by their teacher, {params.teacher}")
    parts = Path(".cache/parts")
    parts.mkdir(parents=True, exist_ok=True)
    out = Path(until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="taught-", dir=parts)))
    root, machine = stage.result_cache.parent.parent, stage.params.machine
    pairs, result = teach(
        pupils.photos,
        Segment(method=params.teacher, selfie=stage.params.segment.selfie),
        params.refine,
        background,
        root,
        stage.result_cache,
        out,
        machine,
    )
    say(f"fit_segmenter: {result.line()}")
    return pairs, matching_pairs(photos, mattes)


def fit(stage: Stage, pairs: list[Pair], by_hand: list[Pair]) -> None:
    """Trains and publishes the network."""
    params, background = stage.params.fit_segmenter, stage.params.ingest.transparent_rgb
    drawn = {p.name for p in by_hand}
    train, unseen = split_people(pairs, params.seed, {p.person for p in pairs if p.name in drawn})
    say(f"fit_segmenter: loading torch for {len(pairs)} photos with mattes")
    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.fitting import DECODER_CHANNELS, fit_net, set_seed
    from pipeline.segment.unet.weights import load_encoder, save_net

    config = UnetConfig(encoder=params.encoder, decoder_channels=DECODER_CHANNELS, size=params.size)
    set_seed(params.seed)
    net = build(config)
    if params.encoder_weights:
        loaded = load_encoder(net, resolve(params.encoder_weights, main_root()))
        say(f"fit_segmenter: {loaded} tensors of the encoder from {params.encoder_weights}")
    samples = read_samples(pairs, params.size, background)
    fitted = fit_net(
        net,
        config,
        params,
        [samples[p.name] for p in train],
        [samples[p.name] for p in unseen],
        lambda epoch, loss, score: say(
            f"fit_segmenter: epoch {epoch}/{params.epochs}, loss {loss:.3f}, IoU {score:.4f} on unseen people"
        ),
    )
    report = scores(fitted, params, background, train, unseen)
    if params.teacher != "none":
        report |= scores_by_hand(fitted, params, background, unseen, by_hand)
    with atomic_folder(stage.out(SEGMENTER)) as out:
        save_net(out / WEIGHTS, fitted.net)
        facts = {"sha256": sha256_of(out / WEIGHTS), "iou": report["iou"]}
        write_config(out / CONFIG, config.model_copy(update=facts))
    write_json(stage.out("reports/fit_segmenter.json"), report)
    truth = "" if params.teacher == "none" else f" with the mattes of {params.teacher}"
    say(f"fit_segmenter: IoU {report['iou']:.4f}{truth} on {len(unseen)} photos of held-out people")
    if count := report.get("photos_by_hand"):
        say(f"fit_segmenter: IoU {report['iou_by_hand']:.4f} with mattes by hand on {count} of them")


def skip(stage: Stage, mattes_from: str) -> None:
    """Writes outputs that say so, since no stage would read a network that was trained here."""
    say(f"fit_segmenter: not needed, mattes come from `{mattes_from}`")
    with atomic_folder(stage.out(SEGMENTER)) as out:
        write_json(out / "not_needed.json", {"mattes_from": mattes_from})
    write_json(stage.out("reports/fit_segmenter.json"), {})


def read_samples(pairs: Sequence[Pair], size: int, background: Background) -> dict[str, Sample]:
    """Every pair at the network's size, by name; reports all unreadable files at once."""
    from pipeline.segment.unet.fitting import sample_of

    samples: dict[str, Sample] = {}
    problems: list[str] = []
    for pair in track(pairs, len(pairs), "fit_segmenter: reading"):
        try:
            samples[pair.name] = sample_of(pair.name, *read_pair(pair, background), size)
        except UserError as e:
            problems.append(str(e))
    if problems:
        raise Problems(
            "some photos and mattes cannot be used", problems, fix="repair them or remove the matte"
        )
    return samples


def scores(
    net: MatteNet, params: FitSegmenter, background: Background, train: Sequence[Pair], unseen: Sequence[Pair]
) -> dict[str, float | int]:
    """Details of the report: IoU at the photos' own size, with the segmenter's preprocessing."""
    ious = ious_of(net, params, background, unseen)
    return {
        "iou": float(np.mean(ious)),
        "worst_iou": float(np.min(ious)),
        "photos": len(unseen),
        "people": len({p.person for p in unseen}),
        "train_photos": len(train),
        "train_people": len({p.person for p in train}),
    }


def scores_by_hand(
    net: MatteNet,
    params: FitSegmenter,
    background: Background,
    unseen: Sequence[Pair],
    by_hand: Sequence[Pair],
) -> dict[str, float | int]:
    """IoU with mattes by hand, on those photos of held-out people that have one."""
    held_out = {p.name for p in unseen}
    ious = ious_of(net, params, background, [p for p in by_hand if p.name in held_out])
    return {"photos_by_hand": len(ious)} | ({"iou_by_hand": float(np.mean(ious))} if ious else {})


def ious_of(
    net: MatteNet, params: FitSegmenter, background: Background, pairs: Sequence[Pair]
) -> list[float]:
    """IoU of the network's matte with that of each pair."""
    from pipeline.segment.unet.torch_net import TorchNet

    segment = TorchNet(net, params.size)
    ious: list[float] = []
    for pair in pairs:
        photo, alpha = read_pair(pair, background)
        ious.append(iou(segment([photo])[0], alpha))
    return ious


if __name__ == "__main__":
    stage_command("fit_segmenter", run, __doc__ or "")
