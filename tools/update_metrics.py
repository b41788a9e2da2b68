"""Write the table of metrics into Docs/metrics.md. Usage: python tools/update_metrics.py"""

from __future__ import annotations

from pathlib import Path

from marked import write_part

from MedFusionLib.metrics import METRICS

PAGE = Path(__file__).resolve().parents[1] / "Docs" / "metrics.md"
BETTER = {True: "higher", False: "lower", None: "-"}


def metric_table() -> str:
    """The catalogue as a Markdown table."""
    rows = [
        "| key | metric | set | definition here | unit, range | better | sources | taken | mask | elsewhere | source |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for info in METRICS:
        kind = "legacy" if info.legacy else "standard" if info.standard else "all"
        cells = (
            f"`{info.name}`", info.title, kind + (", roles" if info.needs_roles else ""), info.definition,
            f"{info.unit}; {info.span}", BETTER[info.higher_is_better], info.pooling, info.way, info.mask,
            info.elsewhere, info.citation,
        )  # fmt: skip
        rows.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(rows)


def main() -> None:
    """Update the page."""
    write_part(PAGE, "metrics", metric_table())


if __name__ == "__main__":
    main()
