"""The command line of every stage: params, --limit, --debug, lock, error messages."""

from __future__ import annotations

import inspect
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pandas as pd
import typer

from pipeline.io.atomic import remove_partial_files, use_temp_dir
from pipeline.io.image_store import ImageWriter, atomic_images
from pipeline.io.result_cache import ResultCache, prune
from pipeline.io.tar_shards import per_shard
from pipeline.params import Params, load_params
from pipeline.params.preparation import Shards
from pipeline.runtime.disk import main_root, require_room, same_disk
from pipeline.runtime.errors import format_error
from pipeline.runtime.process import die_with_dvc, stage_lock
from pipeline.runtime.progress import say
from stages.shared.costs import stage_bytes, written_bytes
from stages.shared.dvc_cache import cache_folder
from stages.shared.rates import rate_key, record_rate

if TYPE_CHECKING:
    import numpy as np

    from stages.shared.artefacts import Pictures

QUICK = Path("quick")


@dataclass(frozen=True)
class Stage:
    """One run of a stage: its params and output paths."""

    name: str
    params: Params
    limit: int | None = None

    def out(self, path: str | Path) -> Path:
        """The path for output `path`: with --limit below `quick/`, so that it is not mistaken for a full one.

        Removes partial files of killed runs beside it; the stage's lock excludes other writers.
        """
        place = QUICK / path if self.limit else Path(path)
        remove_partial_files(place)
        return place

    @contextmanager
    def pictures(self, folder: Pictures, shards: Shards) -> Iterator[ImageWriter]:
        """The writer of a folder of pictures, packed as `data.shards` says; published if nothing fails."""
        photos = min(_photo_count(Path("build/photos.parquet")), self.limit or sys.maxsize)
        with atomic_images(self.out(folder.path), per_shard(shards, photos)) as writer:
            yield writer

    def decoded(self, folder: Pictures, files: Sequence[str], size: int) -> tuple[np.ndarray, str]:
        """Pictures, uint8 [N, size, size, 3] RGB, memory-mapped, and a digest of names, bytes and size."""
        from pipeline.train.decoded import decoded

        machine = self.params.machine
        cache = self.result_cache.parent / "decoded"
        return decoded(folder.open(), files, size, cache, cache_gb=machine.cache_gb, workers=machine.workers)

    def first(self, table: pd.DataFrame) -> pd.DataFrame:
        """The first `--limit` rows of `table`, or all of it."""
        return table.head(self.limit) if self.limit else table

    def require_room(self) -> None:
        """Refuses to start if the outputs will not fit on the disk or in DVC's cache.

        DVC itself reports success if its cache's disk is full.
        """
        photos = _photo_count(Path("build/photos.parquet"))
        about = (self.name, self.params, min(photos, self.limit or photos))
        out = Path("build")
        require_room(out, written_bytes(*about), f"what `{self.name}` writes")
        cache = cache_folder(main_root())
        if self.limit is None and not same_disk(cache, out):
            require_room(cache, stage_bytes(*about), f"what DVC keeps of `{self.name}`")

    def keep(self, cache: ResultCache, hits: int, pictures: int, seconds: float) -> None:
        """Records how many of the pictures came from the result cache, and its rate; prunes what is too much.

        The rate counts only where everything was computed.
        """
        cache.count(hits, pictures - hits)
        if hits == 0:
            self.measured(seconds, pictures)
        if hits < pictures:
            prune(self.result_cache, self.params.machine.cache_gb)

    def measured(self, seconds: float, photos: float) -> None:
        """Records the time per photo, for the estimate of `cleanplate check`."""
        record_rate(self.result_cache.parent, rate_key(self.name, self.params), seconds, photos)

    @property
    def result_cache(self) -> Path:
        """The result cache, shared by all workspaces."""
        return main_root() / ".cache" / "items"


@dataclass(frozen=True)
class AlternativeAction:
    """An option of one stage, e.g. `--suggest-seed`, that runs `run` instead of the stage."""

    flag: str
    help: str
    run: Callable[[Stage], None]


def stage_command(
    name: str, run: Callable[[Stage], None], about: str, alternative: AlternativeAction | None = None
) -> None:
    """Runs stage `name` from the command line; never returns.

    Exit codes: 0 success, 1 error (one message, no traceback unless --debug), 130 interrupted.
    """

    def main(
        limit: Annotated[
            int | None,
            typer.Option(min=1, help="Take only the first N photos or people, and write below quick/."),
        ] = None,
        params: Annotated[Path, typer.Option(help="The params file.")] = Path("params.yaml"),
        debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
        other: bool = False,
    ) -> None:
        sys.exit(run_stage(name, alternative.run if alternative and other else run, params, limit, debug))

    main.__doc__ = about
    typer.run(_with_flag(main, alternative))


def _with_flag(main: Callable[..., None], alternative: AlternativeAction | None) -> Callable[..., None]:
    """`main` with its parameter `other` shown as `instead.flag`, or not at all."""
    signature = inspect.signature(main, eval_str=True)
    shown = dict(signature.parameters)
    other = shown.pop("other")
    if alternative:
        option = typer.Option(alternative.flag, help=alternative.help)
        shown["other"] = other.replace(annotation=Annotated[bool, option])
    main.__dict__["__signature__"] = signature.replace(parameters=list(shown.values()))
    main.__annotations__ = {k: p.annotation for k, p in shown.items()}
    return main


def run_stage(
    name: str, run: Callable[[Stage], None], params: Path, limit: int | None = None, debug: bool = False
) -> int:
    """Runs one stage in this process and returns its exit code."""
    die_with_dvc()
    start = time.monotonic()
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as stages/__init__.py left it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        stage = Stage(name, load_params(params), limit)
        with stage_lock(Path(".cache/locks"), name):
            use_temp_dir(Path(".cache/parts") / name)
            stage.require_room()
            run(stage)
    except KeyboardInterrupt:
        say(f"{name}: interrupted; partial outputs were discarded. Run it again to resume.")
        return 130
    except Exception as e:
        if debug:
            traceback.print_exc()
        say(f"{name}: error: {format_error(e)}")
        return 1
    where = f", results below {QUICK}/ (a quick look, not a result)" if limit else ""
    say(f"{name}: done in {time.monotonic() - start:.1f} s{where}")
    return 0


def _photo_count(table: Path) -> int:
    """Rows of a parquet table from its footer; 0 where it is missing or broken."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return pq.read_metadata(table).num_rows
    except (OSError, ArrowException):
        return 0
