"""Answers who is in a photo: mask, gender, age group of each person, by an exported model."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Runs the command, which parses its arguments itself: it needs no typer. Returns the exit code."""
    from cleanplate.predict.command import main as run

    return run(arguments)
