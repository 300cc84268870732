"""Photos in, masks and cut-outs out, by every way that a client may ask."""

import base64
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from car_segmentation.data.image_files import open_image
from car_segmentation.prediction.cutouts import cut_out
from car_segmentation.prediction.folder_job import FolderJob
from car_segmentation.prediction.new_photos import sort_out_photos
from car_segmentation.prediction.segmenter import Segmenter
from tests.support.bad_photos import bad_contents
from tests.support.models import Darkness
from tests.support.photos import disc_mask, photo_of
from tests.support.services import Held, Service, Slow, form, image, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("service")) as found:
        yield found


def test_a_mask_is_inferences_to_the_byte(service: Service, tmp_path: Path) -> None:
    photo = tmp_path / "disc.jpg"
    photo.write_bytes(image())
    folder = tmp_path / "predictions"
    job = FolderJob(Segmenter(Darkness(), batch_size=4), sort_out_photos([photo], tmp_path), 1.0)
    folder.mkdir()
    job.write(folder)
    expected = (folder / "masks" / "disc.png").read_bytes()
    by_form = service.ask("/masks", **form(("photo", "disc.jpg", photo.read_bytes())))
    by_body = service.ask("/masks", photo.read_bytes(), {"Content-Type": "image/jpeg"})
    assert by_form.content == by_body.content == expected
    assert 0 < by_form.pixels().mean() < 255


def test_headers_say_what_is_in_a_mask(service: Service) -> None:
    reply = service.ask("/masks", image())
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/png")
    mask = reply.pixels() > 0
    assert (reply.headers["Photo-Height"], reply.headers["Photo-Width"]) == ("48", "64")
    assert float(reply.headers["Foreground-Fraction"]) == pytest.approx(mask.mean(), abs=1e-6)
    assert 0.5 < float(reply.headers["Confidence"]) < 1
    assert reply.headers["Warnings"] == ""
    assert reply.headers["Model-Version"] == "toy/1"


def test_oddities_are_warnings(service: Service) -> None:
    small = np.zeros((10, 20, 3), np.uint8)
    warnings = service.ask("/masks", image(small)).headers["Warnings"].split("; ")
    assert warnings[0] == "the mask touches the photo's border"
    assert "(32x24)" in warnings[1]
    described = service.ask("/masks", image(small), {"Accept": "application/json"}).json()
    assert described["photos"][0]["warnings"][1].endswith("(32×24)")


def test_json_has_all_of_it(service: Service) -> None:
    png = service.ask("/masks", image()).content
    reply = service.ask("/masks", image(), {"Accept": "application/json"})
    answer = reply.json()
    assert answer["model"] == {
        "source": "toy",
        "version": "toy/1",
        "digest": "0123456789ab",
        "threshold": 0.5,
    }
    (photo,) = answer["photos"]
    assert photo.pop("png") == base64.b64encode(png).decode()
    assert photo.keys() == {
        "photo",
        "width",
        "height",
        "foreground_fraction",
        "confidence",
        "warnings",
    }


def test_a_batch_is_an_archive(service: Service) -> None:
    files = [
        ("photo", "a.jpg", image()),
        ("photo", "../../a.png", image(photo_of(disc_mask(radius=9)), "PNG")),
        ("photo", "bad ; name\r\n.jpg".replace("\r\n", ""), b"not a photo"),
    ]
    reply = service.ask("/masks", **form(*files))
    assert reply.headers["Content-Type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(reply.content))
    assert archive.namelist() == ["a.png", "a_2.png", "photos.json"]
    assert archive.read("a.png") == service.ask("/masks", image()).content
    described = json.loads(archive.read("photos.json"))["photos"]
    assert [photo["photo"] for photo in described] == ["a", "a_2", "bad_name"]
    assert described[2]["problem"]["detail"].startswith("The photo is not an image")


def test_a_cut_out_is_the_photo_with_a_soft_edge(service: Service) -> None:
    content = image(kind="PNG")
    photo = open_image(content).rgb()
    expected = cut_out(photo, Segmenter(Darkness()).probability(photo), 0.5)
    assert np.array_equal(service.ask("/cut-outs", content).pixels(), expected)


def test_a_cut_out_is_laid_on_a_colour_or_a_picture(service: Service) -> None:
    on_colour = service.ask("/cut-outs?background=%2300ff00", image()).pixels()
    assert on_colour.shape == (48, 64, 3)
    assert on_colour[0, 0].tolist() == [0, 255, 0]
    blue = np.full((5, 5, 3), (0, 0, 255), np.uint8)
    request = form(("photo", "a.jpg", image()), ("background", "b.png", image(blue, "PNG")))
    on_picture = service.ask("/cut-outs", **request).pixels()
    assert on_picture[0, 0].tolist() == [0, 0, 255]
    assert np.array_equal(on_picture[24, 32], on_colour[24, 32])


def test_views_of_one_request_are_laid_on_canvases_of_one_scale(service: Service) -> None:
    small, large = (image(photo_of(disc_mask(radius=radius)), "PNG") for radius in (5, 15))
    options = {"canvas_width": "80", "canvas_height": "60", "canvas_align": "floor"}
    request = form(("photo", "a.png", small), ("photo", "b.png", large), fields=options)
    archive = zipfile.ZipFile(io.BytesIO(service.ask("/cut-outs", **request).content))
    sizes, floors = [], []
    for name in ("a.png", "b.png"):
        alpha = np.asarray(Image.open(io.BytesIO(archive.read(name))))[..., 3]
        assert alpha.shape == (60, 80)
        rows = np.flatnonzero((alpha > 127).any(axis=1))
        sizes.append(len(rows))
        floors.append(rows[-1])
    # 54 pixels are free for the larger disc's 31 or so; the smaller keeps its third.
    assert sizes[1] in range(52, 57) and sizes[0] in range(17, 23)
    assert abs(floors[0] - floors[1]) <= 2
    alone = service.ask("/cut-outs", **form(("photo", "a.png", small), fields=options)).pixels()
    assert np.count_nonzero((alone[..., 3] > 127).any(axis=1)) in range(52, 57)


def test_only_the_largest_piece_is_left_if_that_is_wished(service: Service) -> None:
    two = disc_mask(radius=12)
    two[2:6, 2:6] = True
    photo = image(photo_of(two), "PNG")
    both = service.ask("/masks", photo).pixels() > 0
    one = service.ask("/masks?largest_piece=true", photo).pixels() > 0
    assert both[:8, :8].any() and not one[:8, :8].any()
    assert np.array_equal(one[10:], both[10:])
    cut = service.ask("/cut-outs?largest_piece=1", photo).pixels()
    assert not cut[:8, :8].any() and cut[24, 32, 3] == 255


def test_the_shadow_is_kept_if_that_is_wished(service: Service) -> None:
    mask = np.zeros((120, 180), bool)
    mask[30:70, 50:130] = True
    photo = np.full((120, 180, 3), 200, np.uint8)
    photo[70:80, 50:130] = 150  # In shadow.
    photo[mask] = (120, 10, 10)
    plain = service.ask("/cut-outs", image(photo, "PNG")).pixels()
    kept = service.ask("/cut-outs?shadow=true", image(photo, "PNG")).pixels()
    assert plain[76, 90, 3] == 0
    assert kept[76, 90].tolist()[:3] == [0, 0, 0] and 20 < kept[76, 90, 3] < 90
    assert np.array_equal(plain[50, 90], kept[50, 90])


@pytest.mark.parametrize(
    ("path", "request_", "status", "detail"),
    [
        ("/masks", {"body": b""}, 400, "There is no photo"),
        ("/masks", {"body": b"\x89PNG but not quite"}, 400, "The photo is not an image"),
        ("/masks", form(fields={"photo": "text"}), 400, "A form takes 1 to 3 files"),
        ("/masks", form(*[("photo", "a", b"x")] * 4), 400, "A form takes 1 to 3 files"),
        ("/masks", form(*[("photo", "a", b"x")] * 5), 400, "The form is malformed: it has more"),
        ("/masks?background=%23ffffff", {"body": image()}, 400, "There is no option 'background'"),
        ("/cut-outs?backround=x", {"body": image()}, 400, "There is no option 'backround'"),
        ("/cut-outs?background=reed", {"body": image()}, 400, "background is 'reed', which is not"),
        ("/cut-outs?shadow=perhaps", {"body": image()}, 400, "shadow = 'perhaps': input should"),
        ("/cut-outs?canvas_width=100", {"body": image()}, 400, "a canvas has both width and"),
        ("/cut-outs?canvas_margin=2", {"body": image()}, 400, "margin = 2.0: input should be less"),
        (
            "/cut-outs?canvas_width=1000000&canvas_height=1000000",
            {"body": image()},
            400,
            "width = 1000000: input should be less",
        ),
        ("/cut-outs?background=/etc/passwd", {"body": image()}, 400, "background is '/etc/passwd'"),
        (
            "/cut-outs",
            form(("photo", "a", image()), ("background", "b", b"x")),
            400,
            "The background is not an image",
        ),
        ("/masks", {"body": image(), "headers": {"Accept": "text/html"}}, 406, "Accept image/png"),
        (
            "/masks",
            {"body": image(), "headers": {"Content-Encoding": "gzip"}},
            415,
            "Send the body as it is",
        ),
        ("/masks", {"method": "GET"}, 405, "Method Not Allowed"),
        ("/nowhere", {}, 404, "Not Found"),
        ("/masks", {"body": b"x" * 2_000_001}, 413, "A request may have at most 2 megabytes"),
        (
            "/masks",
            {"body": image() + bytes(1_000_000)},
            400,
            "The photo is too large: 1.0 megabytes",
        ),
        (
            "/masks",
            {"body": image(np.zeros((1001, 1000, 3), np.uint8), "PNG")},
            400,
            "The photo is too large: 1000×1001",
        ),
        (
            "/masks",
            {"body": b"x", "headers": {"Content-Type": "multipart/form-data"}},
            400,
            "The form is malformed",
        ),
    ],
)
def test_what_cannot_be_answered_is_a_problem_with_a_sentence(
    service: Service, path: str, request_: dict[str, Any], status: int, detail: str
) -> None:
    reply = service.ask(path, **request_)
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert (reply.status, problem["status"]) == (status, status)
    assert problem["detail"].startswith(detail)


def test_a_defect_is_not_shown_to_the_caller(tmp_path: Path) -> None:
    class Defect(Darkness):
        def predict_on_batch(self, photos: np.ndarray) -> np.ndarray:
            if photos.any():
                raise RuntimeError("secret")
            return super().predict_on_batch(photos)

    with running(tmp_path, Defect()) as service:
        for path in ("/masks", "/cut-outs"):
            reply = service.ask(path, image())
            assert reply.status == 500
            assert reply.json()["detail"].startswith("Internal error")
            assert b"secret" not in reply.content
        assert service.counted('car_segmentation_requests_total{path="/masks",status="500"}') == 1


def test_what_is_asked_of_the_service_itself(service: Service) -> None:
    assert service.ask("/ping").content == b"\n"
    assert service.ask("/health").json() == {"status": "ok"}
    assert service.ask("/ready").json() == {"status": "ready", "model": "toy/1"}
    assert service.ask("/version").json()["model"]["threshold"] == 0.5
    before = service.counted('car_segmentation_requests_total{path="/masks",status="200"}')
    service.ask("/masks", image())
    text = service.ask("/metrics").content.decode()
    assert f'car_segmentation_requests_total{{path="/masks",status="200"}} {before + 1}' in text
    assert 'car_segmentation_model{digest="0123456789ab",version="toy/1"} 1.0' in text


def test_pages_load_nothing_from_elsewhere(service: Service) -> None:
    for path in ("/", "/docs"):
        reply = service.ask(path)
        assert reply.headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        text = reply.content.decode()
        assert "http://" not in text.replace("http://www.w3.org/", "") and "https://" not in text


def test_every_route_is_described(service: Service) -> None:
    described = service.ask("/openapi.json").json()["paths"]
    assert described.keys() == {
        "/masks",
        "/cut-outs",
        "/invocations",
        "/ping",
        "/health",
        "/ready",
        "/version",
        "/metrics",
    }
    names = [parameter["name"] for parameter in described["/cut-outs"]["post"]["parameters"]]
    assert "background" in names


def test_a_token_is_needed_where_there_is_one(tmp_path: Path) -> None:
    with running(tmp_path, token="sesame") as service:
        for headers in ({}, {"Authorization": "Bearer sesam"}, {"Authorization": "sesame"}):
            reply = service.ask("/masks", image(), headers)
            assert reply.status == 401
            assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert service.ask("/metrics").status == 401
        assert service.ask("/health").status == service.ask("/").status == 200
        assert service.ask("/masks", image(), {"Authorization": "Bearer sesame"}).status == 200


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    network = Held()
    with running(tmp_path, network) as service, ThreadPoolExecutor() as pool:
        # Two in work and two waiting, says SHORT_LIMITS.
        admitted = [pool.submit(service.ask, "/masks", image()) for _ in range(4)]
        service.wait_for("car_segmentation_in_work", 2)
        service.wait_for("car_segmentation_waiting", 2)
        for _ in range(3):
            refused = service.ask("/masks", image())
            assert refused.status == 429
            assert 1 <= int(refused.headers["Retry-After"]) <= 3
        network.go_on.set()
        assert [reply.result().status for reply in admitted] == [200] * 4
        assert service.counted("car_segmentation_refused_total") == 3
        assert service.ask("/masks", image()).status == 200


def test_a_client_that_leaves_frees_its_place(tmp_path: Path) -> None:
    network = Held()
    with running(tmp_path, network) as service:
        left = [service.send_only("/masks", image()) for _ in range(4)]
        service.wait_for("car_segmentation_waiting", 2)
        for connection in left:
            connection.close()
        service.wait_for("car_segmentation_waiting", 0)  # Though nothing was predicted.
        network.go_on.set()
        service.wait_for("car_segmentation_in_work", 0)
        # Of two in work, one held the network, and the other looked whether it was still wanted.
        assert network.photos <= 2
        assert service.ask("/masks", image()).status == 200
        assert service.counted('car_segmentation_requests_total{path="/masks",status="0"}') == 4


def test_a_request_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with running(tmp_path, Slow(1.2)) as service:
        # Three photos, one after the other, in 3 seconds.
        reply = service.ask("/masks", **form(*[("photo", "a.jpg", image())] * 3))
        assert reply.status == 503
        assert reply.json()["detail"] == "This took more than 3 seconds."
        assert service.ask("/masks", image()).status == 200


def test_masks_are_right_while_several_ask(service: Service) -> None:
    photos = [image(photo_of(disc_mask(radius=radius)), "PNG") for radius in (6, 9, 12, 15)]
    expected = [service.ask("/masks", photo).content for photo in photos]
    assert len(set(expected)) == 4
    wrong = []

    def ask(number: int) -> None:
        for _ in range(10):
            reply = service.ask("/masks", photos[number])
            while reply.status == 429:
                time.sleep(0.05)
                reply = service.ask("/masks", photos[number])
            if reply.content != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_upright_photo_has_an_upright_mask(service: Service) -> None:
    photo = photo_of(disc_mask())
    photo[:, :20] = 0
    reply = service.ask(
        "/masks",
        image(
            photo, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        ),
    )
    assert (reply.headers["Photo-Height"], reply.headers["Photo-Width"]) == ("64", "48")
    turned = cv2.rotate(photo, cv2.ROTATE_90_CLOCKWISE)
    assert reply.pixels().shape == turned.shape[:2]
    assert reply.pixels()[2, 24] == 255


def test_files_that_hang_or_lie_are_refused_while_four_clients_get_their_masks(
    service: Service,
) -> None:
    alone = service.ask("/masks", image()).content
    bad = bad_contents()
    bodies = [content for each in bad.values() for content in (each, image(), image(), image())]
    with ThreadPoolExecutor(4) as clients:
        replies = list(clients.map(lambda body: service.ask("/masks", body), bodies))
    for name, number in zip(bad, range(0, len(replies), 4), strict=True):
        refused, *answered = replies[number : number + 4]
        assert refused.status == 400, name
        assert refused.json()["detail"].endswith("."), name
        assert [reply.content for reply in answered] == 3 * [alone]
    assert service.ask("/masks", image()).content == alone
