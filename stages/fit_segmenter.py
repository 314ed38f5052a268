"""Trains a small U-Net on photos with true mattes and scores it on held-out people.

For your own mattes, set `fit_segmenter.photos` and `fit_segmenter.mattes` to two folders with the same
relative names (mattes are .png, white = person), then `segment.unet.weights: demo` uses the trained network.
With any other segmenter, nothing is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.io.atomic import atomic_folder, write_json
from pipeline.networks.weights import sha256_of
from pipeline.params.schema import FitSegmenter
from pipeline.runtime.errors import Problems, UserError
from pipeline.runtime.progress import say, track
from pipeline.segment.mattes import iou
from pipeline.segment.unet.config import CONFIG, WEIGHTS, UnetConfig, write_config
from pipeline.segment.unet.matte_pairs import Background, Pair, find_pairs, read_pair, split_people
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
    params, background = stage.params.fit_segmenter, stage.params.ingest.transparent_rgb
    pairs = find_pairs(Path(params.photos), Path(params.mattes))[: stage.limit]
    train, unseen = split_people(pairs, params.seed)
    say(f"fit_segmenter: loading torch for {len(pairs)} photos with mattes")
    from pipeline.segment.unet.architecture import build
    from pipeline.segment.unet.fitting import DECODER_CHANNELS, fit_net, set_seed
    from pipeline.segment.unet.weights import load_encoder, save_net

    config = UnetConfig(encoder=params.encoder, decoder_channels=DECODER_CHANNELS, size=params.size)
    set_seed(params.seed)
    net = build(config)
    if params.encoder_weights:
        loaded = load_encoder(net, Path(params.encoder_weights))
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
    with atomic_folder(stage.out(SEGMENTER)) as out:
        save_net(out / WEIGHTS, fitted.net)
        facts = {"sha256": sha256_of(out / WEIGHTS), "iou": report["iou"]}
        write_config(out / CONFIG, config.model_copy(update=facts))
    write_json(stage.out("reports/fit_segmenter.json"), report)
    say(f"fit_segmenter: IoU {report['iou']:.4f} on {len(unseen)} photos of held-out people")


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
    from pipeline.segment.unet.torch_net import TorchNet

    segment = TorchNet(net, params.size)
    ious: list[float] = []
    for pair in unseen:
        photo, alpha = read_pair(pair, background)
        ious.append(iou(segment([photo])[0], alpha))
    return {
        "iou": float(np.mean(ious)),
        "worst_iou": float(np.min(ious)),
        "photos": len(unseen),
        "people": len({p.person for p in unseen}),
        "train_photos": len(train),
        "train_people": len({p.person for p in train}),
    }


if __name__ == "__main__":
    stage_command("fit_segmenter", run, __doc__ or "")
