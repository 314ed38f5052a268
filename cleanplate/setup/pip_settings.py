"""Passes pip's settings (indexes, find-links, certificate) on to uv, which does not read them.

The lock names no package index, so packages come from the mirrors and folders configured for pip.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

# pip's option, uv's flag, and uv's environment variable
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
    """Output of `pip config list`; the environment overrides `[install]`, which overrides `[global]`."""
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
    """uv's flags for pip's settings, except those set by a UV_ variable."""
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
    # like pip, take the best version from all indexes; safe because hashes pin every file
    return [*arguments, "--index-strategy", "unsafe-best-match"]


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment with pip's certificate and timeout, unless uv's are set."""
    environment = dict(os.environ)
    for option, variable in _ENVIRONMENT:
        if settings.get(option):
            environment.setdefault(variable, settings[option])
    return environment
