"""Writes the trained model as a folder that works elsewhere: networks, steps, model card.

OUT then holds the same networks as ONNX and as OpenVINO IR, chain.json with every step from a photo to an
answer, and a model card. `cleanplate predict PHOTO --model OUT` answers with it, on machines that have
nothing but `pip install 'cleanplate[predict]'`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[Path, typer.Argument(help="The folder to write; an export there is replaced.")],
    model: Annotated[Path, typer.Option(help="The trained model.")] = Path("build/model"),
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    from pipeline.params import load_params
    from pipeline.runtime.errors import UserError
    from stages.export import export_model

    if out.exists() and not (out / "chain.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            "there is something else already", where=out, allowed="a new folder, or an earlier export",
            fix="name another folder",
        )  # fmt: skip
    export_model(load_params(params), model, out)
