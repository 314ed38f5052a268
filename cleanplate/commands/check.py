"""Looks at params, data folder, tables, corrections and weights before any work, in seconds.

Says everything that is wrong at once, and what the run will take: time and disk. No photo is decoded: what is
inside them is found by `dvc repro ingest`. Exit code 1 where something is wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.params import Params

DEFAULT_PHOTOS = 504  # of the demo, which is drawn by the run itself


def main(
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    from cleanplate.preflight import networks as _networks
    from pipeline.params import load_params
    from pipeline.runtime.errors import Problems
    from pipeline.runtime.progress import say

    found = load_params(params)
    flops, wrong = _networks.network_flops(found)
    problems, notes, photos = _everything(found)
    problems += wrong
    for note in (*notes, *_absent()):
        say(f"check: note: {note}")
    problems += _estimate(found, photos, flops)
    if problems:
        raise Problems("this cannot run as it is", problems)
    say("check: nothing is wrong; `dvc repro` can start")


def _everything(params: Params) -> tuple[list[str], list[str], int]:
    """Problems, notes, and how many photos there are."""
    from cleanplate.preflight import checks as _checks
    from cleanplate.preflight import networks as _networks
    from pipeline.dataset.data_root import refuse_overlap
    from pipeline.runtime.progress import say

    root = Path()
    problems, notes = _checks.weight_problems(params, _main_root(), root / "weights.lock")
    problems += _networks.network_problems(params) + _checks.segmenter_problems(params, root)
    problems += _checks.background_problems(params)
    if overlap := _checks.said(lambda: refuse_overlap(Path(params.data.root))):
        return problems + overlap, notes, 0
    if not Path(params.data.root).exists() and _checks.drawn_later(root, params.data.root):
        notes.append(f"{params.data.root} is not there yet: `dvc repro` makes it")
        return problems, notes, DEFAULT_PHOTOS
    listing, wrong = _checks.listed(params)
    problems += wrong
    if listing is None:
        return problems, notes, 0
    refused = [f"{a.path}: {a.reason}; {a.fix}" for a in listing.rejected if a.counts]
    absent = _checks.absent_photos(params, listing)
    photos = len(listing.photos) - len(absent)
    refused += [f"{image}: there is no such file" for image in absent]
    if len(refused) > params.ingest.max_quarantine * max(1, photos + len(refused)):
        problems += refused
    say(f"check: {photos} photos; {len(listing.rejected) + len(absent)} other paths will be quarantined")
    notes += listing.notes[:5] + (
        [f"… and {len(listing.notes) - 5} more notes"] if len(listing.notes) > 5 else []
    )
    return problems + _checks.correction_problems(params, listing), notes, photos


def _absent() -> list[str]:
    """What is said about outputs that dvc.lock names and that nobody made here."""
    from cleanplate.integrity.dvc_records import absent_outputs
    from pipeline.runtime.errors import UserError

    try:
        return [note] if (note := absent_outputs(Path())) else []
    except UserError as e:  # half a dvc.lock
        return [f"{str(e).splitlines()[0]}; `cleanplate doctor` says more"]


def _main_root() -> Path:
    import os

    return Path(os.environ.get("DVC_ROOT", "."))


def _estimate(params: Params, photos: int, flops: float | None) -> list[str]:
    """Prints what a run without any cache takes; returns problems with the room for it."""
    from pipeline.runtime.disk import format_bytes, free_bytes, same_disk
    from pipeline.runtime.process import worker_count
    from stages.shared.costs import run_costs
    from stages.shared.dvc_cache import cache_folder
    from stages.shared.rates import read_rates

    workers = worker_count(params.machine.workers)
    costs = run_costs(params, photos, workers, read_rates(_main_root() / ".cache"), flops)
    print(f"a run over {photos} photos with nothing cached, roughly:")
    for cost in costs:
        source = "as measured here" if cost.measured else f"plan, {workers} CPU cores"
        print(f"  {cost.stage:<11} {_time(cost.seconds):>9} {format_bytes(cost.bytes):>10}  {source}")
    seconds, needed = sum(c.seconds for c in costs), sum(c.bytes for c in costs)
    print(f"  {'in all':<11} {_time(seconds):>9} {format_bytes(needed):>10}")
    cache = cache_folder(Path())
    places = {"outputs": Path("build")} | ({} if same_disk(cache, Path("build")) else {"DVC's cache": cache})
    problems = []
    for what, place in places.items():
        free = free_bytes(place)
        print(f"free for {what}: {format_bytes(free)}")
        if free < needed:
            problems.append(
                f"the disk of {what} has {format_bytes(free)} free; "
                f"the run needs about {format_bytes(needed)}"
            )
    return problems


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
