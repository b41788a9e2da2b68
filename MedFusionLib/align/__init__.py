"""Do the sources line up, and bring them onto one grid."""

from MedFusionLib.align.check import check_alignment
from MedFusionLib.align.resample import coverage, resample_labels_to, resample_to, to_reference

__all__ = ["check_alignment", "coverage", "resample_labels_to", "resample_to", "to_reference"]
