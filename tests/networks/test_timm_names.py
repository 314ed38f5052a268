"""Names of models as people write them, and the normalisation that goes with each."""

from __future__ import annotations

import pytest

from pipeline.networks.timm_names import timm_name
from pipeline.params.learning import Train
from pipeline.runtime.errors import UserError

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
NAMES = {
    "resnet18": ("resnet18", IMAGENET),
    "resnet18.a1_in1k": ("resnet18.a1_in1k", IMAGENET),
    "vit_base_patch16_224_in21k": ("vit_base_patch16_224.augreg_in21k", HALF),
    "tf_efficientnet_b4_ns": ("tf_efficientnet_b4.ns_jft_in1k", IMAGENET),
    "tf_efficientnet_b0_ap": ("tf_efficientnet_b0.ap_in1k", HALF),
    "resnetv2_50x1_bitm_in21k": ("resnetv2_50x1_bit.goog_in21k", HALF),
    "tf_efficientnet_b4_ns.aa_in1k": ("tf_efficientnet_b4.aa_in1k", IMAGENET),
    "timm/resnet18.a1_in1k": ("resnet18.a1_in1k", IMAGENET),
    "timm/resnet18": ("resnet18", IMAGENET),
    "hf-hub:timm/vit_base_patch16_224.augreg_in21k": ("vit_base_patch16_224.augreg_in21k", HALF),
    "hf_hub:timm/mobilenetv3_large_100.ra_in1k": ("mobilenetv3_large_100.ra_in1k", IMAGENET),
    "https://huggingface.co/timm/resnet18.a1_in1k": ("resnet18.a1_in1k", IMAGENET),
    "timm/vit_base_patch16_224_in21k": ("vit_base_patch16_224.augreg_in21k", HALF),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_name_that_timm_resolves_decides(name: str) -> None:
    from pipeline.train.config import resolve_config

    today, scale = NAMES[name]
    assert timm_name(name) == today
    config = resolve_config(Train(model=name))
    assert (config.mean, config.std) == scale


def test_every_old_name_is_one_of_today_or_refused() -> None:
    from timm.models import get_deprecated_models, get_pretrained_cfg, is_model

    refused = []
    for old, today in get_deprecated_models().items():
        try:
            name = timm_name(old)
        except UserError:
            refused.append(old)
            continue
        assert is_model(name)
        assert get_pretrained_cfg(name) == get_pretrained_cfg(str(today))
    # timm has taken these away, or maps them to weights that it does not have
    assert len(refused) < 20, refused
    for old in refused:
        with pytest.raises(UserError, match=r"taken|did you mean"):
            timm_name(old)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("resnet81", "did you mean `resnet18`"),
        ("timm/resnet81.a1_in1k", "did you mean `resnet18`"),
        ("vit_base_patch16_224_in21kk", "did you mean `vit_base_patch16_224_in21k`"),
        ("resnet18.a1_in2k", "did you mean `resnet18.a1_in1k`"),
        ("timm/resnet18.a1_in1k@main", "did you mean `resnet18.a1_in1k`"),
        ("hf-hub:stranger/resnet18", "timm has no model `hf-hub:stranger/resnet18`"),
    ],
)
def test_other_names_are_refused_with_what_looks_like_them(name: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        timm_name(name)
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["hf-hub:timm/test_resnet.r160_in1k", "mobilenetv2_100", "ssl_resnet18"])
def test_a_network_is_made_by_any_of_its_names(name: str) -> None:
    from pipeline.train.config import resolve_config
    from pipeline.train.network import make_classifier

    params = Train(model=name, size=64)
    today = params.model_copy(update={"model": timm_name(name)})
    shapes = [
        {k: v.shape for k, v in make_classifier(resolve_config(p)).state_dict().items()}
        for p in (params, today)
    ]
    assert shapes[0] == shapes[1]


def test_encoders_are_asked_of_smp() -> None:
    from pipeline.segment.unet.architecture import encoder_name

    assert encoder_name("resnet18") == "resnet18"
    assert encoder_name("timm-efficientnet-b3") == "timm-efficientnet-b3"
    assert encoder_name("tu-timm/resnet18.a1_in1k") == "tu-resnet18.a1_in1k"
    assert encoder_name("tu-ssl_resnet18").startswith("tu-resnet18.fb_ssl")
    for name, close in {
        "resnet81": "resnet18",
        "resnet10t": "tu-resnet10t",
        "tu-resnet81": "resnet18",
    }.items():
        with pytest.raises(UserError, match=f"did you mean `{close}`"):
            encoder_name(name)
