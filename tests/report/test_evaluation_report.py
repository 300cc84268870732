import base64
import json
import re
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from car_segmentation.evaluation.scores import SCORES
from car_segmentation.parameters import Subject
from car_segmentation.report import html as html_page
from car_segmentation.report.evaluation_report import report_page
from car_segmentation.report.html import anchor
from car_segmentation.report.sections import photos
from car_segmentation.report.sections.contents import ReportContents
from tests.support.pages import NASTY, Page


def slice_of(values, dice, enough):
    return pd.DataFrame(
        {
            "value": values,
            "photos": 4,
            "cars": 2,
            "dice_mean": dice,
            "dice_low": np.subtract(dice, 0.001),
            "dice_high": np.add(dice, 0.001),
            "edge_error_px": 2.0,
            "enough": enough,
        }
    )


def summary_of(scores):
    rows = [
        {
            "score": name,
            "mean": scores[name].mean(),
            "median": scores[name].median(),
            "worst": scores[name].min(),
            "mean_low": 0.25,
            "mean_high": 0.75,
        }
        for name in SCORES
    ]
    return pd.DataFrame(rows)


@pytest.fixture(autouse=True)
def _short_plotly(monkeypatch):
    """Pages are parsed much faster without its 5 MB."""
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "var Plotly;")


SHEET = np.full((20, 30, 3), 200, np.uint8)


@pytest.fixture
def scores():
    frame = pd.DataFrame(dict.fromkeys(SCORES, 0.9), index=range(4))
    return frame.assign(
        photo_id=["a_02", "a_01", "b_01", "b_02"],
        car=["a", "a", "b", "b"],
        view=["02", "01", "01", "02"],
        make=["Kia", "Kia", None, None],
        dice=[0.90, 0.95, 0.97, 0.98],
        edge_error_px=[8.0, 4.0, 2.0, 2.0],
        false_positives=[60, 10, 0, 10],
        false_negatives=[10, 10, 0, 0],
    )


@pytest.fixture
def contents(scores):
    """Everything that a report can have."""
    return ReportContents(
        title="The report",
        facts={"Network": "segnet_unet"},
        photo_scores=scores,
        test_summary=summary_of(scores),
        validation_summary=summary_of(scores),
        upper_bound={"photos": 4, "dice_mean": 0.99, "edge_error_px": 0.1},
        error_distances=pd.DataFrame(
            {
                "from_px": [0, 2, 16],
                "to_px": [2, 16, np.inf],
                "false_positives": [40, 10, 15],
                "false_negatives": [10, 20, 5],
            }
        ),
        error_classes=pd.DataFrame(
            {
                "class": ["thin structure", "ground shadow", "plain edge jitter"],
                "kind": ["false negative", "false positive", "false positive"],
                "regions": [1, 2, 3],
                "pixels": [10, 20, 3000],
                "dice_cost": [0.001, 0.003, 0.006],
            }
        ),
        slices={
            "view": slice_of(["01", "02", "03", "04"], [0.96, 0.94, 0.95, 0.95], True),
            "make": slice_of(["Kia", "Audi", "MINI"], [0.98, 0.97, 0.5], [True, True, False]),
        },
        error_panels=[("a_02", "1. a_02", SHEET), ("a_01", "2. a_01", SHEET)],
        worst_sheet=SHEET,
        random_sheet=SHEET,
        data_sheet=SHEET,
        threshold=0.5,
        threshold_dice=np.concatenate([np.linspace(0, 0.97, 128), np.full(128, 0.9)]),
        calibration=pd.DataFrame(
            {
                "where": ["all pixels", "all pixels"],
                "probability": [0.2, 0.8],
                "car_fraction": [0.3, 0.7],
                "pixels": [5, 5],
            }
        ),
        calibration_errors={"all pixels": 0.1},
        label_errors=pd.DataFrame(
            {"photo_id": ["b_01", "b_02"], "score": [9.5, 2.0], "reason": ["a hole", "a speck"]}
        ),
        label_error_sheet=SHEET,
        history={
            "loss": [2.0, 1.0],
            "dice": [0.5, 0.6],
            "val_loss": [1.0, 2.0],
            "val_dice": [0.5, 0.4],
        },
    )


def leads(page):
    """Sections' titles and their leads."""
    found, title = {}, None
    for tag, text in page.texts:
        if tag == "h2":
            title = text
            found[title] = ""
        elif tag == "p" and title and not found[title]:
            found[title] = text
    return found


def test_sections_say_what_their_data_says(contents):
    said = leads(Page(report_page(contents)))
    assert list(said) == [
        "Scores",
        "Where it errs",
        "Cars and views",
        "Photos",
        "Confidence",
        "Suspected label errors",
        "Training",
    ]
    assert "mean Dice of 0.9500" in said["Scores"] and "4.0 px" in said["Scores"]
    # The upper bound leaves 0.01 of the 0.05 that are missing.
    assert "20% of what is missing" in said["Scores"]
    assert "50% of the wrong pixels lie within 2 px" in said["Where it errs"]
    assert "20% farther than 16 px" in said["Where it errs"]
    assert "jitter (60%), ground shadow (30%) and thin structure (10%)" in said["Where it errs"]
    assert "The photo with the most wrong pixels holds 70% of all" in said["Cars and views"]
    assert "One car of 2, Kia a, has 90%" in said["Cars and views"]
    assert "Half of the photos reach a Dice of 0.9600" in said["Photos"]
    assert "the worst has 0.9000" in said["Photos"] and "the 2 worst" in said["Photos"]
    assert "from a probability of 0.500" in said["Confidence"]
    assert "10.0% (all pixels)" in said["Confidence"]
    assert "overconfident (all pixels)" in said["Confidence"]
    assert "b_01: a hole." in said["Suspected label errors"]
    assert said["Training"] == "Of 2 epochs, number 1 had the lowest validation loss."


def test_tiles_show_means_and_intervals(contents):
    page = Page(report_page(contents))
    tiles = page.text("strong")
    assert tiles[:2] == ["0.9500", "4.00"] and tiles[-3:] == ["0.9000", "0.9500", "0.9900"]
    assert page.text("span")[0] == "95%: 0.2500–0.7500"


def test_plots_and_pictures_are_all_there(contents):
    page = Page(report_page(contents))
    plots = [a for a in page.attributes("div") if "data-plot" in a]
    assert len(plots) == 11
    # Four sheets and two panels.
    assert len([a for a in page.attributes("img") if a.get("src")]) == 6


def test_photo_table_links_to_panels(contents):
    page = Page(report_page(contents))
    links = [a["href"] for a in page.attributes("a") if a["href"].startswith("#at-a_5f_")]
    assert links == ["#" + anchor("a_02"), "#" + anchor("a_01")]
    assert {anchor("a_02"), anchor("a_01")} <= {a.get("id") for a in page.attributes("figure")}
    rows = [a["data-name"] for a in page.attributes("tr") if "data-name" in a]
    assert [name for name in rows if name in {"a_01", "a_02", "b_01", "b_02"}] == [
        *("a_02", "a_01", "b_01", "b_02"),
        *("b_01", "b_02"),
    ]


def test_photo_table_ends_at_the_worst(contents, monkeypatch):
    monkeypatch.setattr(photos, "MOST_ROWS", 3)
    html = report_page(replace(contents, label_errors=None))
    assert "The worst 3 of 4." in html
    assert "b_02" not in [a.get("data-name") for a in Page(html).attributes("tr")]


def test_report_of_scores_alone(scores):
    """Own photos of one car, without metadata or anything else."""
    one = scores[scores["car"] == "b"].drop(columns="make")
    summary = summary_of(one).assign(mean_low=np.nan, mean_high=None)
    said = leads(page := Page(report_page(ReportContents("Own photos", {}, one, summary))))
    assert list(said) == ["Scores", "Cars and views", "Photos"]
    assert "2 photos of 1 car that" in " ".join(page.text("p"))
    assert "there are no intervals" in said["Scores"]
    assert any("no metadata" in text for text in page.text("p"))
    assert "span" not in [tag for tag, text in page.texts if "nan" in text.lower()]
    assert not any("nan" in text.lower() for text in page.text("td") + page.text("strong"))


def test_report_of_products_knows_no_cars(contents):
    products = replace(contents, subject=Subject(one="watch", many="watches"))
    named = replace(
        products, slices=contents.slices | {"view": slice_of(["left", "top"], [0.9, 1], True)}
    )
    for report in (products, named):
        page = Page(report_page(report))
        words = " ".join(text for _, text in page.texts)
        assert "Watches and views" in leads(page)
        assert "over watches, since errors in photos of one watch are alike" in words
        assert not re.search(r"\bcars?\b", words, re.IGNORECASE)


def test_only_numbered_views_are_a_turntable(contents):
    numbered = slice_of([f"{view:02}" for view in range(1, 5)], [0.9] * 4, True)
    named = slice_of(["back", "front", "left", "right"], [0.9] * 4, True)
    for views, drawn in ((numbered, True), (named, False), (numbered.head(3), False)):
        html = report_page(replace(contents, slices={"view": views}))
        assert ("Dice by position on the turntable" in html) == drawn
        assert ("Dice by view" in html) != drawn


def test_report_without_an_error(scores):
    perfect = scores.assign(dice=1.0, edge_error_px=0.0, false_positives=0, false_negatives=0)
    nothing = pd.DataFrame(
        {"from_px": [0], "to_px": [np.inf], "false_positives": [0], "false_negatives": [0]}
    )
    report = ReportContents(
        "t",
        {},
        perfect,
        summary_of(perfect),
        upper_bound={"dice_mean": 1.0},
        error_distances=nothing,
    )
    said = leads(Page(report_page(report)))
    assert "Where it errs" not in said and said["Cars and views"] == "No pixel is wrong."


def test_report_without_photos(scores):
    said = leads(
        Page(
            report_page(
                ReportContents(
                    "t",
                    {},
                    scores.head(0),
                    pd.DataFrame(
                        columns=["score", "mean", "median", "worst", "mean_low", "mean_high"]
                    ),
                )
            )
        )
    )
    assert list(said) == ["Scores"]


def test_no_label_errors_is_said(contents):
    said = leads(Page(report_page(replace(contents, label_errors=contents.label_errors.head(0)))))
    assert said["Suspected label errors"] == "No mask is suspected."


def test_a_model_too_weak_to_judge_masks_says_so(contents, scores):
    weak = replace(contents, photo_scores=scores.assign(dice=[0.2, 0.3, 0.3, 0.99]))
    html = report_page(weak)
    said = leads(Page(html))["Suspected label errors"]
    assert "too weak to judge masks: half of the photos have a Dice below 0.30" in said
    assert "a hole" not in html


def test_names_of_users_stay_text(contents, scores):
    scores = scores.assign(photo_id=[NASTY, "x", "y", "z"], car=NASTY, make=NASTY)
    html = report_page(
        replace(
            contents,
            title=NASTY,
            facts={NASTY: NASTY},
            photo_scores=scores,
            slices={NASTY: slice_of([NASTY, "b"], [0.9, 0.8], True)},
            error_panels=[(NASTY, NASTY, SHEET)],
            label_errors=pd.DataFrame({"photo_id": [NASTY], "reason": [NASTY]}),
        )
    )
    assert "<script>alert" not in html
    page = Page(html)
    assert page.text("h1") == [NASTY] and f"Dice by {NASTY}" in page.text("h3")


def test_panels_are_not_kept(contents):
    drawn = []

    def panels():
        for number in range(4):
            # The loop that takes them still holds the one before.
            assert sum(panel() is not None for panel in drawn) <= 1
            panel = np.zeros((4, 4, 3), np.uint8)
            drawn.append(weakref.ref(panel))
            yield f"p{number}", "", panel
            del panel

    report_page(replace(contents, error_panels=panels()))
    assert len(drawn) == 4


@pytest.mark.parametrize(
    ("dice", "low", "high"),
    [
        ([0.5, 0.9, 0.9, 0.5], 0.25, 0.5),
        ([0.9, 0.9, 0.9, 0.9], 0.0, 0.75),
        ([0.9, 0.1, 0.90001, 0.1], 0.5, 0.5),
    ],
)
def test_thresholds_as_good_as_the_best_lie_beside_it(contents, dice, low, high):
    page = Page(report_page(replace(contents, threshold_dice=np.array(dice))))
    assert f"thresholds from {low:.2f} to {high:.2f} are equivalent" in leads(page)["Confidence"]


@pytest.mark.parametrize(
    ("dice", "enough", "finding"),
    [
        (
            [0.95, 0.90],
            [True, True],
            "Worst: b (0.9000); best: a (0.9500). Their intervals do not overlap.",
        ),
        (
            [0.95, 0.9495],
            [True, True],
            "Worst: b (0.9495); best: a (0.9500). Their intervals overlap.",
        ),
        (
            [0.95, 0.90],
            [True, False],
            "Too few cars to compare. 1 of 2 rest on too few cars.",
        ),
        ([0.95, 0.90], [False, False], "Too few cars to compare."),
    ],
)
def test_slices_differ_only_where_their_intervals_are_apart(contents, dice, enough, finding):
    makes = {"make": slice_of(["a", "b"], dice, enough)}
    page = Page(report_page(replace(contents, slices=makes)))
    assert finding in [text for _, text in page.texts]


def numbers_of(array):
    """Plotly writes arrays as base64 of their bytes."""
    return np.frombuffer(base64.b64decode(array["bdata"]), array["dtype"])


def test_plots_hold_the_frames_numbers(contents):
    page = Page(report_page(contents))
    plots = [
        json.loads(text)
        for tag, text in page.texts
        if tag == "script" and text.startswith('{"data"')
    ]
    assert len(plots) == 11
    positives, negatives, _ = plots[0]["data"]
    np.testing.assert_allclose(numbers_of(positives["y"]), [0.4, 0.1, 0.15])
    np.testing.assert_array_equal(numbers_of(negatives["customdata"]), [10, 20, 5])


def foot(page):
    return page[page.index("<footer>") : page.index("</footer>")] if "<footer>" in page else ""


def test_what_is_known_of_the_provenance_is_shown_and_no_more(contents):
    known = {"environment": "demo", "data_set": "data/01_raw/<b>demo</b>", "commit": ""}
    shown = foot(report_page(replace(contents, provenance=known)))
    assert "<dt>Environment</dt><dd>demo</dd>" in shown
    assert "<dt>Data set</dt><dd>data/01_raw/&lt;b&gt;demo&lt;/b&gt;</dd>" in shown
    assert "Commit" not in shown
    assert foot(report_page(contents)) == ""
