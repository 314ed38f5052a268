"""Names of timm's models: current ones, deprecated ones, and those of the model hub."""

from __future__ import annotations

import re

from pipeline.runtime.errors import UserError, nearest

HUB = re.compile(r"^(hf[-_]hub:|https?://(www\.)?(huggingface\.co|hf\.co)/)", re.IGNORECASE)


def timm_name(name: str, where: str = "train.model") -> str:
    """timm's current name of the model `name`, tag included: `resnet18`, `vit_base_patch16_224.augreg_in21k`.

    Args:
        name: a name of timm's; an old one, which timm maps to a new one; or the place of a model of timm's on
            the hub (`timm/resnet18.a1_in1k`, `hf-hub:timm/…`). Other people's models there are refused: what
            they are, and how they want their pictures, is up to what the hub says on the day.
        where: the param, for the error.

    Raises:
        UserError: timm has no such model, or no such weights of it; names what looks like it.
    """
    import timm
    from timm.models import get_pretrained_cfg

    bare_name = _without_hub(name)
    current_name = _current_name(bare_name, where)
    base, _, tag = current_name.partition(".")
    if "/" in current_name or ":" in current_name or not timm.is_model(base):
        raise _unknown(name, bare_name, where)
    try:
        get_pretrained_cfg(current_name)
    except RuntimeError as e:
        tags = _tagged_names(base)
        close = nearest(current_name, tags)
        raise UserError(
            f"timm has no weights `{tag}` of `{base}`",
            where=where,
            got=name,
            allowed=[base, *tags],
            fix=f"did you mean `{close}`?" if close else "leave the tag out",
        ) from e
    return current_name


def _without_hub(name: str) -> str:
    """`name` without the words that say that timm's model is fetched from the hub."""
    place = HUB.sub("", name).rstrip("/")
    if place.startswith("timm/"):
        return place.removeprefix("timm/")
    if "/" not in place:
        return name
    from timm.models import get_pretrained_cfg, list_models

    owners = [m for m in list_models(pretrained=True) if _hub_place(get_pretrained_cfg(m)) == place]
    return owners[0] if len(owners) == 1 else name


def _hub_place(config: object) -> str | None:
    return getattr(config, "hf_hub_id", None)


def _current_name(name: str, where: str) -> str:
    """The name that timm maps an old one to."""
    from timm.models import get_deprecated_models

    old = get_deprecated_models()
    base, dot, tag = name.partition(".")
    if base not in old:
        return name
    current = old[base]
    if current is None:
        raise UserError(f"timm has taken `{base}` away", where=where, got=name, fix="choose another model")
    return current.partition(".")[0] + dot + tag if tag else current


def _unknown(name: str, bare_name: str, where: str) -> UserError:
    import timm
    from timm.models import get_deprecated_models

    models = timm.list_models()
    base = bare_name.rpartition("/")[2].partition(".")[0].lower()
    close = nearest(base, [*models, *get_deprecated_models()])
    alike = [m for m in models if m.startswith(base.split("_")[0].rstrip("0123456789"))][:12]
    return UserError(
        f"timm has no model `{name}`",
        where=where,
        got=name,
        allowed=", ".join(alike) + ", …" if alike else "any of timm.list_models(), timm/NAME on the hub too",
        fix=f"did you mean `{close}`?" if close else "choose another model",
    )


def _tagged_names(base: str) -> list[str]:
    """The names, with tag, of the weights that timm has for a model."""
    from timm.models import list_models

    return [m for m in list_models(f"{base}.*", include_tags=True) if m.startswith(f"{base}.")]
