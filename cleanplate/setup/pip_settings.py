"""pip's own settings (indexes, find-links, certificate), handed on to uv, which reads none of them.

The lock names no package index, so where packages come from is the machine's business: whoever has told pip
about a mirror or a folder of wheels need not say it again.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

# pip's option, uv's flag, and the variable by which a user has already told uv
_PLACES = (
    ("index-url", "--default-index", "UV_DEFAULT_INDEX"),
    ("find-links", "--find-links", "UV_FIND_LINKS"),
    ("trusted-host", "--allow-insecure-host", "UV_INSECURE_HOST"),
    ("extra-index-url", "--index", "UV_INDEX"),
)
_ENVIRONMENT = (
    ("cert", "SSL_CERT_FILE"),
    ("default-timeout", "UV_HTTP_TIMEOUT"),
    ("timeout", "UV_HTTP_TIMEOUT"),
)


def read(python: str) -> dict[str, str]:
    """What `pip config list` says, the environment before `[install]` before `[global]`."""
    listing = subprocess.run(
        [python, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=False
    ).stdout
    ranked: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in ranked:
            ranked[section][option] = str(ast.literal_eval(value))
    return {**ranked["global"], **ranked["install"], **ranked[":env:"]}


def uv_arguments(settings: dict[str, str], extra_indexes: bool = True) -> list[str]:
    """uv's flags for the places that pip knows; those that a UV_ variable names already are left to it."""
    arguments: list[str] = []
    for option, flag, variable in _PLACES:
        if os.environ.get(variable) or (option == "extra-index-url" and not extra_indexes):
            continue
        for place in settings.get(option, "").split():
            if option == "find-links" and "://" not in place and not Path(place).expanduser().exists():
                print(f"setup: pip's find-links names {place}: not there, left out", file=sys.stderr)
                continue
            arguments += [flag, place]
    if settings.get("no-index", "").lower() in ("1", "true", "yes", "on"):
        arguments.append("--no-index")
    # pip takes the best version from all its indexes; every file is pinned by hash, so that is safe here
    return [*arguments, "--index-strategy", "unsafe-best-match"]


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment with pip's certificate and time limit added where uv has none yet."""
    environment = dict(os.environ)
    for option, variable in _ENVIRONMENT:
        if settings.get(option):
            environment.setdefault(variable, settings[option])
    return environment
