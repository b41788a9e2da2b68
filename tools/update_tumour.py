"""Write the tables of Docs/tumour.md: ``python tools/update_tumour.py FILE...`` (see Testing/Benchmarks/tumour.py)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "Docs" / "tumour.md"


def main(arguments: list[str]) -> int:
    """Replace what stands between the markers of every table that the files hold."""
    text = PAGE.read_text(encoding="utf-8")
    for name in arguments:
        for marker, lines in json.loads(Path(name).read_text(encoding="utf-8")).items():
            pattern = f"(<!-- {marker} -->\\n).*?(<!-- /{marker} -->)"
            table = "\n".join(lines) + "\n"
            text, count = re.subn(
                pattern, lambda match, table=table: match[1] + table + match[2], text, flags=re.DOTALL
            )
            if not count:
                raise SystemExit(f"{PAGE.name} has no place for the table {marker}")
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
