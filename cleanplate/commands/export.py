"""Writes the trained model as a folder that works elsewhere: networks, steps, model card.

OUT then holds the same networks as ONNX and as OpenVINO IR, chain.json with every step from a photo to an
answer, and a model card. `cleanplate predict PHOTO --model OUT` answers with it, on machines that have
nothing but `pip install 'cleanplate[predict]'`.

With --int8 a second classifier of 8-bit weights and activations is calibrated on training photos and compared
on the people held out. It answers in place of the float32 one, at a quarter of its size, if the interval
(95 %) of what it loses of macro-F1 ends below 0.005; else only float32 is exported, and the card says what
was lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[Path, typer.Argument(help="The folder to write; an export there is replaced.")],
    model: Annotated[Path, typer.Option(help="The trained model.")] = Path("build/model"),
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
    int8: Annotated[
        bool, typer.Option("--int8", help="Answer with 8-bit classifiers, if they lose little.")
    ] = False,
) -> None:
    from functools import partial

    from pipeline.params import load_params
    from pipeline.runtime.errors import UserError
    from stages.export import export_model

    if out.exists() and not (out / "chain.json").is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(
            "there is something else already", where=out, allowed="a new folder, or an earlier export",
            fix="name another folder",
        )  # fmt: skip
    loaded = load_params(params)
    if not int8:
        export_model(loaded, model, out)
        return
    from cleanplate.quantization.judged import add_int8

    export_model(loaded, model, out, partial(add_int8, evaluate=loaded.evaluate))
