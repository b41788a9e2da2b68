"""Write the tables of Docs/tumour.md: ``python tools/update_tumour.py FILE...`` (see Testing/Benchmarks/tumour.py)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from marked import write_part

PAGE = Path(__file__).resolve().parents[1] / "Docs" / "tumour.md"


def main(arguments: list[str]) -> int:
    """Change every table that the files hold."""
    for name in arguments:
        for marker, lines in json.loads(Path(name).read_text(encoding="utf-8")).items():
            write_part(PAGE, marker, "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
