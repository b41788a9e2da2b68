"""Fill the templates of the pages."""

from __future__ import annotations

from importlib import resources

from MedFusionLib import __version__
from MedFusionLib.errors import NotSupported
from MedFusionLib.provenance import STATEMENT


def render(template: str, **values) -> str:
    """A page of a template in ``templates``; every value is escaped.

    Raises
    ------
    NotSupported
        When jinja2 or matplotlib is not installed.
    """
    try:
        import jinja2
    except ImportError as error:
        raise NotSupported("Pages need jinja2", "the extra: pip install medfusion[batch]", "Or --no-reports") from error
    folder = resources.files("MedFusionLib.batch.templates")
    loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined,
                                     trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    environment.filters["short"] = _short
    return environment.get_template(template).render(version=__version__, statement=STATEMENT, **values)


def _short(value):
    """A number for a cell: four digits; nothing for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else value
