"""Every augmentation at its settings, on a few pictures, as a network gets them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from pipeline.objective.target import Target
from pipeline.params.learning import Train
from pipeline.seeds import seed_of
from pipeline.train.augment.draws import Draws
from pipeline.train.augment.recipe import OPERATIONS, RECIPES, TRIVIAL, TRIVIAL_NAME, Recipe, Step, applied
from pipeline.train.mix import Mixer

CELL, GAP, EDGE = 104, 6, 28  # pixels
HEADING_HEIGHT, NAME_HEIGHT, LINE_HEIGHT, TEXT_GAP, STRIP_GAP = 38, 21, 15, 5, 16
MAX_LINES = 2  # of settings at most
PAPER, INK, FAINT = (250, 250, 248), (38, 40, 44), (118, 121, 126)


@dataclass(frozen=True)
class Strip:
    """One augmentation: its group, its name, its settings in words, and uint8 [N, S, S, 3] RGB."""

    part: str
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
        params: the `train` section; its `augment`, `mix`, `cutmix_boxes` and `background_swap` are marked.
        swapped: uint8 [N, S, S, 3], the pictures on other backgrounds; None: there are no mattes.
    """
    images = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    keys = np.array([seed_of(params.seed, "sheet", i) for i in range(len(pictures))], np.int64)
    mark = " · train.augment"
    recipes = [*RECIPES, TRIVIAL_NAME]
    for name in recipes:
        settings = "as they are" if name == "none" else describe_recipe(name)
        chosen = mark if params.augment == name else ""
        yield Strip("Recipes", f"{name}{chosen}", settings, to_pixels(Recipe(name)(images, keys, 0)))
    single = [params.augment] if isinstance(params.augment, str) else list(params.augment)
    named = [] if params.augment in recipes else single
    for name in OPERATIONS:
        augmented = applied(Step(name), images, Draws.for_epoch(keys, 0), torch.from_numpy(eyes))
        title = f"{name}{mark if name in named else ''}"
        yield Strip(
            "Single operations, here on every picture", title, describe_operation(name), to_pixels(augmented)
        )
    yield from mixes(images, keys, eyes, params)
    if swapped is not None:
        share = params.background_swap
        settings = f"{share:.0%} of the pictures while training, anew in each epoch" if share else "off"
        name = "background_swap" + (" · train.background_swap" if share else "")
        yield Strip("Other backgrounds, here on every picture", name, settings, swapped)


def mixes(images: torch.Tensor, keys: np.ndarray, eyes: np.ndarray, params: Train) -> Iterator[Strip]:
    """Mixup and CutMix, each picture with the one at the mirrored place of the row."""
    target = Target(torch.eye(18)[torch.arange(len(images)) % 18], torch.zeros(len(images)))
    alpha = f"shares from Beta({params.mix_alpha:g}, {params.mix_alpha:g})"
    for mix, boxes in (("mixup", ""), ("cutmix", "random"), ("cutmix", "upper_half"), ("cutmix", "eyes")):
        own = {"mix": mix, "mix_probability": 1.0} | ({"cutmix_boxes": boxes} if boxes else {})
        mixed, _, _ = Mixer(params.model_copy(update=own))(images, target, keys, eyes, 0)
        chosen = params.mix in (mix, "both") and boxes in ("", params.cutmix_boxes)
        notes = {"eyes": "around the eyes, where they were found", "upper_half": "always half of it"}
        title = f"{mix} {boxes}".strip() + (" · train.mix" if chosen else "")
        part = "Mixing, here all pictures, each with the one at the mirrored place"
        yield Strip(part, title, notes.get(boxes, alpha), to_pixels(mixed))


def describe_recipe(recipe: str) -> str:
    """What a recipe does: each step with the share of pictures that get it, and its own settings."""
    if recipe == TRIVIAL_NAME:
        return "one of " + ", ".join(step.name for step in TRIVIAL)
    parts = []
    for step in RECIPES[recipe]:
        own = ", ".join(f"{k} {v:g}" for k, v in step.settings.items())
        parts.append(f"{step.name} {step.chance:.0%}" + (f" ({own})" if own else ""))
    return ", ".join(parts)


def describe_operation(operation: str) -> str:
    """What an operation does, from its docstring, and its settings, e.g. `The negative.`"""
    function = OPERATIONS[operation]
    summary = (function.__doc__ or "").strip().splitlines()[0]
    summary = summary.replace("`", "").replace("×", "x")  # × is not in the font
    parameters = inspect.signature(function).parameters.values()
    own = [f"{p.name} {p.default:g}" for p in parameters if p.kind is p.KEYWORD_ONLY]
    return f"{summary.rstrip('.')}: {', '.join(own)}" if own else summary


def to_pixels(images: torch.Tensor) -> np.ndarray:
    """uint8 [N, S, S, 3] from float32 [N, 3, S, S] in [0, 1]."""
    return (images.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()


def draw_sheet(rows: Sequence[Strip]) -> np.ndarray:
    """The sheet, uint8 [H, W, 3] RGB: strips in two columns, read downwards, with a heading for each part."""
    width = max(len(row.pictures) for row in rows) * (CELL + GAP) - GAP
    small = ImageFont.load_default(12)
    texts = [wrapped(row.settings, small, width) for row in rows]
    firsts = [k == 0 or rows[k - 1].part != row.part for k, row in enumerate(rows)]
    heights = [
        (HEADING_HEIGHT if first else 0)
        + NAME_HEIGHT
        + LINE_HEIGHT * len(lines)
        + TEXT_GAP
        + CELL
        + STRIP_GAP
        for first, lines in zip(firsts, texts, strict=True)
    ]
    left_side = [sum(heights[: k + 1]) <= (sum(heights) + heights[k]) / 2 for k in range(len(rows))]
    down = max(
        sum(h for h, own in zip(heights, left_side, strict=True) if own == side) for side in (True, False)
    )
    canvas = Image.new("RGB", (3 * EDGE + 2 * width, 2 * EDGE + down - STRIP_GAP), PAPER)
    draw = ImageDraw.Draw(canvas)
    tops = {True: EDGE, False: EDGE}
    for row, lines, first, height, own in zip(rows, texts, firsts, heights, left_side, strict=True):
        left, top = EDGE if own else 2 * EDGE + width, tops[own]
        tops[own] += height
        if first:
            draw.text((left, top), row.part, INK, ImageFont.load_default(20))
            top += HEADING_HEIGHT
        draw.text((left, top), row.name, INK, ImageFont.load_default(16))
        for k, line in enumerate(lines):
            draw.text((left, top + NAME_HEIGHT + k * LINE_HEIGHT), line, FAINT, small)
        for k, picture in enumerate(row.pictures):
            cell = Image.fromarray(picture).resize((CELL, CELL), Image.Resampling.BICUBIC)
            canvas.paste(
                cell, (left + k * (CELL + GAP), top + NAME_HEIGHT + LINE_HEIGHT * len(lines) + TEXT_GAP)
            )
    return np.asarray(canvas)


def wrapped(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """`text` in at most two lines of `width` pixels, cut off with … where that is not enough."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        elif len(lines) < MAX_LINES:
            lines.append(word)
        else:
            lines[-1] = _cut(longer, font, width)
            break
    return lines


def _cut(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    while text and font.getlength(text + " …") > width:
        text = text.rsplit(" ", 1)[0] if " " in text else text[:-1]
    return text + " …"
