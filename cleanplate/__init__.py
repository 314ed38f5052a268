"""The tools around the pipeline: the `cleanplate` command and the review page."""

import sys


def main() -> None:
    """The `cleanplate` command; prints the fix if libraries are missing."""
    try:
        from cleanplate.cli import app
    except ModuleNotFoundError as e:
        from cleanplate.commands import HELP

        if e.name in (None, "cleanplate", "pipeline", "stages"):
            raise
        if sys.argv[1:] in ([], ["--help"]):
            print("Usage: cleanplate COMMAND\n")
            print("\n".join(f"  {name:12} {text}" for name, text in HELP.items()))
        fix = "`make setup`, or `pip install` this project with its dependencies"
        print(f"error: {sys.executable} has no {e.name}\n  fix:     {fix}", file=sys.stderr)
        sys.exit(0 if sys.argv[1:] == ["--help"] else 1)
    app(prog_name="cleanplate")
