import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from car_segmentation.core.errors import UserError
from car_segmentation.core.tables import read_table
from car_segmentation.evaluation.review_queue import ReviewModel
from car_segmentation.report.review_page import (
    Thumbnail,
    review_page,
    thumbnail,
    write_thumbnails,
)
from tests.support.browser import CHROMIUM, browser
from tests.support.pages import NASTY, Page
from tests.support.photos import disc_mask, photo_of

MODEL = ReviewModel({}, -4.0, (-0.5, 0.5), 10, tuple(percent / 100 for percent in range(1, 101)))
PINK = (255, 0, 160)


def queue_of(*names: str) -> pd.DataFrame:
    """Photos, the first of which has no mask."""
    count = len(names)
    dice = [np.nan, *np.linspace(0.9, 0.99, count - 1)]
    numbers = {"expected_dice": dice, "lower": dice, "upper": dice}
    return pd.DataFrame(
        {"order": range(1, count + 1), "photo": names, **numbers, "reason": "nothing stands out"}
    )


def page_of(queue: pd.DataFrame) -> str:
    pictures = [None] + [Thumbnail("t/a%20b.jpg", 640, 427)] * (len(queue) - 1)
    return review_page(queue, pictures, MODEL)


def test_thumbnail_shows_the_outline_of_the_mask() -> None:
    mask = np.zeros((854, 1280), bool)
    mask[200:600, 400:800] = True
    picture = thumbnail(np.zeros((854, 1280, 3), np.uint8), mask)
    assert picture.shape == (427, 640, 3)
    pink = (np.abs(picture.astype(int) - PINK).sum(axis=2) < 30).nonzero()
    assert (pink[0].min(), pink[0].max()) == pytest.approx((100, 299), abs=2)
    assert (pink[1].min(), pink[1].max()) == pytest.approx((200, 399), abs=2)


def test_small_photo_keeps_its_size() -> None:
    assert thumbnail(photo_of(disc_mask()), disc_mask()).shape == (48, 64, 3)


def test_thumbnails_are_written_beside_the_page(tmp_path: Path) -> None:
    photos, predictions = tmp_path / "photos", tmp_path / "predictions"
    for folder in (photos / "day 1", predictions / "masks/day 1"):
        folder.mkdir(parents=True)
    Image.fromarray(photo_of(disc_mask())).save(photos / "day 1/a#b.png")
    mask = disc_mask().astype(np.uint8) * 255
    cv2.imwrite(str(predictions / "masks/day 1/a#b.png"), mask)
    queue = queue_of("broken.jpg", "day 1/a#b.png")
    pictures = write_thumbnails(queue, photos, predictions)
    assert pictures == [None, Thumbnail("review_thumbnails/day%201/a%23b.jpg", 64, 48)]
    assert (predictions / "review_thumbnails/day 1/a#b.jpg").is_file()
    (photos / "day 1/a#b.png").unlink()
    with pytest.raises(UserError, match=r"a#b\.png is missing: name the photos"):
        write_thumbnails(queue, photos, predictions)


def test_every_photo_has_its_reason_and_buttons() -> None:
    page = Page(page_of(queue_of("broken.jpg", "a.jpg", "b.jpg")))
    assert page.text("h3") == ["1. broken.jpg", "2. a.jpg", "3. b.jpg"]
    images = [image for image in page.attributes("img") if image.get("loading") == "lazy"]
    assert [image["src"] for image in images] == ["t/a%20b.jpg"] * 2
    decisions = [button.get("data-decision") for button in page.attributes("button")]
    assert [it for it in decisions if it] == ["accept", "reject", "edit"] * 3
    assert "no mask" in page.text("p")
    assert "Dice to expect 0.9900 (0.9900 to 0.9900)" in page.text("p")
    assert "10% of the worst tenth, on validation photos" in page.text("span")


def test_names_of_photos_are_no_code() -> None:
    page = page_of(queue_of("x.jpg", f"{NASTY}.jpg"))
    assert NASTY not in page
    Page(page)


def test_other_masks_have_decisions_of_their_own() -> None:
    queue = queue_of("x.jpg", "a.jpg")
    keys = [
        next(it["data-queue"] for it in Page(page_of(each)).attributes("ol"))
        for each in (queue, queue, queue.assign(expected_dice=[np.nan, 0.5]))
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.slow
def test_keys_decide_and_decisions_are_kept_and_downloaded(tmp_path: Path) -> None:
    names = ["first.jpg", "=1+1.jpg", 'a "b", c.jpg', "last.jpg"]
    address = tmp_path / "review.html"
    address.write_text(page_of(queue_of(*names)), encoding="utf-8")
    with browser(tmp_path) as page:
        page.download_to(tmp_path)
        page.call("Page.navigate", url=address.as_uri())
        page.wait_for("document.getElementById('review-counts')?.textContent")

        def press(*keys: str) -> None:
            for key in keys:
                page.run(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}'}}))")

        def counts() -> str:
            return page.run("document.getElementById('review-counts').textContent")

        press("a")  # No photo has the focus yet.
        assert counts() == "0 accepted · 0 rejected · 0 to edit · 4 left"
        press("j", "a", "r", "e")
        assert counts() == "1 accepted · 1 rejected · 1 to edit · 1 left"
        assert page.run("document.querySelector('[aria-current] h3').textContent") == "4. last.jpg"
        press("ArrowRight")  # There is none.
        press("ArrowLeft", "u")
        assert counts() == "1 accepted · 1 rejected · 0 to edit · 2 left"
        page.run("document.querySelectorAll('[data-decision=edit]')[2].click()")
        page.call("Page.reload")
        page.wait_for("document.getElementById('review-counts')?.textContent.includes('1 to edit')")
        page.run("document.getElementById('review-hide').click()")
        shown = "[...document.querySelectorAll('.queue > li')].filter(i => i.checkVisibility())"
        assert page.run(f"{shown}.length") == 1
        page.run("document.getElementById('review-download').click()")
        file = tmp_path / "review_decisions.csv"
        end = time.monotonic() + 20
        while not file.is_file() and time.monotonic() < end:
            time.sleep(0.05)
        table = read_table(file, others="text")
    assert table.to_dict("list") == {
        "photo": ["first.jpg", "=1+1.jpg", 'a "b", c.jpg'],
        "decision": ["accept", "reject", "edit"],
    }
