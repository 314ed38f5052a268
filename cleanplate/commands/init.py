"""Sets params.yaml for your photos: `cleanplate init photos --data FOLDER`, then `dvc repro`.

A preset is a file of examples/presets, by its name, or one of your own, by its path. Comments and all other
values of params.yaml stay as they are, and every value that changes is shown.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    preset: Annotated[str, typer.Argument(help="A preset: photos, or the path of a file like it.")],
    data: Annotated[
        str | None,
        typer.Option(help="The folder with your photos, or the s3:// or ssh:// URL of one, for data.root."),
    ] = None,
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    from cleanplate.experiments.preset import read_preset, write_params
    from pipeline.io.url_folder import is_url
    from pipeline.params.overrides import to_hydra
    from pipeline.runtime.progress import say

    overrides = read_preset(preset)
    if data is not None:
        overrides |= {"data.root": data, "data.layout": "shards"} if is_url(data) else _checked(data)
    changes = write_params(params, overrides)
    for name, before, after in changes:
        print(f"{name}: {to_hydra(before)} -> {to_hydra(after)}")
    kept = len(overrides) - len(changes)
    say(f"init: {len(changes)} values of {params} changed, {kept} were so already; `dvc repro` can start")


def _checked(data: str) -> dict[str, str]:
    """The folder as data.root takes it."""
    from pipeline.dataset.data_root import refuse_overlap
    from pipeline.runtime.errors import UserError

    place = Path(data).expanduser()
    if not place.is_dir():
        raise UserError("there is no such folder", got=data, fix="set --data to the folder with your photos")
    refuse_overlap(place)
    return {"data.root": place.as_posix()}
