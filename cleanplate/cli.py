"""The `cleanplate` command: offers every file of `cleanplate/commands/` under its name."""

from __future__ import annotations

import copy
import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.runtime.errors import format_error
from pipeline.runtime.progress import say

FOLDER = Path(__file__).parent / "commands"

app = typer.Typer(
    name="cleanplate",
    help="Tools around the pipeline. The pipeline itself is run by `dvc repro` and `dvc exp run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_debug = False


@app.callback()
def _options(debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False) -> None:
    global _debug
    _debug = debug


def _sentences(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise  # what typer itself makes an exit code or a sentence of
        except Exception as e:
            if _debug:
                raise
            say(f"error: {format_error(e)}")
            sys.exit(1)
        except KeyboardInterrupt:
            say("interrupted")
            sys.exit(130)

    return wrapped


def _with_sentences(commands: typer.Typer) -> typer.Typer:
    """A copy of a command's subcommands whose errors are sentences; the original stays as it is."""
    copied = copy.copy(commands)
    copied.registered_commands = [copy.copy(info) for info in commands.registered_commands]
    for info in copied.registered_commands:
        if info.callback is not None:
            info.callback = _sentences(info.callback)
    return copied


def _register() -> None:
    for path in sorted(FOLDER.glob("*.py")):
        if path.stem.startswith("_"):
            continue
        module = importlib.import_module(f"cleanplate.commands.{path.stem}")
        if hasattr(module, "app"):  # a command with subcommands
            app.add_typer(_with_sentences(module.app), name=path.stem, help=module.__doc__)
        else:
            app.command(name=path.stem, help=module.__doc__)(_sentences(module.main))


_register()
