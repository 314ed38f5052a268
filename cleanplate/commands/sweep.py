"""Runs a file of variants as DVC experiments and compares them, e.g. examples/sweeps/teams.yaml.

Without --run, queues the experiments for `dvc queue start`. With --run, runs them one after another, or
--jobs at once, each in a temporary copy of the workspace, and then compares them; after Ctrl-C, the same
command resumes, and --compare compares what has run so far. With --answers the submissions are compared, by
a table of the true answers. Experiments of this commit with the same params never run again.
cleanplate/experiments/sweep.py describes the file.

    cleanplate sweep examples/sweeps/teams.yaml --dry-run
    cleanplate sweep examples/sweeps/teams.yaml --run --jobs 4
    cleanplate sweep examples/sweeps/competition.yaml --compare --answers truth.csv
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cleanplate.experiments.runs import ExperimentRunner
    from cleanplate.experiments.sweep import Sweep


def main(
    file: Annotated[Path, typer.Argument(help="The sweep, a YAML file.")],
    run: Annotated[bool, typer.Option("--run", help="Run missing experiments, then compare.")] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="With --run: experiments at once, each with its share of the CPUs.")
    ] = 1,
    compare: Annotated[
        bool, typer.Option("--compare", help="Run nothing: compare the experiments that are there.")
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="Compare the submissions instead, by this table of the true answers: ImageID,ans,person."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the commands.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Remove and rerun experiments with outdated code or params."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    plot: Annotated[Path, typer.Option(help="Where to draw the comparison.")] = Path("reports/compare.png"),
) -> None:
    import shlex
    import sys

    from cleanplate.experiments.at_once import run_at_once
    from cleanplate.experiments.runs import ExperimentRunner
    from cleanplate.integrity.dvc_records import absent_outputs
    from pipeline.runtime.errors import UserError
    from pipeline.runtime.progress import say

    if jobs > 1 and not run:
        raise UserError(
            "--jobs is for --run",
            got=f"--jobs {jobs}",
            fix=f"add --run; or queue them, then `dvc queue start --jobs {jobs}`",
        )
    _refuse_useless(run, compare, answers, dry_run)
    sweep, params = _read(file)
    for line in sweep.skipped:
        say(line)
    runner = ExperimentRunner.for_workspace(params, sweep.experiments, sweep.stages)
    idle = dry_run or compare
    todo, done = runner.split_by_state(sweep.experiments, replace and not idle, idle)
    if dry_run:
        for name in todo:
            how = "--temp" if run else "--queue"
            print(shlex.join(["dvc", *runner.command(name, sweep.experiments[name], how)]))
        return
    if todo and not compare and (absent := absent_outputs(Path())):
        say(f"note: {absent}")
    if compare:
        say(f"{len(todo)} of {len(sweep.experiments)} experiments have not run and are not compared")
        todo = []
    elif not run:
        runner.queue({name: sweep.experiments[name] for name in todo})
        say(f"{len(todo)} queued. `dvc queue start` runs them; then `cleanplate sweep {file} --run` compares")
        return
    wanted = {name: sweep.experiments[name] for name in todo}
    failed = run_at_once(runner, wanted, jobs) if jobs > 1 else runner.run(wanted)
    done |= {name: name for name in todo if name not in failed}
    runs = {name: [done[r] for r in of_name if r in done] for name, of_name in sweep.runs.items()}
    pairs = [(runs[a][0], runs[b][0]) for a, b in sweep.pairs if runs[a] and runs[b]]
    if pairs:
        _compare(pairs, {r[0]: r for r in runs.values() if r}, runner, answers, json, plot)
    if failed:
        raise UserError(
            f"{len(failed)} of {len(sweep.experiments)} experiments failed and are not compared",
            got=", ".join(failed),
            fix="see their output above, fix the cause, and run the same command again",
        )
    if not pairs:
        few = "no pair of experiments has run" if compare else "the sweep has one experiment"
        say(f"nothing to compare: {few}")
        sys.exit(0)


def _refuse_useless(run: bool, compare: bool, answers: Path | None, dry_run: bool) -> None:
    """Options that say nothing together."""
    from pipeline.runtime.errors import UserError

    if compare and (run or dry_run):
        other = "--run" if run else "--dry-run"
        raise UserError(
            "--compare runs nothing",
            got=f"--compare {other}",
            fix=f"leave out {other}, or --compare: --run compares at the end",
        )
    if answers and not (run or compare):
        raise UserError(
            "--answers is for a comparison", got=f"--answers {answers}", fix="add --run or --compare"
        )


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


def _compare(
    pairs: list[tuple[str, str]],
    runs: dict[str, list[str]],
    runner: ExperimentRunner,
    answers: Path | None,
    json: bool,
    plot: Path,
) -> None:
    from cleanplate.commands.compare import print_comparison
    from cleanplate.comparison.compare import Options, compare_revisions

    found = compare_revisions(pairs, Options(answers=answers), runner.commits(), runs)
    print_comparison(found, people=False, json=json, plot=plot)
