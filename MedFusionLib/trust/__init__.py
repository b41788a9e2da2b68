"""Maps of trust: what came from where, and what came from nowhere."""

from MedFusionLib.trust.contribution import contribution_map, foreground_of
from MedFusionLib.trust.invention import invention_map, invention_summary

__all__ = ["contribution_map", "foreground_of", "invention_map", "invention_summary"]
