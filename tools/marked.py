"""Parts of a page that scripts write: what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

``python tools/marked.py PAGE NAME FILE`` puts what a benchmark has written into its place.
"""

from __future__ import annotations

import sys
from pathlib import Path


def part(text: str, name: str) -> str:
    """What stands between the marks of a name."""
    return _apart(text, name)[1]


def with_part(text: str, name: str, content: str) -> str:
    """The text with other content between the marks of a name."""
    before, _, after = _apart(text, name)
    return before + content.strip("\n") + "\n" + after


def write_part(page: Path, name: str, content: str) -> None:
    """Change one part of a page."""
    page.write_text(with_part(page.read_text(encoding="utf-8"), name, content), encoding="utf-8")


def _apart(text: str, name: str) -> tuple[str, str, str]:
    """What comes before the content, mark included, the content, and what comes after it."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"The page has no single part {begin.strip()} ... {end}: put both marks where it belongs")
    before, _, rest = text.partition(begin)
    content, _, after = rest.partition(end)
    return before + begin, content, end + after


if __name__ == "__main__":
    write_part(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text(encoding="utf-8"))
