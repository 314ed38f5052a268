"""What computes beside the networks: numba, or numpy alone.

numba is faster, and takes two seconds to import; programs that answer a few photos start without it. The
results are the same bits (tests/detect/test_arithmetic.py).
"""

from __future__ import annotations

_numba = True


def without_numba() -> None:
    """Keeps detectors that are imported from now on from importing numba; others keep it."""
    global _numba
    _numba = False


def uses_numba() -> bool:
    """Whether detectors that are imported now use numba."""
    return _numba
