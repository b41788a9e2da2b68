"""What Slicer's API documents of the classes that the stand-in imitates."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def documented() -> dict:
    """Class name -> properties, signals, methods."""
    return json.loads(Path(__file__).with_name("api_extract.json").read_text(encoding="utf-8"))
