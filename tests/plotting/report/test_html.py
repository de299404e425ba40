"""The report as HTML: it loads nothing, can be read everywhere, and shows text as text."""

from __future__ import annotations

import base64
import io
import itertools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from plotting.report.page import write_report
from tests.plotting.chromium import Chromium, chromium
from tests.plotting.report.parsed import Page
from tests.plotting.report.written import FIGURES, make_record, write_run, write_top_events

__all__ = ["chromium"]


def test_the_page_loads_nothing(page: Page, evaluation: Path) -> None:
    for tag, name, address in (*page.addresses, *Page(evaluation / "report.html").addresses):
        if tag == "a":
            assert address.startswith(("#", "https://doi.org/", "https://opendata.cern.ch/record/"))
        else:
            assert address.startswith("data:"), (tag, name)
    assert not {"script", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert not re.search(r"@import|url\(|@font-face", page.source)


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    for _, _, address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.parts


def test_images_are_the_figures_pixel_by_pixel(run: Path, page: Page) -> None:
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(FIGURES)
    ids = [attributes["id"].removeprefix("figure-") for tag, attributes in page.tags if tag == "figure"]
    for name, attributes in zip(ids, images, strict=True):
        packed = base64.b64decode(attributes["src"].partition("base64,")[2])
        with Image.open(io.BytesIO(packed)) as shown, Image.open(run / "figures" / f"{name}.png") as drawn:
            assert np.array_equal(np.asarray(shown), np.asarray(drawn))
            assert (attributes["width"], attributes["height"]) == tuple(map(str, drawn.size))


def test_the_page_is_accessible(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    assert ("html", {"lang": "en"}) in page.tags


def test_text_of_the_results_is_text(tmp_path: Path) -> None:
    record = make_record()
    hostile = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    record["sample"] |= {"title": hostile, "doi": '"><script>x</script>', "energy": hostile}
    record["command"] = hostile
    record["features"][0] |= {"title": hostile, "unit": hostile}
    record["detectors"]["autoencoder"]["notes"] = [hostile]
    folder = write_run(tmp_path / "run", record, FIGURES)
    write_top_events(folder)
    page = Page(write_report(folder).path)
    assert hostile in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(attributes["src"].startswith("data:") for tag, attributes in page.tags if tag == "img")


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("kind", ["run", "evaluation"])
def test_the_page_opens_in_a_browser(chromium: Chromium, request: pytest.FixtureRequest, kind: str, width: int) -> None:
    address = (request.getfixturevalue(kind) / "report.html").as_uri()
    with chromium.page(address, width) as page:
        decoded = page.evaluate("Promise.all([...document.images].map(image => image.decode())).then(() => true)")
        assert decoded
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert page.evaluate("document.images.length") == (len(FIGURES) if kind == "run" else 5)
        assert page.evaluate("innerWidth") == width
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.requests == [address]
        assert page.complaints == []


@pytest.mark.browser
def test_a_browser_says_what_a_page_asks_for(chromium: Chromium, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<img src="missing.png"><script>console.error("so"); nothing()</script>')
    with chromium.page((tmp_path / "page.html").as_uri(), 400) as page:
        assert [Path(address).name for address in page.requests] == ["page.html", "missing.png"]
        assert "so" in page.complaints
        assert any("nothing is not defined" in complaint for complaint in page.complaints)
