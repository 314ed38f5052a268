"""Fits a small U-Net to photos with true mattes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils import deterministic

from pipeline.params.preparation import FitSegmenter
from pipeline.seeds import generator, seed_of
from pipeline.segment.mattes import iou
from pipeline.segment.unet.architecture import MatteNet, channels_last
from pipeline.segment.unet.config import UnetConfig
from pipeline.segment.unet.frame import STRIDE, fit, frame_of

DECODER_CHANNELS = (32, 24, 16, 16, 8)  # an eighth of smp's: the mattes are as good, the steps much cheaper
THREADS = 2  # fixed, since sums on another number of threads differ in the last bit
WARM_UP = 0.2  # share of the steps in which the learning rate rises
WEIGHT_DECAY = 1e-4
MAX_LOG_ZOOM, MAX_SHIFT, MAX_DEGREES = 0.12, 0.05, 3.0  # natural log, share of the side, degrees
MAX_GAIN, MAX_OFFSET = 0.3, 20.0  # brightness: share, and of 255


@dataclass(frozen=True)
class Sample:
    """A photo and its alpha as the network's input: uint8 [h, w, 3] RGB and uint8 [h, w], unpadded."""

    name: str
    photo: np.ndarray
    alpha: np.ndarray


def sample_of(name: str, photo: np.ndarray, alpha: np.ndarray, size: int) -> Sample:
    """A pair scaled to the network's size, to be kept in memory."""
    frame = frame_of(alpha.shape[0], alpha.shape[1], size)
    inner = (slice(0, frame.inner[0]), slice(0, frame.inner[1]))
    return Sample(name, fit(photo, frame)[inner], fit(alpha, frame)[inner])


def set_seed(seed: int) -> None:
    """Makes torch deterministic in this process; call it before a network is built."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    # nothing reads it, and filling takes 6 % of a step
    deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    torch.manual_seed(seed_of(seed, "fit_segmenter"))
    cv2.setNumThreads(1)


def fit_net(
    net: nn.Module,
    config: UnetConfig,
    params: FitSegmenter,
    train: Sequence[Sample],
    validation: Sequence[Sample],
    on_epoch: Callable[[int, float, float], None],
) -> MatteNet:
    """Trains `net` in place and returns it, ready to make mattes.

    The same params, samples and machine give the same weights, bit for bit.

    Args:
        net: logits float32 [N, 1, H, W] from normalised float32 [N, 3, H, W].
        on_epoch: called with epoch from 1, mean loss, and mean IoU of `validation` at the network's size.
    """
    set_seed(params.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    matte_net = channels_last(MatteNet(net, config).to(device))
    batches = max(1, len(train) // params.batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), params.lr, weight_decay=WEIGHT_DECAY)
    steps = max(3, params.epochs * batches)  # of one or two steps OneCycleLR makes no cycle
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, params.lr, total_steps=steps, pct_start=max(WARM_UP, 2 / steps)
    )
    canvas = _canvas(train)
    for epoch in range(params.epochs):
        matte_net.train()
        order = generator(params.seed, "order", epoch).permutation(len(train))
        losses: list[float] = []
        for start in range(0, batches * params.batch_size, params.batch_size):
            chosen = [train[i] for i in order[start : start + params.batch_size]]
            pixels, target = _batch([augmented(s, canvas, params.seed, epoch) for s in chosen], device)
            loss = _step(matte_net, optimizer, pixels, target)
            schedule.step()
            losses.append(loss)
        on_epoch(epoch + 1, float(np.mean(losses)), mean_iou(matte_net, validation))
    return matte_net.to("cpu").eval()


def _step(
    net: MatteNet, optimizer: torch.optim.Optimizer, pixels: torch.Tensor, target: torch.Tensor
) -> float:
    optimizer.zero_grad(set_to_none=True)
    # bfloat16 only on a GPU: on a CPU it was a third faster with resnet18, a tenth slower with small encoders
    with torch.autocast(pixels.device.type, torch.bfloat16, enabled=pixels.device.type == "cuda"):
        logits = net.logits(pixels)
    loss = matte_loss(logits.float(), target)
    loss.backward()
    optimizer.step()
    return loss.item()


def matte_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy plus soft Dice; float32 [N, H, W] both, target in [0, 1]."""
    p = logits.sigmoid()
    overlap = 2 * (p * target).sum((1, 2)) + 1
    dice = overlap / (p.sum((1, 2)) + target.sum((1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, target) + (1 - dice).mean()


def mean_iou(net: MatteNet, samples: Sequence[Sample]) -> float:
    """Mean IoU of the net's mattes with the samples' alphas, at its own size; leaves `net` in eval mode."""
    net.eval()
    device = net.mean.device
    scores: list[float] = []
    with torch.inference_mode():
        for sample in samples:
            padded = _padded(sample.photo)[None]
            alpha = net(torch.from_numpy(padded).to(device))[0].cpu().numpy()
            height, width = sample.alpha.shape
            scores.append(iou(alpha[:height, :width], sample.alpha))
    return float(np.mean(scores))


def augmented(
    sample: Sample, canvas: tuple[int, int], seed: int, epoch: int
) -> tuple[np.ndarray, np.ndarray]:
    """`sample` randomly mirrored, zoomed, rotated, shifted and relit, on a new canvas (height, width).

    The random numbers depend on seed, epoch and the sample's name, not on its position. Outside the photo the
    canvas is black background, as in padding.
    """
    rng = generator(seed, "augment", epoch, sample.name)
    height, width = sample.alpha.shape
    zoom = float(np.exp(rng.uniform(-MAX_LOG_ZOOM, MAX_LOG_ZOOM)))
    centre = (
        width * (0.5 + rng.uniform(-MAX_SHIFT, MAX_SHIFT)),
        height * (0.5 + rng.uniform(-MAX_SHIFT, MAX_SHIFT)),
    )
    matrix = cv2.getRotationMatrix2D(centre, rng.uniform(-MAX_DEGREES, MAX_DEGREES), zoom)
    matrix[:, 2] += (canvas[1] / 2 - centre[0], canvas[0] / 2 - centre[1])
    if rng.random() < 0.5:
        matrix[0] = (0, 0, canvas[1] - 1) - matrix[0]
    photo = cv2.warpAffine(sample.photo, matrix, canvas[::-1])
    gain, offset = rng.uniform(1 - MAX_GAIN, 1 + MAX_GAIN), rng.uniform(-MAX_OFFSET, MAX_OFFSET)
    adjusted = cv2.convertScaleAbs(np.maximum(photo * gain + offset, 0))
    return adjusted, cv2.warpAffine(sample.alpha, matrix, canvas[::-1])


def _canvas(samples: Sequence[Sample]) -> tuple[int, int]:
    """Median height and width of the samples, up to a multiple of 32: photos of one shape need no padding."""
    height, width = np.median([s.alpha.shape for s in samples], axis=0)
    return STRIDE * -(-int(height) // STRIDE), STRIDE * -(-int(width) // STRIDE)


def _padded(photo: np.ndarray) -> np.ndarray:
    height, width = (-side % STRIDE for side in photo.shape[:2])
    return np.pad(photo, ((0, height), (0, width), (0, 0)))


def _batch(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 [N, H, W, 3] and float32 [N, H, W] in [0, 1], on the device."""
    pixels = torch.from_numpy(np.stack([photo for photo, _ in pairs]))
    target = torch.from_numpy(np.stack([alpha for _, alpha in pairs]))
    return pixels.to(device), target.to(device).float() / 255
