"""medfusion check: do the sources line up?"""

from __future__ import annotations

from MedFusionLib.commands.base import Command, add_reading_arguments, read_sources


def add_arguments(parser) -> None:
    """REF MOVING..."""
    parser.add_argument("reference", metavar="REF", help="reference image")
    parser.add_argument("moving", nargs="+", metavar="MOVING", help="images that should line up with it")
    add_reading_arguments(parser)


def run(arguments) -> dict:
    """One verdict per moving image."""
    from MedFusionLib.align import check_alignment
    from MedFusionLib.volume import Case

    paths = [arguments.reference, *arguments.moving]
    reference, *moving = read_sources(paths, arguments)
    pairs = []
    for volume in moving:
        verdict = check_alignment(Case([reference, volume])).as_json()
        evidence = verdict["evidence"]["pairs"][0]
        overlap = evidence.get("overlap_fraction")
        pairs.append({**verdict, "evidence": evidence, "overlap_fraction": overlap})
    return {"pairs": pairs}


def show(document: dict) -> str:
    """Verdict and reasons per pair."""
    paragraphs = []
    for number, pair in enumerate(document["pairs"], start=1):
        paragraphs.append("\n".join([f"source {number}: {pair['status']}", *(f"  {r}" for r in pair["reasons"])]))
    return "\n\n".join(paragraphs)


COMMAND = Command("check", "say whether images line up", add_arguments, run, show)
