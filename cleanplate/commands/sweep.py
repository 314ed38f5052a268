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
    from cleanplate.comparison.compare import Options
    from cleanplate.experiments.runs import ExperimentRunner
    from cleanplate.experiments.sweep import Sweep
    from pipeline.params.overrides import Overrides

PLOT = Path("reports/compare.png")


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
    plot: Annotated[Path, typer.Option(help="Where to draw the comparison.")] = PLOT,
) -> None:
    from cleanplate.comparison.compare import Options
    from cleanplate.comparison.submission import require_answers
    from cleanplate.experiments.runs import ExperimentRunner
    from pipeline.runtime.progress import say

    shown = json or plot != PLOT
    _refuse_useless(run, compare, dry_run, jobs, replace, answers, shown)
    sweep, params = _read(file)
    if answers:
        require_answers(answers, sweep.stages)
    for line in sweep.skipped:
        say(line)
    runner = ExperimentRunner.for_workspace(params, sweep.experiments, sweep.stages)
    todo, done = runner.split_by_state(sweep.experiments)
    if dry_run:
        _print_commands(runner, sweep, todo, "--temp" if run else "--queue")
        return
    failed: list[str] = []
    if compare:
        _say_what_is_missing(runner, sweep, todo)
    else:
        runner.make_room(todo, replace)
        failed = _run_or_queue(runner, {name: sweep.experiments[name] for name in todo}, jobs, run, file)
        if not run:
            return
        done |= {name: name for name in todo if name not in failed}
    pairs, runs = sweep.finished(done)
    if pairs:
        _compare(pairs, runs, runner, Options(answers=answers, same_within=sweep.same_within), json, plot)
    _end(sweep, failed, bool(pairs), compare)


def _refuse_useless(
    run: bool, compare: bool, dry_run: bool, jobs: int, replace: bool, answers: Path | None, shown: bool
) -> None:
    """Options that say nothing together."""
    from pipeline.runtime.errors import UserError

    if compare and (run or dry_run):
        other = "--run" if run else "--dry-run"
        raise UserError(
            "--compare runs nothing",
            got=f"--compare {other}",
            fix=f"leave out {other}, or --compare: --run compares at the end",
        )
    if jobs > 1 and not run:
        raise UserError(
            "--jobs is for --run",
            got=f"--jobs {jobs}",
            fix=f"add --run; or queue them, then `dvc queue start --jobs {jobs}`",
        )
    if replace and compare:
        raise UserError("--compare replaces nothing", got="--compare --replace", fix="leave out one of them")
    for option, given in (("--answers", answers is not None), ("--json or --plot", shown)):
        if given and (dry_run or not (run or compare)):
            what = f"--answers {answers}" if option == "--answers" else option
            raise UserError(f"{option} is for a comparison", got=what, fix="add --run or --compare")


def _print_commands(runner: ExperimentRunner, sweep: Sweep, todo: list[str], how: str) -> None:
    import shlex

    for name in todo:
        print(shlex.join(["dvc", *runner.command(name, sweep.experiments[name], how)]))


def _say_what_is_missing(runner: ExperimentRunner, sweep: Sweep, todo: list[str]) -> None:
    from pipeline.runtime.progress import say

    outdated = runner.outdated(todo)
    if never := [name for name in todo if name not in outdated]:
        say(f"{len(never)} of {len(sweep.experiments)} experiments have not run and are not compared")
    if outdated:
        names = ", ".join(outdated)
        say(f"{len(outdated)} ran with other params or other code and are not compared: {names}")
        say("--run --replace runs them again")


def _run_or_queue(
    runner: ExperimentRunner, wanted: dict[str, Overrides], jobs: int, run: bool, file: Path
) -> list[str]:
    """The names of those that failed."""
    from cleanplate.experiments.jobs import run_experiments
    from cleanplate.integrity.dvc_records import absent_outputs
    from pipeline.runtime.progress import say

    if wanted and (absent := absent_outputs(Path())):
        say(f"note: {absent}")
    if run:
        return run_experiments(runner, wanted, jobs)
    runner.queue(wanted)
    say(f"{len(wanted)} queued. `dvc queue start` runs them; then `cleanplate sweep {file} --run` compares")
    return []


def _end(sweep: Sweep, failed: list[str], compared: bool, compare: bool) -> None:
    """Says what is left to say.

    Raises:
        UserError: experiments failed.
    """
    from pipeline.runtime.errors import UserError
    from pipeline.runtime.progress import say

    if failed:
        raise UserError(
            f"{len(failed)} of {len(sweep.experiments)} experiments failed and are not compared",
            got=", ".join(failed),
            fix="see their output above, fix the cause, and run the same command again",
        )
    if not compared:
        few = "no pair of experiments has run" if compare else "the sweep has one experiment"
        say(f"nothing to compare: {few}")


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
    options: Options,
    json: bool,
    plot: Path,
) -> None:
    from cleanplate.commands.compare import print_comparison
    from cleanplate.comparison.compare import compare_revisions

    found = compare_revisions(pairs, options, runner.commits(), runs)
    print_comparison(found, people=False, json=json, plot=plot)
