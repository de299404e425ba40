"""browse.html: the histograms of a run or the curves of an evaluation in one page, for a web browser offline."""

from __future__ import annotations

import base64
from pathlib import Path

from markupsafe import Markup

from plotting.browsing.browsable import find_root_file
from plotting.browsing.jsroot import VERSION, load_jsroot
from plotting.pages import template_environment, write_page
from plotting.results.checksums import check_results
from plotting.results.records import check_files
from plotting.results.run_record import RUN_JSON, read_record

PAGE = "browse.html"

_REMEDY = "repeat what wrote it (python -m analysis.run or analysis.evaluate)"


def write_browser_page(folder: Path) -> Path:
    """Write `folder`/browse.html, with JSROOT and the ROOT file of a run or an evaluation inside, and return its path.

    Raises:
        MissingResult: the folder, its ROOT file or its run.json is not there.
        UnreadableResult: a file is truncated or damaged.
        PackageUnavailable: JSROOT cannot be had.
        PageFolderError: the page cannot be written.
    """
    path = find_root_file(folder)
    check_files(folder, (RUN_JSON,), _REMEDY)
    check_results(folder, (RUN_JSON,), _REMEDY)
    record = read_record(folder / RUN_JSON, _REMEDY)
    jsroot = load_jsroot()
    page = (
        template_environment()
        .get_template("browse.html")
        .render(
            sample=record.sample,
            name=path.name,
            version=VERSION,
            licence=_inside_script(jsroot.licence.replace("*/", "")),
            jsroot=_inside_script(jsroot.script),
            file=base64.b64encode(path.read_bytes()).decode("ascii"),
        )
    )
    return write_page(folder / PAGE, page)


def _inside_script(text: str) -> Markup:
    """Return a text as it stands inside a script, which `</script` would end."""
    return Markup(text.replace("</script", "<\\/script"))
