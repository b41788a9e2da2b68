"""Pages of the reports, filled by jinja2."""
