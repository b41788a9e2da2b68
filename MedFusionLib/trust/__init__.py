"""Maps of trust: what came from where, what came from nowhere, what got lost, what would change."""

from MedFusionLib.trust.contribution import contribution_map, contribution_summary, foreground_of, region_shares
from MedFusionLib.trust.invention import invention_map, invention_summary
from MedFusionLib.trust.lesions import lesion_contrast
from MedFusionLib.trust.loss import loss_map, loss_summary
from MedFusionLib.trust.report import trust_report
from MedFusionLib.trust.stability import stability_map, stability_summary

__all__ = [
    "contribution_map",
    "contribution_summary",
    "foreground_of",
    "invention_map",
    "invention_summary",
    "lesion_contrast",
    "loss_map",
    "loss_summary",
    "region_shares",
    "stability_map",
    "stability_summary",
    "trust_report",
]
