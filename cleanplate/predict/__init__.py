"""Answers about new photos, from an exported folder: `Model.load(OUT)(image)`.

Needs numpy, OpenCV, Pillow, simplejpeg and OpenVINO or onnxruntime; no DVC, torch, pandas or timm.

    from cleanplate.predict import Model

    model = Model.load("OUT")
    for person in model(image):  # uint8 [H, W, 3] RGB, upright
        print(person.mask, person.gender, person.age_group, person.probabilities.max())
"""

from pipeline.detect import arithmetic

arithmetic.without_numba()  # before anything of pipeline.detect is imported: numba takes two seconds

# E402: imports that must come after the call above
from cleanplate.predict.model import Model  # noqa: E402
from cleanplate.predict.person import Person, View  # noqa: E402

__all__ = ["Model", "Person", "View"]
