"""What every file in pipeline/faces/methods/ promises, and what each says about real faces."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.faces.alignment import cut_face, similarity, square_matrix
from pipeline.faces.numbers import Face, FaceNumbers, from_row, to_row
from pipeline.io.photo import read_photo
from pipeline.params.preparation import DlibParams, FacenetParams, FaceresParams, Faces
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin, plugin_names
from tests.conftest import ROOT

NAMES = plugin_names("faces.methods")
COLUMNS = {"faceres": 1024, "dlib": 128, "facenet": 512}
PEOPLE = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root whose .cache holds the converted networks of the module."""
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def faces(test_data: Path, root: Path) -> list[Face]:
    """Of four people the bare photo and that with a wrong mask, boxes and landmarks by RetinaFace."""
    from pipeline.detect.methods import retinaface
    from pipeline.params.preparation import Detect

    detect = retinaface.create(Detect(method="retinaface"), root)
    people = sorted((test_data / "realset" / "train" / "images").iterdir())[:PEOPLE]
    photos = [read_photo(person / name) for person in people for name in ("normal.jpg", "incorrect_mask.jpg")]
    found = [one for one in detect(photos) if one is not None]
    assert len(found) == len(photos)
    return [Face(photo, one.box, one.landmarks) for photo, one in zip(photos, found, strict=True)]


@pytest.fixture(scope="module")
def facenet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """InceptionResnetV1 with random numbers: the true ones come with no package."""
    import torch
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1
    from safetensors.torch import save_file

    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("facenet") / "random.safetensors"
    save_file(InceptionResnetV1(pretrained=None).state_dict(), place)
    return place


def section(name: str, request: pytest.FixtureRequest) -> Faces:
    if name == "faceres":
        place = request.getfixturevalue("test_data").parent / "weights" / "faceres.json"
        return Faces(network=name, faceres=FaceresParams(weights=str(place)))
    if name == "facenet":
        place = request.getfixturevalue("facenet_weights")
        return Faces(network=name, facenet=FacenetParams(weights=str(place)))
    return Faces(network=name)


def looked(name: str, request: pytest.FixtureRequest, root: Path, faces: list[Face]) -> list[FaceNumbers]:
    module, params = load_plugin("faces.methods", name), section(name, request)
    module.prepare(params, root)
    return module.create(params, root)(faces)


@pytest.mark.parametrize("name", NAMES)
def test_every_network_keeps_the_contract(
    name: str, root: Path, faces: list[Face], request: pytest.FixtureRequest
) -> None:
    module, params = load_plugin("faces.methods", name), section(name, request)
    identity = module.identity(params, root)
    assert json.loads(json.dumps(identity)) == identity
    assert identity["version"] == module.VERSION
    assert {"backend", "precision"} <= set(identity)
    assert module.weight_names(params)
    module.prepare(params, root)
    look = module.create(params, root)
    assert look([]) == []
    photo = np.full((90, 70, 3), 128, dtype=np.uint8)
    boxes = ((0, 0, 70, 90), (30, 30, 30, 30), (60, 0, 70, 90))
    odd = [Face(photo, np.array(box, np.float32)) for box in boxes]
    together = look([*odd, *faces[:2]])
    for face, numbers in zip([*odd, *faces[:2]], together, strict=True):
        assert numbers.embedding.shape == (COLUMNS[name],)
        assert numbers.embedding.dtype == np.float32
        assert np.isfinite(numbers.embedding).all()
        assert to_row(look([face])[0]) == to_row(numbers)
        assert np.isnan(numbers.male) or 0 <= numbers.male <= 1
    assert not np.array_equal(together[-1].embedding, together[-2].embedding)


@pytest.mark.parametrize("name", NAMES)
def test_importing_a_network_is_light(name: str) -> None:
    heavy = "any(m in sys.modules for m in ('torch', 'openvino', 'dlib', 'facenet_pytorch'))"
    code = f"import sys, pipeline.faces.methods.{name}; sys.exit({heavy})"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_faceres_computes_what_another_reader_of_its_files_computes(
    test_data: Path, root: Path, faces: list[Face], request: pytest.FixtureRequest
) -> None:
    import torch

    from pipeline.faces.faceres.openvino_net import MEAN_BGR, FaceresNet
    from pipeline.faces.methods import faceres

    tool = test_data.parent / "tools" / "tfjs_graph.py"
    spec = importlib.util.spec_from_file_location("tfjs_graph", tool)
    assert spec
    assert spec.loader
    reader: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    params = section("faceres", request)
    reference = reader.Net(params.faceres.weights)
    network = FaceresNet(faceres._graph(params, root))
    for face in faces[:2]:
        cut = cut_face(face.photo, square_matrix(face.box, 224), 224)
        pixels = torch.from_numpy(cut[None, :, :, ::-1].astype(np.float32) - MEAN_BGR)
        truth = reference(pixels, ["gender_pred/Sigmoid", "age_pred/Softmax", "global_pooling/Mean"])
        for ours, theirs in zip(network.outputs(cut), truth, strict=True):
            np.testing.assert_allclose(ours, theirs[0].numpy().squeeze(), atol=1e-4)


def test_faceres_knows_gender_and_age_of_bare_faces(
    root: Path, faces: list[Face], request: pytest.FixtureRequest, test_data: Path
) -> None:
    people = sorted((test_data / "realset" / "train" / "images").iterdir())[:PEOPLE]
    for person, numbers in zip(people, looked("faceres", request, root, faces[::2]), strict=True):
        _, gender, _, age = person.name.split("_")
        assert (numbers.male > 0.6) == (gender == "male"), person.name
        assert abs(numbers.age - int(age)) < 20, person.name


def test_dlib_sees_a_person_with_a_mask_as_nearer_than_other_people(
    root: Path, faces: list[Face], request: pytest.FixtureRequest
) -> None:
    points = np.stack([n.embedding for n in looked("dlib", request, root, faces)])
    distances = np.linalg.norm(points[::2, None] - points[None, 1::2], axis=2)
    assert (distances.argmin(axis=1) == np.arange(PEOPLE)).all()


def test_dlib_is_shown_the_chip_that_dlib_itself_would_cut(
    root: Path, faces: list[Face], request: pytest.FixtureRequest
) -> None:
    import dlib

    from pipeline.faces.methods.dlib import chip
    from pipeline.networks.weights import resolve

    predictor = dlib.shape_predictor(str(resolve("shape_predictor_5_face_landmarks.dat", root)))
    network = dlib.face_recognition_model_v1(str(resolve(DlibParams().weights, root)))
    for face in faces[::2]:
        box = dlib.rectangle(*(int(v) for v in face.box))
        theirs = dlib.get_face_chip(face.photo, predictor(face.photo, box), size=150, padding=0.25)
        own = [np.array(network.compute_face_descriptor(c)) for c in (chip(face), theirs)]
        assert np.linalg.norm(own[0] - own[1]) < 0.3  # two people lie .6 apart


def test_facenet_on_openvino_computes_what_torch_computes(
    root: Path, faces: list[Face], request: pytest.FixtureRequest, facenet_weights: Path
) -> None:
    import torch
    from facenet_pytorch.models.inception_resnet_v1 import InceptionResnetV1
    from safetensors.torch import load_file

    from pipeline.faces.methods.facenet import chip

    net = InceptionResnetV1(pretrained=None).eval()
    net.load_state_dict(load_file(facenet_weights))
    pixels = torch.from_numpy((chip(faces[0]).astype(np.float32) - 127.5) / 128).permute(2, 0, 1)[None]
    with torch.inference_mode():
        truth = net(pixels)[0].numpy()
    (numbers,) = looked("facenet", request, root, faces[:1])
    np.testing.assert_allclose(numbers.embedding, truth, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_other_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_bytes(b"{}")
    wrong.with_suffix(".bin").write_bytes(b"")
    params = Faces.model_validate({"network": name, name: {"weights": str(wrong)}})
    module = load_plugin("faces.methods", name)
    load = module.create if name == "dlib" else module.prepare
    with pytest.raises(UserError) as e:
        load(params, tmp_path)
    assert str(wrong) in str(e.value)
    assert f"faces.{name}.weights" in str(e.value) or name == "facenet"


def test_a_turned_face_is_cut_upright_at_any_size() -> None:
    points = np.array([[30.0, 40], [70, 40], [50, 60], [36, 78], [64, 78]])
    turn = np.array([[0.0, -3], [3, 0]])  # a quarter turn, three times as large
    matrix = similarity(points @ turn.T + [500, 100], points)
    np.testing.assert_allclose(matrix[:, :2] @ turn, np.eye(2), atol=1e-9)
    fine = np.zeros((1200, 1200, 3), dtype=np.uint8)
    fine[:, ::3] = 255  # stripes of one pixel: where pixels are skipped, some are seen and others not
    cut = cut_face(fine, square_matrix(np.array([100, 100, 1100, 1100]), 100), 100)
    assert np.ptp(cut) < 40
    ramp = np.tile(np.linspace(0, 255, 1200, dtype=np.float32)[None, :, None], (1200, 1, 3)).astype(np.uint8)
    small = cut_face(ramp, square_matrix(np.array([0, 0, 1200, 1200]), 120), 120)
    np.testing.assert_allclose(small[60, :, 0], np.arange(120) * 10 * 255 / 1199, atol=1.5)


def test_numbers_survive_the_cache() -> None:
    embedding = np.array([0.1, -3e-9, 7], dtype=np.float32)
    whole = from_row(json.loads(json.dumps(to_row(FaceNumbers(embedding, 0.25)))))
    assert whole.embedding.tolist() == embedding.tolist()
    assert whole.male == 0.25
    assert np.isnan(whole.age)
