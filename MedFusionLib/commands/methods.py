"""medfusion methods: the catalogue."""

from __future__ import annotations

from MedFusionLib.commands.base import Command, table


def add_arguments(parser) -> None:
    """Nothing to say."""


def run(arguments) -> dict:
    """Everything the catalogue says of every method."""
    from MedFusionLib.methods.catalogue import default_pairs, methods

    return {
        "methods": [
            {
                "name": info.name,
                "title": info.title,
                "family": info.family,
                "sentence": info.sentence,
                "citation": info.citation,
                "reproduces": info.reproduces,
                "survey_reference": info.survey_reference or None,
                "dims": list(info.dims),
                "sources": "2 or more" if info.max_sources is None else f"2 to {info.max_sources}",
                "pairs": list(info.pairs),
                "weights": info.weights or None,
                "default": list(default_pairs(info.name)),
                "flagship": info.flagship,
                "invention": info.invention,
                "warning": info.warning or None,
            }
            for info in methods()
        ]
    }


def show(document: dict) -> str:
    """A table of names and sentences."""
    rows = [
        (m["name"], m["family"], "/".join(f"{d}-D" for d in m["dims"]), _percent(m["invention"]), m["sentence"])
        for m in document["methods"]
    ]
    return table(rows, ("name", "family", "modes", "invents", "what it does"))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


COMMAND = Command("methods", "list the fusion methods", add_arguments, run, show)
