"""Write the table of lesions into Docs/networks.md: ``python tools/update_lesions.py lesions.md``.

The file comes from Testing/Benchmarks/fused_lesions.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "Docs" / "networks.md"
BEGIN, END = "<!-- lesions -->\n", "<!-- /lesions -->"


def main(arguments: list[str]) -> int:
    """Replace what stands between the markers."""
    table = Path(arguments[0]).read_text(encoding="utf-8").strip()
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{table}\n{END}{after}", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
