"""All checks of `verify` and `doctor` in one go."""

from __future__ import annotations

import os
from pathlib import Path

from cleanplate.integrity.dvc_records import require_repository
from cleanplate.integrity.inputs import check_items, check_photos, check_weights
from cleanplate.integrity.outputs import Findings, check_cache_and_outputs
from pipeline.params import load_params


def survey(root: Path, params: Path) -> Findings:
    """Everything that is hashed, with all damage, by path.

    Raises:
        UserError: not the project's folder, or a record that cannot be read.
    """
    require_repository(root)
    main = Path(os.environ.get("DVC_ROOT", root))
    data = Path(load_params(params).data.root)
    parts = [
        check_cache_and_outputs(root),
        check_weights(main, root / "weights.lock"),
        check_photos(root, data),
        check_items(main / ".cache" / "items"),
    ]
    damage = {(d.what, d.path): d for part in parts for d in part.damage}
    return Findings(
        sorted(damage.values(), key=lambda d: str(d.path)),
        sum(p.files for p in parts),
        sum(p.bytes for p in parts),
    )
