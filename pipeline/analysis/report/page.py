"""Renders the page: autoescaped, one file, no external resources."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from pipeline.compose.crop import resized

HERE = Path(__file__).parent
THUMBNAIL, QUALITY = 176, 85  # pixels a side, JPEG


def render(context: Mapping[str, Any]) -> str:
    """The page. `context`: the variables of report.html.j2; a missing one is an error."""
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "places": decimals, "thousands": thousands}
    style = Markup((HERE / "report.css").read_text(encoding="utf-8"))  # our own text, none of the user's
    return environment.get_template("report.html.j2").render(style=style, **context)


def percent(share: float) -> str:
    """`12.3 %`, with a no-break space."""
    return f"{share * 100:.1f}\u00a0%"


def decimals(value: float) -> str:
    """`0.123`."""
    return f"{value:.3f}"


def thousands(count: int) -> str:
    """`18 900`, with a narrow no-break space."""
    return f"{count:,}".replace(",", "\u202f")


def as_source(data: bytes) -> str:
    """A picture's bytes (PNG or JPEG) as a data URI."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def thumbnail(picture: np.ndarray) -> str:
    """uint8 [S, S, 3] RGB as a small JPEG in a data URI."""
    size = min(THUMBNAIL, picture.shape[0])
    out = io.BytesIO()
    Image.fromarray(resized(picture, size, size)).save(out, "JPEG", quality=QUALITY)
    return as_source(out.getvalue())
