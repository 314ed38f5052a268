"""Runs a file of variants as DVC experiments and compares them, e.g. examples/sweeps/teams.yaml.

Without --run the experiments are queued for `dvc queue start`. With --run they run one after another, each
in a temporary copy so that the workspace stays as it is, and are then compared; Ctrl-C stops, and the same
command goes on where it stopped. Experiments of this commit with the same params are never run again. How
to write such a file stands in cleanplate/experiments/sweep.py.

    cleanplate sweep examples/sweeps/teams.yaml --dry-run
    cleanplate sweep examples/sweeps/teams.yaml --run
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cleanplate.experiments.runs import Bench
    from cleanplate.experiments.sweep import Sweep


def main(
    file: Annotated[Path, typer.Argument(help="The sweep, a YAML file.")],
    run: Annotated[bool, typer.Option("--run", help="Run what is missing now, then compare.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the commands.")] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Remove and redo experiments whose code or params have changed since."
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    plot: Annotated[Path, typer.Option(help="Where to draw the comparison.")] = Path("reports/compare.png"),
) -> None:
    import shlex
    import sys

    from cleanplate.experiments.runs import Bench
    from cleanplate.integrity.dvc_records import absent_outputs
    from pipeline.runtime.errors import UserError
    from pipeline.runtime.progress import say

    sweep, params = _read(file)
    for line in sweep.skipped:
        say(line)
    bench = Bench.here(params, sweep.experiments, sweep.stages)
    todo, there = bench.sort(sweep.experiments, replace and not dry_run, dry_run)
    if dry_run:
        for name in todo:
            print(shlex.join(["dvc", *bench.command(name, sweep.experiments[name], queue=not run)]))
        return
    if todo and (absent := absent_outputs(Path())):
        say(f"note: {absent}")
    if not run:
        bench.queue({name: sweep.experiments[name] for name in todo})
        say(f"{len(todo)} queued. `dvc queue start` runs them; then `cleanplate sweep {file} --run` compares")
        return
    failed = bench.run({name: sweep.experiments[name] for name in todo})
    there |= {name: name for name in todo if name not in failed}
    pairs = [(there[a], there[b]) for a, b in sweep.pairs if a in there and b in there]
    if pairs:
        _compare(pairs, bench, json, plot)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(sweep.experiments)} experiments failed and are not compared",
            got=", ".join(failed),
            fix="see their output above, mend it, and run the same command again",
        )
    if not pairs:
        say("nothing to compare: the sweep has one experiment")
        sys.exit(0)


def _read(file: Path) -> tuple[Sweep, dict[str, Any]]:
    from cleanplate.experiments.sweep import plan
    from pipeline.params import load_params
    from pipeline.params.loading import parse_yaml, read_document
    from pipeline.runtime.errors import UserError

    try:
        document = parse_yaml(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as e:
        known = sorted(str(p) for p in Path("examples/sweeps").glob("*.yaml"))
        raise UserError("there is no such sweep file", got=str(file), allowed=known or None) from e
    except (ValueError, OSError) as e:
        raise UserError("the sweep file is no readable YAML", where=file, got=str(e)) from e
    load_params(Path("params.yaml"))
    params = read_document(Path("params.yaml"))
    return plan(document, file.stem, params), params


def _compare(pairs: list[tuple[str, str]], bench: Bench, json: bool, plot: Path) -> None:
    from cleanplate.commands.compare import tell
    from cleanplate.comparison.compare import Options, compared

    tell(compared(pairs, Options(), bench.commits()), people=False, json=json, plot=plot)
