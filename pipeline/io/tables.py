"""Tables on disk: parquet between stages, CSV for people."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.io.atomic import atomic_file
from pipeline.io.formula import begins_formula
from pipeline.runtime.errors import UserError


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Writes parquet, byte-identical for equal tables: no index, no pandas metadata, one compression."""
    arrow = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    with atomic_file(path) as part:
        pq.write_table(arrow, part, compression="zstd", store_schema=False)


def read_table(path: Path, stage: str, columns: Iterable[str] = ()) -> pd.DataFrame:
    """Reads a parquet table that `stage` wrote: `columns` of it, or all.

    Raises:
        UserError: missing, unreadable or cut off, or without one of `columns`.
    """
    if not path.is_file():
        raise UserError("an input table is missing", where=path, fix=f"run `dvc repro {stage}`")
    wanted = list(columns)
    try:
        known = pq.read_schema(path).names
        table = pq.read_table(path, columns=[c for c in wanted if c in known] or None).to_pandas()
    except (pa.ArrowException, OSError, ValueError) as e:
        fix = f"run `dvc checkout --force` or `dvc repro --force {stage}`"
        raise UserError("an input table cannot be read", where=path, got=str(e), fix=fix) from e
    missing = [c for c in wanted if c not in known]
    if missing:
        raise UserError(
            "an input table lacks columns",
            where=path,
            got=", ".join(known),
            allowed=f"with {', '.join(missing)}",
            fix=f"run `dvc repro --force {stage}`",
        )
    return table


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes CSV for people: UTF-8, `\\n`, header, no index.

    A text cell that a spreadsheet would run as a formula (starts with = + - @, possibly after spaces, or with
    tab or return) gets a leading apostrophe, as OWASP advises; numbers stay unchanged.
    """
    safe = table.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column]):
            safe[column] = pd.Series([_no_formula(v) for v in safe[column]], index=safe.index, dtype=object)
    with atomic_file(path) as part:
        safe.to_csv(part, index=False, lineterminator="\n", encoding="utf-8", errors="backslashreplace")


def _no_formula(value: object) -> object:
    if isinstance(value, str) and begins_formula(value):
        return "'" + value
    return value
