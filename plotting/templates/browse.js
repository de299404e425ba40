"use strict";

// As macros/browse.C: numbers of events, and sums over them, span orders of magnitude; unless there are hardly any.
function isLogarithmic(histogram) {
  const flat = !/^T(H|Profile)2/.test(histogram._typename);
  const title = (flat ? histogram.fYaxis : histogram.fZaxis).fTitle;
  if (!["events", "sum of products"].includes(title) || histogram.fOption.includes("TEXT")) return false;
  const [nx, ny] = [histogram.fXaxis.fNbins, flat ? 1 : histogram.fYaxis.fNbins];
  let [lowest, smallest, largest] = [Infinity, Infinity, -Infinity];
  for (let x = 1; x <= nx; ++x)
    for (let y = 1; y <= ny; ++y) {
      const content = histogram.fArray[flat ? x : x + y * (nx + 2)];
      lowest = Math.min(lowest, content);
      largest = Math.max(largest, content);
      if (content > 0) smallest = Math.min(smallest, content);
    }
  return lowest >= 0 && largest > 20 * smallest;
}

// How an object is drawn: as its file says, and with the logarithmic axes that suit it.
function drawOption(object) {
  if (!object?.fXaxis) return object?.fOption ?? "";
  const axis = /^T(H|Profile)2/.test(object._typename) ? "logz" : "logy";
  const palette = object.fOption.includes("TEXT") ? ",pal89" : "";
  return object.fOption + palette + (isLogarithmic(object) ? "," + axis : "");
}

function setStyle({ gStyle, settings }) {
  settings.Palette = 112; // viridis
  settings.SkipStreamerInfos = true;
  settings.SmallPad = { width: 1, height: 1 }; // titles and statistics also where there is little room
  Object.assign(gStyle, {
    fOptStat: 111110, fStatX: 0.99, fStatY: 0.9, fStatW: 0.2, fStatH: 0.2, fStatBorderSize: 1,
    fPadLeftMargin: 0.18, fPadRightMargin: 0.22, fPadBottomMargin: 0.14, fPadTopMargin: 0.1,
    fPadTickX: 1, fPadTickY: 1, fTitleX: 0.5, fTitleFontSize: 0.045, fNumberContours: 100,
  });
}

class Browser extends JSROOT.HierarchyPainter {
  async display(name, option, ...rest) {
    const chosen = option && option !== "__default_draw_option__"; // a click on the tree chooses none
    return super.display(name, chosen ? option : drawOption((await this.getObject(name)).obj), ...rest);
  }
}

async function browse() {
  setStyle(JSROOT);
  const bytes = Uint8Array.from(atob(document.getElementById("file").textContent), (c) => c.charCodeAt(0));
  const browser = new Browser("browser", "tree");
  browser.setDisplay("simple", "drawing");
  await browser.openRootFile(bytes.buffer);
  // First the plane of a run, or a curve of an evaluation.
  for (const directory of ["planes", "roc"]) {
    const item = browser.findItem({ name: directory, check_keys: true });
    if (!item) continue;
    await browser.expandItem(browser.itemFullName(item));
    const first = item._childs.find(({ _kind }) => !_kind.includes("TDirectory"));
    if (first) await browser.display(browser.itemFullName(first));
  }
  window.browser = browser;
}

browse();
