"""Every augmentation at its settings, on a few pictures: what a network really gets to see."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from pipeline.augment.draws import Draws
from pipeline.augment.recipe import OPERATIONS, RECIPES, TRIVIAL, TRIVIAL_NAME, Recipe, Step, applied
from pipeline.heads._target import Target
from pipeline.mix import Mixer
from pipeline.params.training import Train
from pipeline.seeds import seed_of

CELL, GAP, EDGE = 104, 6, 28  # pixels
CAPTION, BETWEEN = 40, 14
COLUMNS = 2
PAPER, INK, FAINT = (250, 250, 248), (38, 40, 44), (118, 121, 126)


@dataclass(frozen=True)
class Strip:
    """One augmentation: its name, its settings in words, and uint8 [N, S, S, 3] RGB."""

    name: str
    settings: str
    pictures: np.ndarray


def strips(
    pictures: np.ndarray, eyes: np.ndarray, params: Train, swapped: np.ndarray | None = None
) -> Iterator[Strip]:
    """All of them: nothing, recipes, operations (each on every picture), mixes, other backgrounds.

    Args:
        pictures: uint8 [N, S, S, 3] RGB, at the size that the network sees.
        eyes: float32 [N, 4], box `xyxy` around the eyes as shares of the side, NaN where unknown.
        params: the `train` section; `augment`, `mix`, `mix_boxes` and `background_swap` are marked as chosen.
        swapped: uint8 [N, S, S, 3], the pictures on other backgrounds; None: there are no mattes.
    """
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    keys = np.array([seed_of(params.seed, "sheet", i) for i in range(len(pictures))], np.int64)
    mark = " · train.augment"
    for name in [*RECIPES, TRIVIAL_NAME]:
        said = "as they are" if name == "none" else words(name)
        chosen = mark if params.augment == name else ""
        yield Strip(f"{name}{chosen}", said, to_pixels(Recipe(name)(images, keys, 0)))
    named = [params.augment] if isinstance(params.augment, str) else list(params.augment)
    for name in OPERATIONS:
        done = applied(Step(name), images, Draws.for_epoch(keys, 0))
        yield Strip(f"{name}{mark if name in named else ''}", defaults(name), to_pixels(done))
    yield from mixes(images, keys, eyes, params)
    if swapped is not None:
        share = params.background_swap
        said = f"{share:.0%} of the pictures, anew in each epoch" if share else "off; 100% here"
        yield Strip("background_swap" + (" · train.background_swap" if share else ""), said, swapped)


def mixes(images: torch.Tensor, keys: np.ndarray, eyes: np.ndarray, params: Train) -> Iterator[Strip]:
    """Mixup and CutMix, each picture with the one at the mirrored place of the row."""
    target = Target(torch.eye(18)[torch.arange(len(images)) % 18], torch.zeros(len(images)))
    alpha = f"shares from Beta({params.mix_alpha:g}, {params.mix_alpha:g})"
    for mix, boxes in (("mixup", ""), ("cutmix", "random"), ("cutmix", "upper_half"), ("cutmix", "eyes")):
        own = {"mix": mix, "mix_probability": 1.0} | ({"mix_boxes": boxes} if boxes else {})
        mixed, _ = Mixer(params.model_copy(update=own))(images, target, keys, eyes, 0)
        chosen = params.mix in (mix, "both") and boxes in ("", params.mix_boxes)
        said = (
            "around the eyes, where they were found"
            if boxes == "eyes"
            else alpha
            if boxes != "upper_half"
            else ""
        )
        yield Strip(f"{mix} {boxes}".strip() + (" · train.mix" if chosen else ""), said, to_pixels(mixed))


def words(recipe: str) -> str:
    """What a recipe does: each step with the share of pictures that get it, and its own settings."""
    if recipe == TRIVIAL_NAME:
        return "one of " + ", ".join(step.name for step in TRIVIAL)
    parts = []
    for step in RECIPES[recipe]:
        own = ", ".join(f"{k} {v:g}" for k, v in step.settings.items())
        parts.append(f"{step.name} {step.chance:.0%}" + (f" ({own})" if own else ""))
    return ", ".join(parts)


def defaults(operation: str) -> str:
    """An operation's own settings, e.g. `degrees 10, shift 0.08`."""
    given = inspect.signature(OPERATIONS[operation]).parameters.values()
    own = [f"{p.name} {p.default:g}" for p in given if p.kind is p.KEYWORD_ONLY]
    return ", ".join(own) or "no settings"


def to_pixels(images: torch.Tensor) -> np.ndarray:
    """uint8 [N, S, S, 3] from float32 [N, 3, S, S] in [0, 1]."""
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def drawn(rows: Sequence[Strip]) -> np.ndarray:
    """The sheet, uint8 [H, W, 3] RGB: strips in two columns, read downwards."""
    count = max(len(row.pictures) for row in rows)
    width, step = count * (CELL + GAP) - GAP, CAPTION + CELL + BETWEEN
    down = -(-len(rows) // COLUMNS)
    size = (2 * EDGE + COLUMNS * width + (COLUMNS - 1) * EDGE, 2 * EDGE + down * step - BETWEEN)
    canvas = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(canvas)
    for number, row in enumerate(rows):
        left = EDGE + number // down * (width + EDGE)
        top = EDGE + number % down * step
        draw.text((left, top), row.name, INK, ImageFont.load_default(16))
        small = ImageFont.load_default(12)
        draw.text((left, top + 20), fitted(row.settings, small, width), FAINT, small)
        for k, picture in enumerate(row.pictures):
            cell = Image.fromarray(picture).resize((CELL, CELL), Image.Resampling.BICUBIC)
            canvas.paste(cell, (left + k * (CELL + GAP), top + CAPTION))
    return np.asarray(canvas)


def fitted(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """`text`, cut off with … where it is wider than `width` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + " …") > width:
        text = text.rsplit(" ", 1)[0] if " " in text else text[:-1]
    return text + " …"
