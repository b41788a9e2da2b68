"""Parts of a page that scripts write: what stands between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

``python tools/marked.py PAGE NAME FILE`` puts what a benchmark has written into its place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
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


def with_rows(before: str, after: str) -> str:
    """Tables with the rows that others have anew, found by the heading above and the first cell; all others stay.

    A row that is not there yet, or a table with other columns, is refused: then everything has to be measured.
    """
    known, fresh = ({(heading, row.split("|")[1].strip()): row for heading, row in rows(text)}
                    for text in (before, after))  # fmt: skip
    odd = [place for place, row in fresh.items() if place not in known or row.count("|") != known[place].count("|")]
    odd += [place for place, row in fresh.items() if place[1] == "method" and place in known and row != known[place]]
    if odd:
        raise SystemExit(f"No such row or other columns: {odd[0]}: measure all methods")
    found, heading = [], ""
    for line in before.splitlines():
        heading = line if _is_heading(line) else heading
        place = (heading, line.split("|")[1].strip()) if line.startswith("|") else None
        found.append(fresh.get(place, line))
    return "\n".join(found)


def rows(text: str) -> Iterator[tuple[str, str]]:
    """The rows of all tables, each after the heading above it."""
    heading = ""
    for line in text.splitlines():
        heading = line if _is_heading(line) else heading
        if line.startswith("|"):
            yield heading, line


def _is_heading(line: str) -> bool:
    return line.startswith(("#", "**"))


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
