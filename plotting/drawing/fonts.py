"""STIX without what no figure needs, so that a PDF is written in two thirds of the time.

A PDF holds the glyphs that it shows and no others. What cuts them out of a font first reads all of it: thousands of
mathematical letters, and tables of kerning and ligatures, anew for each figure.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fontTools import subset
from matplotlib.font_manager import fontManager

_FAMILY = "STIXGeneral"
# Scripts, punctuation, arrows, operators, and the suits of cards; beyond them are letters for formulas.
_CHARACTERS = [*range(0x20, 0x2600), *range(0x2660, 0x2667), 0x27E8, 0x27E9]
_TABLES = ["FFTM", "GDEF", "GPOS", "GSUB"]


def lighten_fonts(folder: Path) -> None:
    """Make matplotlib, for the rest of this process, take lighter copies of its STIX fonts.

    Args:
        folder: for the copies, which are needed as long as the process draws.
    """
    for font in [entry for entry in fontManager.ttflist if entry.name == _FAMILY]:
        path = folder / Path(font.fname).name
        options = subset.Options(glyph_names=True, drop_tables=_TABLES, name_IDs=[1, 2, 6])
        with subset.load_font(font.fname, options) as copy:
            subsetter = subset.Subsetter(options)
            subsetter.populate(unicodes=_CHARACTERS)
            subsetter.subset(copy)
            copy.save(path)
        # Of two fonts that fit equally well, matplotlib takes the first.
        fontManager.ttflist.insert(0, replace(font, fname=str(path)))
