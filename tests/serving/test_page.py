"""The page, used in a browser as people use it: desktop and phone."""

import base64
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.browser import CHROMIUM, Browser, browser
from tests.support.photos import disc_mask, photo_of
from tests.support.services import Service, image, running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]

DROP = """
(() => {
  const bytes = Uint8Array.from(atob(CONTENT), letter => letter.charCodeAt(0));
  const dropped = new DataTransfer();
  dropped.items.add(new File([bytes], NAME, {type: "image/png"}));
  dispatchEvent(new DragEvent("drop", {dataTransfer: dropped, bubbles: true, cancelable: true}));
})()
"""
DONE = "photos.length && photos.every(photo => photo.found || photo.problem)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Service]]:
    folder = tmp_path_factory.mktemp("page")
    with running(folder) as service, browser(folder) as found:
        yield found, service


def drop(found: Browser, name: str, content: bytes) -> None:
    text = base64.b64encode(content).decode()
    found.run(DROP.replace("CONTENT", json.dumps(text)).replace("NAME", json.dumps(name)))


def downloaded(found: Browser, folder: Path, button: str, name: str) -> np.ndarray:
    found.download_to(folder)
    found.run(f"document.querySelector('{button}').click()")
    end = time.monotonic() + 20
    while not (folder / name).is_file():
        assert time.monotonic() < end, list(folder.iterdir())
        time.sleep(0.05)
    return np.asarray(Image.open(folder / name))


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_a_photo_is_dropped_slid_over_put_on_white_and_downloaded(
    page: tuple[Browser, Service], tmp_path: Path, width: int, height: int
) -> None:
    found, service = page
    photo = image(photo_of(disc_mask()), "PNG")
    found.open(f"http://127.0.0.1:{service.port}/", width, height)
    drop(found, "my car.png", photo)
    found.wait_for(DONE)
    assert found.run("document.querySelector('h2').textContent") == "my car.png"
    facts = found.run("document.querySelector('.facts').textContent")
    assert facts.startswith("64 × 48 pixels · confidence 0.")
    # Nothing is wider than the window.
    assert found.run("document.documentElement.scrollWidth <= innerWidth")
    cut_out = service.ask("/cut-outs", photo).pixels()
    folder = tmp_path / "clear"
    folder.mkdir()
    assert np.array_equal(downloaded(found, folder, "button.cut", "my car_cut_out.png"), cut_out)
    mask = downloaded(found, folder, "button.mask", "my car_mask.png")
    assert np.array_equal(mask, service.ask("/masks", photo).pixels())

    found.run("document.querySelector('button[aria-label=white]').click()")
    folder = tmp_path / "white"
    folder.mkdir()
    on_white = downloaded(found, folder, "button.cut", "my car_cut_out.png")[..., :3]
    expected = service.ask("/cut-outs?background=white", photo).pixels()
    assert np.abs(on_white.astype(int) - expected).max() <= 2

    def seen() -> np.ndarray:
        time.sleep(0.3)
        return np.asarray(Image.open(io.BytesIO(found.screenshot())).convert("RGB")).astype(int)

    slide = "(at => { const it = document.querySelector('.slide'); it.value = at; "
    slide += "it.dispatchEvent(new Event('input')); })"
    found.run(f"{slide}(0)")
    after = seen()
    found.run(f"{slide}(100)")
    before = seen()
    box = found.run(
        "(() => { const it = document.querySelector('.stage').getBoundingClientRect();"
        "return [it.left, it.top, it.width, it.height].map(Math.round); })()"
    )
    left, top, stage_width, stage_height = box
    corner = (top + stage_height // 10, left + stage_width // 10)
    middle = (top + stage_height // 2, left + stage_width // 2)
    # The studio's grey is white afterwards; the object stays.
    assert after[corner].min() > 250 and before[corner].max() < 230
    assert np.abs(after[middle] - before[middle]).max() < 30


def test_warnings_and_problems_are_shown(page: tuple[Browser, Service]) -> None:
    found, service = page
    found.open(f"http://127.0.0.1:{service.port}/", 1000, 800)
    drop(found, "tiny.png", image(np.zeros((10, 20, 3), np.uint8), "PNG"))
    drop(found, "<img src=x onerror=alert(1)>.png", b"no photo")
    found.wait_for(DONE)
    texts = found.run("[...document.querySelectorAll('article')].map(card => card.innerText)")
    assert "The photo is not an image" in texts[0] and "<img src=x" in texts[0]
    assert "the mask touches the photo's border" in texts[1]


def test_an_option_is_asked_of_the_service(page: tuple[Browser, Service]) -> None:
    found, service = page
    found.open(f"http://127.0.0.1:{service.port}/", 1000, 800)
    drop(found, "a.png", image(photo_of(disc_mask()), "PNG"))
    found.wait_for(DONE)
    found.run("(it => { it.selectedIndex = 1; it.onchange(); })(document.querySelector('#canvas'))")
    found.wait_for("photos[0].canvas !== ''")
    found.wait_for("document.querySelector('.after img').naturalWidth === 1200")
    assert found.run("document.querySelector('.after img').naturalHeight") == 1200


def test_the_description_shows_every_route(page: tuple[Browser, Service]) -> None:
    found, service = page
    found.open(f"http://127.0.0.1:{service.port}/docs", 1000, 800)
    found.wait_for("document.querySelectorAll('h2').length > 0")
    routes = found.run("[...document.querySelectorAll('h2')].map(title => title.textContent)")
    assert routes[:2] == ["POST /masks", "POST /cut-outs"] and "GET /metrics" in routes
