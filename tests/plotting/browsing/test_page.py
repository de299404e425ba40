"""browse.html: it draws what the file holds, offline; and where JSROOT comes from."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plotting.__main__ import main
from plotting.browsing import jsroot
from plotting.browsing.page import write_browser_page
from plotting.errors import PackageUnavailable
from plotting.results.checksums import DRAWN
from rdf.graph.curves import write_curves
from rdf.provenance import Provenance
from tests.plotting.browsable import FALLING, write_browsable
from tests.plotting.chromium import PATIENCE, Chromium, Page, chromium

pytestmark = pytest.mark.browser

__all__ = ["chromium"]

CANVAS = "JSROOT.getElementCanvPainter('drawing')"


@pytest.fixture(scope="module")
def package() -> None:
    """JSROOT; where npm cannot fetch it a test is skipped, but fails where a skip would go unread (CI)."""
    try:
        jsroot.load_jsroot()
    except PackageUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def folder(package: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_browsable(tmp_path_factory.mktemp("page") / "run")


def wait_for(page: Page, condition: str) -> None:
    end = time.monotonic() + PATIENCE
    while not page.evaluate(f"Boolean({condition})"):
        assert time.monotonic() < end, f"not in time: {condition}; {page.complaints}"
        time.sleep(0.1)


def click_item(page: Page, name: str) -> None:
    """Click on what the tree calls by a name."""
    item = f"[...document.querySelectorAll('#tree .h_item')].find((a) => a.innerText === '{name}')"
    wait_for(page, item)
    box = page.evaluate(f"{item}.getBoundingClientRect().toJSON()")
    page.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def drawn(page: Page, title: str) -> dict[str, Any]:
    """Wait until a histogram with this title is drawn, and return what of it is drawn."""
    histogram = f"{CANVAS}.getMainPainter().getObject()"
    wait_for(page, f"window.browser && {CANVAS}?.getMainPainter()?.getObject()?.fTitle === '{title}'")
    found: dict[str, Any] = page.evaluate(
        f"(({{fLogy, fLogz}}) => ({{contents: Array.from({histogram}.fArray), logy: fLogy, logz: fLogz}}))"
        f"({CANVAS}.getRootPad(true))"
    )
    return found


def test_the_page_draws_what_the_file_holds(folder: Path, chromium: Chromium, tmp_path: Path) -> None:
    path = write_browser_page(folder)
    assert path == folder / "browse.html"
    with chromium.page(path.as_uri(), 1400) as page:
        plane = drawn(page, "R^{2} against M_{R}, all events")
        assert np.reshape(plane["contents"], (22, 42))[1, 1:-1].tolist() == FALLING.tolist()
        assert (plane["logy"], plane["logz"]) == (0, 1)
        page.screenshot(tmp_path / "plane.png")
        click_item(page, "features;1")
        click_item(page, "MR;1")
        spectrum = drawn(page, "M_{R}, all events")
        assert spectrum["contents"][1:-1] == FALLING.tolist()
        assert (spectrum["logy"], spectrum["logz"]) == (1, 0)
        page.screenshot(tmp_path / "spectrum.png")
        for place in ("agreement/flagged", "planes/score_ensemble_MR_Rsq"):
            page.evaluate(f"browser.display('{place}').then(() => true)")
            page.screenshot(tmp_path / f"{place.replace('/', '_')}.png")
        mean = drawn(page, "Mean score")
        assert (mean["logy"], mean["logz"]) == (0, 0)
        assert page.complaints == []
        assert page.requests == [path.as_uri()]
    pixels = np.asarray(Image.open(tmp_path / "spectrum.png").convert("RGB"))
    assert (pixels == 205).all(axis=2).mean() > 0.1  # the grey area below all events, as JSROOT rounds it
    text = path.read_text(encoding="utf-8")
    assert "Permission is hereby granted, free of charge" in text
    assert "Synthetic multijet events" in text


def test_on_a_phone(folder: Path, chromium: Chromium, tmp_path: Path) -> None:
    with chromium.page(write_browser_page(folder).as_uri(), 400) as page:
        drawn(page, "R^{2} against M_{R}, all events")
        page.screenshot(tmp_path / "phone.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        assert page.complaints == []


def test_the_curves_of_an_evaluation(folder: Path, chromium: Chromium, tmp_path: Path) -> None:
    class Curve:
        fpr, tpr = np.array([0.0, 0.1, 1.0]), np.array([0.0, 0.7, 1.0])
        efficiency, improvement = np.array([0.7, 1.0]), np.array([2.2, 1.0])

    shutil.copy(folder / "run.json", tmp_path)
    scores, labels = np.float32([0.1, 0.5, 0.9, 0.8]), np.array([0, 0, 1, 1])
    write_curves(tmp_path / "curves.root", {"mlp": Curve()}, {"mlp": scores}, labels, Provenance("{}", simulated=True))
    with chromium.page(write_browser_page(tmp_path).as_uri(), 1400) as page:
        title = "SIMULATED ROC curve, mlp"
        wait_for(page, f"document.body.textContent.includes('{title}')")
        page.screenshot(tmp_path / "roc.png")
        graph = page.evaluate("browser.getObject('roc/mlp').then(({obj}) => [Array.from(obj.fX), Array.from(obj.fY)])")
        assert graph == [Curve.fpr.tolist(), Curve.tpr.tolist()]
        assert page.complaints == []


def test_no_page_without_room_for_it(folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "run", ignore=lambda *_: ["browse.html"]))
    (copy / "browse.html").mkdir()
    assert main(["page", str(copy)]) == 3
    assert f"{copy / 'browse.html'}: cannot be written" in capsys.readouterr().err
    assert {path.name for path in copy.iterdir()} == {"browse.html", "histograms.root", "run.json", DRAWN}


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jsroot, "cache_folder", lambda part: tmp_path / "cache" / part)
    return tmp_path / "cache" / "npm"


def write_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Write an npm that does what the code says."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\n{code}\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", str(program.parent))


def test_without_npm(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackageUnavailable, match="apt-get install npm"):
        jsroot.load_jsroot()


def test_npm_that_fails(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_npm(tmp_path, monkeypatch, "print('npm error code ENOTFOUND', file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(PackageUnavailable, match=r"code ENOTFOUND.*repeat with a network, or put jsroot-.*\.tgz into"):
        jsroot.load_jsroot()
    assert list(empty_cache.iterdir()) == []


@pytest.mark.parametrize("cached", [False, True])
def test_another_package_than_was_published(
    cached: bool, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that npm brings, and one that somebody put into the cache, which npm is then asked for anew."""
    name = f"jsroot-{jsroot.VERSION}.tgz"
    if cached:
        empty_cache.mkdir(parents=True)
        (empty_cache / name).write_bytes(b"something else")
    write_npm(tmp_path, monkeypatch, f"Path(sys.argv[-1], {name!r}).write_bytes(b'something else')")
    with pytest.raises(PackageUnavailable, match="not what was published"):
        jsroot.load_jsroot()
