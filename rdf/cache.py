"""The user's cache: what was downloaded, converted, simulated or compiled, and can be made again."""

from __future__ import annotations

from pathlib import Path

import platformdirs

APPLICATION = "root-anomaly-search"


def cache_folder() -> Path:
    """Return the user's cache folder (`XDG_CACHE_HOME` moves it)."""
    return Path(platformdirs.user_cache_dir(APPLICATION))
