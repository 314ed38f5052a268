"""The tools around the pipeline: the `cleanplate` command, the review page, and answers about new photos."""

import sys


def main() -> None:
    """The `cleanplate` command; prints the fix if libraries are missing."""
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["predict"]:  # without typer, which other commands need
            from cleanplate.commands import predict

            sys.exit(predict.main(arguments[1:]))
        from cleanplate.cli import app
    except ModuleNotFoundError as e:
        from cleanplate.commands import HELP

        if e.name in (None, "cleanplate", "pipeline", "stages"):
            raise
        if arguments in ([], ["--help"]):
            print("Usage: cleanplate COMMAND\n")
            print("\n".join(f"  {name:12} {text}" for name, text in HELP.items()))
        extra = "predict" if arguments[:1] == ["predict"] else "pipeline"
        fix = f"`make setup`, or `pip install 'cleanplate[{extra}]'`"
        print(f"error: {sys.executable} has no {e.name}\n  fix:     {fix}", file=sys.stderr)
        sys.exit(0 if arguments == ["--help"] else 1)
    app(prog_name="cleanplate")
