"""The model as an artifact of its own, and as a service that is asked over HTTP."""

import base64
import io
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
import uvicorn
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.pyfunc import scoring_server
from PIL import Image

from car_segmentation.core import processor
from car_segmentation.data.images import read_photo
from car_segmentation.networks.bilinear_upsampling import BilinearKernel, EdgePadding
from car_segmentation.networks.max_unpooling import MaxPoolingWithPositions, Unpooling
from car_segmentation.prediction.segmenter import Segmenter
from car_segmentation.serving import ServedModel
from car_segmentation.serving import packaging as saving
from car_segmentation.serving.app import build_app
from car_segmentation.serving.live_model import LiveModel
from car_segmentation.serving.mask_model import MAX_PHOTOS, MaskModel, Refused
from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.request_limits import ServiceLimits
from tests.support.photos import disc_mask, photo_of

HEIGHT, WIDTH = 16, 24
THRESHOLD = 0.5

LOAD_ELSEWHERE = """
import json, sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "car_segmentation":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NotInstalled())
import mlflow, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
photo = open(sys.argv[2], "rb").read()
answer = model.predict(pandas.DataFrame({"photo": [photo, photo]}))
open(sys.argv[3], "wb").write(answer["mask"][1])
print(json.dumps(answer.drop(columns="mask").to_dict("records")))
"""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Every layer of our own; red where the photo has more of it than of green."""
    photo = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    x = keras.ops.cast(photo, "float32") / 255
    x = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", name="redness")(x)
    pooled, positions = MaxPoolingWithPositions()(x)
    x = x + Unpooling()((pooled, positions)) * 0.1
    x = keras.layers.AveragePooling2D(2)(x)
    x = EdgePadding()(x)
    x = keras.layers.Conv2DTranspose(
        1, 4, 2, padding="same", use_bias=False, kernel_initializer=BilinearKernel()
    )(x)
    x = keras.layers.Cropping2D(2)(x)
    model = keras.Model(photo, keras.layers.Activation("sigmoid")(x))
    redness = np.array([20.0, -20.0, 0.0], np.float32).reshape(1, 1, 3, 1)
    model.get_layer("redness").set_weights([redness, np.array([-4.0], np.float32)])
    return model


@pytest.fixture(scope="module")
def saved(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact."""
    path = tmp_path_factory.mktemp("served") / "model"
    example = photo_of(disc_mask(HEIGHT, WIDTH, 5))
    saving.save_model(str(path), ServedModel(network, THRESHOLD, 1.0, example), Model())
    return path


def jpeg(photo: np.ndarray | None = None, **options: Any) -> bytes:
    photo = photo_of(disc_mask()) if photo is None else photo
    content = io.BytesIO()
    Image.fromarray(photo).save(content, "JPEG", quality=95, **options)
    return content.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that says that it is huge, and has nothing in it."""
    content = io.BytesIO()
    Image.new("L", (1, 1)).save(content, "PNG")
    header = bytearray(content.getvalue())
    header[16:24] = width.to_bytes(4) + height.to_bytes(4)
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4)
    return bytes(header)


def expected_mask(network: keras.Model, path: Path) -> np.ndarray:
    """What the project's own functions make of a photo."""
    return Segmenter(network, THRESHOLD).mask(read_photo(path))


@pytest.mark.slow
def test_it_is_loaded_where_the_project_is_not_installed(
    saved: Path, network: keras.Model, tmp_path: Path
) -> None:
    photo, mask = tmp_path / "photo.jpg", tmp_path / "mask.png"
    photo.write_bytes(jpeg())
    run = subprocess.run(
        [sys.executable, "-I", "-c", LOAD_ELSEWHERE, str(saved), str(photo), str(mask)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    values = cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)
    expected = expected_mask(network, photo)
    assert 0 < expected.mean() < 1
    assert np.array_equal(values, expected * np.uint8(255))
    answers = json.loads(run.stdout.splitlines()[-1])
    height, width = expected.shape
    share = pytest.approx(expected.mean())
    assert answers == [{"height": height, "width": width, "foreground_share": share}] * 2


def test_the_artifact_holds_no_pickle_and_says_what_it_takes(saved: Path) -> None:
    assert not [path for path in saved.rglob("*") if path.suffix in {".pkl", ".pickle"}]
    shipped = sorted(path.name for path in (saved / "code").glob("*.py"))
    read, layers = ["image_files.py"], ["bilinear_upsampling.py", "max_unpooling.py"]
    assert shipped == sorted([*read, *layers, "folding.py", "precision.py", "processor.py"])
    model = Model.load(str(saved))
    assert model.flavors["python_function"]["config"]["threshold"] == THRESHOLD
    assert [column.name for column in model.signature.inputs] == ["photo"]
    assert model.saved_input_example_info is not None
    assert "keras==" in (saved / "requirements.txt").read_text()


def test_the_network_alone_is_a_flavour_of_it(saved: Path, network: keras.Model) -> None:
    photos = np.zeros((2, HEIGHT, WIDTH, 3), np.uint8)
    alone = mlflow.keras.load_model(str(saved))
    assert np.allclose(alone.predict_on_batch(photos), network.predict_on_batch(photos))


@pytest.mark.parametrize(("limit", "computes_in"), [("AVX2", "float32"), ("ALL", "bfloat16")])
def test_bfloat16_is_for_processors_that_multiply_it(
    limit: str, computes_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = keras.Input((HEIGHT, WIDTH, 3), dtype="uint8")
    convolution = keras.layers.Conv2D(1, 1, dtype="mixed_bfloat16", name="convolution")
    network = keras.Model(photo, convolution(keras.ops.cast(photo, "float32")))
    network.save(tmp_path / "network.keras")
    config = {"threshold": 0.5, "max_megapixels": 1, "max_megabytes": 1, "layers": []}
    context = SimpleNamespace(
        model_config=config, artifacts={"network": str(tmp_path / "network.keras")}
    )
    monkeypatch.setattr(processor, "_processor_flags", lambda: frozenset({"avx512_bf16"}))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    served = MaskModel()
    served.load_context(context)
    assert served._network.get_layer("convolution").compute_dtype == computes_in


@pytest.fixture
def reader() -> MaskModel:
    """A model that reads photos, and has no network."""
    model = MaskModel()
    model._max_megapixels, model._max_megabytes = 1, 1
    return model


def _saved_as(extension: str, mode: str, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        content = io.BytesIO()
        image = Image.fromarray(photo_of(disc_mask())).convert(mode)
        image.save(content, extension, **options)
        return content.getvalue()

    return make


def _sideways() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(exif=exif)


def _16_bits() -> bytes:
    grey = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 20
    return bytes(cv2.imencode(".png", grey)[1].tobytes())


@pytest.mark.parametrize(
    "make",
    [
        jpeg,
        _sideways,
        _16_bits,
        _saved_as("JPEG", "L"),
        _saved_as("JPEG", "CMYK"),
        _saved_as("PNG", "RGBA"),
        _saved_as("PNG", "P"),
        _saved_as("PNG", "1"),
        _saved_as("WEBP", "RGB"),
        _saved_as("TIFF", "RGB", compression="tiff_lzw"),
        _saved_as("BMP", "RGB"),
    ],
)
def test_photos_are_read_as_the_project_reads_them(
    reader: MaskModel, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    path = tmp_path / "photo"
    path.write_bytes(make())
    assert np.array_equal(reader._read(path.read_bytes()), read_photo(path))


REFUSED = {
    "is empty": b"",
    "is not an image": b"\x89PNG but not quite",
    "is not an image of": _saved_as("PPM", "RGB")(),
    "is truncated": jpeg()[:-400],
    "is truncated or damaged": png_header(999, 999),
    "is too large: 60000×60000 is 3600 megapixels (at most 1": png_header(60000, 60000),
    "is too large: 1.2 megabytes (at most 1)": jpeg() + bytes(1_200_000),
    "is not bytes": "text",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_photo_that_is_none_is_refused_with_the_reason(reader: MaskModel, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        reader._read(REFUSED[reason])
    assert str(refusal.value).startswith(reason)


@pytest.mark.parametrize("rows", [0, MAX_PHOTOS + 1])
def test_a_request_has_some_photos_and_not_too_many(reader: MaskModel, rows: int) -> None:
    with pytest.raises(MlflowException, match=f"takes 1 to {MAX_PHOTOS} photos, not") as error:
        reader.predict(None, pd.DataFrame({"photo": [jpeg()] * rows}))
    assert error.value.get_http_status_code() == 400


def test_a_defect_is_not_shown_to_the_caller(
    reader: MaskModel, capsys: pytest.CaptureFixture[str]
) -> None:
    reader._places = threading.BoundedSemaphore(1)
    del reader._max_megabytes
    with pytest.raises(MlflowException, match=r"^Photo 0 cannot be read\.$"):
        reader.predict(None, pd.DataFrame({"photo": [jpeg()]}))
    assert "_max_megabytes" in capsys.readouterr().err


@pytest.fixture(scope="module", params=["mlflow", "guarded"])
def server(saved: Path, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Address of MLflow's own server, and of ours around it."""
    if request.param == "mlflow":
        app = scoring_server.init(mlflow.pyfunc.load_model(str(saved)))
    else:
        metrics = Metrics()
        limits = ServiceLimits(body_megabytes=2, megapixels=1, photo_megabytes=32)
        app = build_app(LiveModel(str(saved), metrics), metrics, limits)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield request.param, f"http://127.0.0.1:{port}/invocations"
    server.should_exit = True
    thread.join()


def ask(address: str, body: Any, content_type: str | None = "application/json") -> tuple[int, str]:
    """Status and text of the answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {} if content_type is None else {"Content-Type": content_type}
    request = urllib.request.Request(address, content, headers)
    if content_type is None:  # urllib would say that it is a form.
        request.add_unredirected_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def of(*photos: Any, column: str = "photo") -> dict[str, Any]:
    """A request's body."""
    texts = [base64.b64encode(p).decode() if isinstance(p, bytes) else p for p in photos]
    return {"dataframe_split": {"columns": [column], "data": [[text] for text in texts]}}


HOSTILE: dict[str, Any] = {
    "no base64": of("*** no base64 ***"),
    "a number": of(5),
    "nothing": of(None),
    "a list": of([1, 2]),
    "no image": of(b"GIF89a, or so it says"),
    "truncated": of(jpeg()[:500]),
    "huge by its header": of(png_header(65535, 65535)),
    "one of two": of(jpeg(), b"no image"),
    "another column": of(jpeg(), column="image"),
    "no photos": {"dataframe_split": {"columns": ["photo"], "data": []}},
    "no table": {"dataframe_split": 7},
    "ragged": {"dataframe_split": {"columns": ["photo"], "data": [["a", "b"], []]}},
    "unknown key": {"photo": "x"},
    "a tensor": {"inputs": [[1.0]]},
    "instances": {"instances": "x"},
    "a chat": {"messages": [{"role": "user", "content": "hello"}]},
    "no object": [1],
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dataframe_split", "dataframe_records"])
def test_a_photo_is_answered_with_its_mask(
    server: tuple[str, str], network: keras.Model, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg())
    text = base64.b64encode(path.read_bytes()).decode()
    body = {
        "dataframe_split": {"columns": ["id", "photo"], "data": [[7, text]]},
        "dataframe_records": [{"photo": text, "id": 7}],
    }[kind]
    status, text = ask(server[1], {kind: body})
    assert status == 200, text
    (answer,) = json.loads(text)["predictions"]
    assert list(answer) == ["mask", "height", "width", "foreground_share"]
    assert answer["mask"].endswith("\n")  # Lines of base64.
    mask = cv2.imdecode(
        np.frombuffer(base64.b64decode(answer["mask"]), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert np.array_equal(mask, expected_mask(network, path) * np.uint8(255))
    assert (answer["height"], answer["width"]) == mask.shape
    assert answer["foreground_share"] == pytest.approx((mask > 0).mean())


@pytest.mark.slow
@pytest.mark.parametrize("request_name", HOSTILE)
def test_hostile_requests_get_a_sentence_and_the_server_lives(
    server: tuple[str, str], request_name: str
) -> None:
    kind, address = server
    status, text = ask(address, HOSTILE[request_name])
    assert status == 400, text
    assert "Traceback" not in text and "site-packages" not in text
    if kind == "guarded":
        assert len(json.loads(text)["error"]) < 320
    assert ask(address, of(jpeg()))[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("server", ["guarded"], indirect=True)
class TestGuard:
    """What MLflow's server alone does not do."""

    @pytest.mark.parametrize(
        "content_type", ["text/csv", "application/vnd.apache.parquet", "image/jpeg", None]
    )
    def test_only_json_is_read(self, server: tuple[str, str], content_type: str | None) -> None:
        status, text = ask(server[1], b"photo\nx", content_type)
        assert (status, "Send JSON" in text) == (415, True)

    @pytest.mark.parametrize("length", [2_000_001, 7_900_000])
    def test_a_body_has_a_limit(self, server: tuple[str, str], length: int) -> None:
        status, text = ask(server[1], b" " * length)
        assert (status, "at most 2 megabytes" in text) == (413, True)

    def test_json_nested_too_deep_is_no_defect(self, server: tuple[str, str]) -> None:
        status, text = ask(server[1], b'{"dataframe_split":' + b"[" * 200_000)
        assert status == 400
        assert "Traceback" not in text
