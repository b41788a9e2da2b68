"""Parts of pages that scripts write."""

from __future__ import annotations

import importlib

import pytest

PAGE = "Before.\n<!-- table -->\nold\n<!-- /table -->\nAfter.\n"
HEAD = "| method | x |\n|---|---|\n"
TABLES = f"### A\n\n{HEAD}| one | 1 |\n| two | 2 |\n\n### B\n\n{HEAD}| one | 3 |"


@pytest.fixture
def marked(project_folder, monkeypatch):
    monkeypatch.syspath_prepend(project_folder / "tools")
    return importlib.import_module("marked")


def test_only_what_stands_between_the_marks_changes(marked, tmp_path):
    assert marked.part(PAGE, "table") == "old\n"
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    marked.write_part(page, "table", "new\n\n")
    assert page.read_text(encoding="utf-8") == PAGE.replace("old", "new")


@pytest.mark.parametrize("text", ["nothing", PAGE + PAGE, PAGE.replace("<!-- /table -->", "")])
def test_a_page_without_a_single_place_is_refused(marked, text):
    with pytest.raises(SystemExit, match="table"):
        marked.with_part(text, "table", "new")


def test_rows_are_replaced_below_their_own_heading_and_the_others_stay(marked):
    fresh = "### B\n\n| method | x |\n|---|---|\n| one | 9 |"
    assert marked.with_rows(TABLES, fresh) == TABLES.replace("| one | 3 |", "| one | 9 |")
    assert marked.with_rows(TABLES, TABLES) == TABLES


@pytest.mark.parametrize("fresh", [
    "### B\n| method | x |\n| two | 9 |", "### A\n| method | y |\n| one | 1 |", "### A\n| one | 1 | 2 |",
])  # fmt: skip
def test_a_row_without_a_place_or_with_other_columns_is_refused(marked, fresh):
    with pytest.raises(SystemExit, match="measure all"):
        marked.with_rows(TABLES, fresh)
