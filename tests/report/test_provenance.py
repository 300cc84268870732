from car_segmentation.report.html import Section, render_page
from car_segmentation.report.provenance import Provenance


def test_what_is_known_is_shown_and_no_more() -> None:
    provenance = Provenance(environment="demo", data_set="data/01_raw/<b>demo</b>")
    assert provenance.facts() == {
        "Environment": "demo",
        "Data set": "data/01_raw/<b>demo</b>",
    }
    page = render_page("Title", "", [Section("Part", [])], provenance.facts())
    foot = page[page.index("<footer>") : page.index("</footer>")]
    assert "&lt;b&gt;demo&lt;/b&gt;" in foot
    assert "Commit" not in foot


def test_without_any_there_is_no_foot() -> None:
    assert "<footer>" not in render_page("Title", "", [], Provenance().facts())
