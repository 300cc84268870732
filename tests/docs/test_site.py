"""The docs as a site: builds without a warning, loads nothing from elsewhere, lacks nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.support.projects import REPOSITORY

pytest.importorskip("mkdocs", reason="the extra docs is not installed")

LOADED = re.compile(r"""<(?:script|link|img|iframe)[^>]*(?:src|href)=["']?(https?://[^"'\s>]+)""")

FILE = """\
# What stands above.
network:
  name: unet       # which one
  sizes: [8, 16]   # a list,
                   # explained on two lines

  # The colours.
  paint: '#ff0000'
outer:
  inner:
    # Above the first.
    first: 1
    second: null # none
alone: 42  # by itself
"""


@pytest.fixture(scope="module")
def generated() -> ModuleType:
    """docs/generated_pages.py, which no package holds."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("generated_pages", REPOSITORY / "docs" / "generated_pages.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # Data classes look themselves up there.
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    code = f"{REPOSITORY / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "DO_NOT_TRACK": "1", "PYTHONPATH": code},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.mark.slow
class TestTheSite:
    def test_every_page_is_there(self, site: Path) -> None:
        pages = [path.stem for path in (REPOSITORY / "docs").glob("*.md")]
        reference = ["reference/parameters", "reference/pipelines", "reference/code"]
        modules = ["reference/code/car_segmentation.evaluation.scores", "graph/index"]
        for page in [*pages, *reference, *modules]:
            assert (site / f"{page}.html").is_file(), page

    def test_nothing_is_loaded_from_elsewhere(self, site: Path) -> None:
        pages = list(site.rglob("*.html"))
        assert len(pages) > 30
        for page in pages:
            assert not LOADED.findall(page.read_text(encoding="utf-8")), page

    @pytest.mark.slow
    def test_the_search_works_on_pages_opened_from_disk(self, site: Path, tmp_path: Path) -> None:
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser is None:
            pytest.skip("Neither chromium nor google-chrome is installed.")
        switches = [
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={tmp_path}", "--virtual-time-budget=30000", "--dump-dom"),
        ]
        address = f"{(site / 'index.html').as_uri()}?q=bootstrap"
        run = subprocess.run(
            [browser, *switches, address], capture_output=True, text=True, timeout=120, check=True
        )
        assert re.search(r"md-search-result__meta\">\d+ matching documents", run.stdout)
        assert "evaluation.bootstrap" in run.stdout

    def test_docstrings_are_shown(self, site: Path) -> None:
        page = (site / "reference/code/car_segmentation.evaluation.scores.html").read_text(
            encoding="utf-8"
        )
        assert "surface_dice" in page
        assert "Distance in pixels that still counts as right." in page


class TestParameterFiles:
    def test_by_hand(self, generated: ModuleType) -> None:
        network, outer, alone = generated.read_sections(FILE)
        assert (network.name, network.comment) == ("network", "What stands above.")
        rows = [(it.name, it.value, it.comment) for it in network.parameters]
        assert rows == [
            ("network.name", "unet", "which one"),
            ("network.sizes", "[8, 16]", "a list, explained on two lines"),
            ("network.paint", "'#ff0000'", "The colours."),
        ]
        rows = [(it.name, it.value, it.comment) for it in outer.parameters]
        assert rows == [
            ("outer.inner.first", "1", "Above the first."),
            ("outer.inner.second", "null", "none"),
        ]
        rows = [(it.name, it.value, it.comment) for it in alone.parameters]
        assert rows == [("alone", "42", "by itself")]

    @pytest.mark.parametrize(
        "file", sorted((REPOSITORY / "conf/base").glob("parameters*.yml")), ids=lambda it: it.name
    )
    def test_no_parameter_is_left_out(self, generated: ModuleType, file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        read = {
            parameter.name: yaml.safe_load(parameter.value)
            for section in generated.read_sections(text)
            for parameter in section.parameters
        }
        expected = {}
        for name, value in generated.leaves(yaml.safe_load(text)):
            # A dictionary that is written on one line is one value.
            whole = next((outer for outer in read if name.startswith(f"{outer}.")), name)
            expected[whole] = read[whole] if whole != name else value
        assert read == expected

    def test_other_environments_are_named(self, generated: ModuleType) -> None:
        parameter = generated.Parameter("training.epochs", "30", "")
        others = {"demo": {"training.epochs": 10}, "cpu": {"training.epochs": 30}}
        assert generated.elsewhere(parameter, others) == "<br>demo: `10`"


def test_the_picture_is_of_the_pipelines_as_they_are() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    from car_segmentation.pipeline_registry import register_pipelines

    spec = spec_from_file_location("draw_pipelines", REPOSITORY / "docs" / "draw_pipelines.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    drawn = module.draw(register_pipelines())
    assert module.PICTURE.read_text(encoding="utf-8") == drawn, "call python docs/draw_pipelines.py"
