"""The `cleanplate` command: lists its commands, and imports the one that is called."""

from __future__ import annotations

import copy
import functools
import importlib
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from cleanplate.commands import HELP
from pipeline.runtime.deferred_dynamo import defer_dynamo
from pipeline.runtime.errors import format_error
from pipeline.runtime.process import configure_threads
from pipeline.runtime.progress import say
from pipeline.runtime.terminal import print_in_any_encoding

_debug = False


class Commands(TyperGroup):
    """Lists the commands with one line of help; imports a command's module only when it is called."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        given = list(args[0] if args and args[0] is not None else sys.argv[1:])
        debug = given[:1] == ["--debug"]
        if given[debug : debug + 1] == ["predict"]:
            sys.exit(_imported_predict(given[:debug] + given[debug + 1 :]))
        configure_threads()
        defer_dynamo()
        print_in_any_encoding()
        return super().main(*args, **kwargs)

    def list_commands(self, ctx: Any) -> list[str]:
        return list(HELP)

    def get_command(self, ctx: Any, cmd_name: str) -> TyperCommand | None:
        return TyperCommand(cmd_name, help=HELP[cmd_name]) if cmd_name in HELP else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _imported(name) if name in HELP else command, rest


app = typer.Typer(
    name="cleanplate",
    cls=Commands,
    help="Tools around the pipeline, which itself is run by `dvc repro` and `dvc exp run`. For photos of "
    "your own first `cleanplate init photos --data FOLDER`, then `cleanplate check`, then `dvc repro`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


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
            raise  # typer handles these itself
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
    """A copy of a command's subcommands that prints errors without tracebacks."""
    copied = copy.copy(commands)
    copied.registered_callback = copy.copy(commands.registered_callback)
    if copied.registered_callback and copied.registered_callback.callback:
        copied.registered_callback.callback = _sentences(copied.registered_callback.callback)
    copied.registered_commands = [copy.copy(info) for info in commands.registered_commands]
    for info in copied.registered_commands:
        if info.callback is not None:
            info.callback = _sentences(info.callback)
    return copied


def _imported_predict(arguments: list[str]) -> int:
    """Runs `predict`, the one command that parses its arguments itself."""
    from cleanplate.commands import predict

    return predict.main(arguments)


def _imported(name: str) -> Any:
    """The typer command `name`; its module has either `main`, or `app` with subcommands."""
    module = importlib.import_module(f"cleanplate.commands.{name}")
    alone = typer.Typer()
    alone.callback()(lambda: None)
    text = escape(module.__doc__ or "")  # `cleanplate[predict]` is no markup
    if hasattr(module, "app"):
        alone.add_typer(_with_sentences(module.app), name=name, help=text)
    else:
        alone.command(name=name, help=text)(_sentences(module.main))
    return get_group(alone).commands[name]
