"""Checks params, data folder, tables, corrections and weights before a run, in seconds.

Reports all problems at once, and estimates the time and disk space of a run. Decodes no photo; `dvc repro
ingest` does. Exit code 1 if there is a problem.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pipeline.params import Params

DEFAULT_PHOTOS = 504  # of the demo, which the run draws itself


def main(
    params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    from cleanplate.preflight import networks as _networks
    from pipeline.params import load_params
    from pipeline.runtime.errors import Problems
    from pipeline.runtime.progress import say

    loaded = load_params(params)
    flops, wrong = _networks.network_flops(loaded)
    problems, notes, photos = _data_problems(loaded)
    problems += wrong
    for note in (*notes, *_absent_output_notes()):
        say(f"check: note: {note}")
    problems += _estimate(loaded, photos, flops)
    if problems:
        raise Problems("the pipeline cannot run like this", problems)
    say("check: no problems; `dvc repro` can start")


def _data_problems(params: Params) -> tuple[list[str], list[str], int]:
    """Problems, notes, and the number of photos."""
    from cleanplate.preflight import checks as _checks
    from cleanplate.preflight import networks as _networks
    from cleanplate.preflight.cluster import cluster_problems
    from pipeline.dataset.data_root import refuse_overlap
    from pipeline.io.url_folder import folder_of
    from pipeline.runtime.disk import main_root
    from pipeline.runtime.progress import say

    root = Path()
    problems, notes = _checks.weight_problems(params, main_root(), root / "weights.lock")
    problems += _networks.network_problems(params) + _checks.segmenter_problems(params, root)
    problems += _checks.background_problems(params)
    notes += _checks.segmenter_notes(params)
    for found, told in zip((problems, notes), cluster_problems(params.machine), strict=True):
        found += told
    place = folder_of(params.data.root)
    if isinstance(place, Path) and (overlap := _checks.collect_problems(lambda: refuse_overlap(place))):
        return problems + overlap, notes, 0
    if _checks.is_to_be_made(root, params.data.root):
        notes.append(f"{params.data.root} is not there yet: `dvc repro` makes it")
        return problems, notes, DEFAULT_PHOTOS
    if params.data.root.startswith("ssh:"):
        notes.append(f"{params.data.root}: DVC reads every photo at each `dvc repro`; not so on S3 or a disk")
    listing, wrong = _checks.list_photos(params)
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


def _absent_output_notes() -> list[str]:
    """A note about outputs in dvc.lock that are missing here."""
    from cleanplate.integrity.dvc_records import absent_outputs
    from pipeline.runtime.errors import UserError

    try:
        return [note] if (note := absent_outputs(Path())) else []
    except UserError as e:  # half a dvc.lock
        return [f"{str(e).splitlines()[0]}; `cleanplate doctor` says more"]


def _estimate(params: Params, photos: int, flops: float | None) -> list[str]:
    """Prints the cost of a run without any cache; returns problems with disk space."""
    from pipeline.runtime.disk import format_bytes, free_bytes, main_root, same_disk
    from pipeline.runtime.process import worker_count
    from stages.shared.costs import run_costs
    from stages.shared.dvc_cache import cache_folder
    from stages.shared.rates import read_rates

    workers = worker_count(params.machine.workers)
    costs = run_costs(params, photos, workers, read_rates(main_root() / ".cache"), flops)
    print(f"a run over {photos} photos with nothing cached, roughly:")
    for cost in costs:
        source = "as measured here" if cost.measured else f"estimate, {workers} CPU cores"
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
