"""Do the sources line up, bring them into line, and bring them onto one grid."""

from MedFusionLib.align.carry_labels import labels_in_moving_space, points_in_reference_space
from MedFusionLib.align.check import check_alignment
from MedFusionLib.align.nudge import nudge_transform, nudged
from MedFusionLib.align.register import MODELS, Registration, register
from MedFusionLib.align.resample import coverage, in_reference_space, resample_labels_to, resample_to, to_reference
from MedFusionLib.align.transform import ras_matrix, read_transform, write_transform

__all__ = [
    "MODELS",
    "Registration",
    "check_alignment",
    "coverage",
    "in_reference_space",
    "labels_in_moving_space",
    "nudge_transform",
    "nudged",
    "points_in_reference_space",
    "ras_matrix",
    "read_transform",
    "register",
    "resample_labels_to",
    "resample_to",
    "to_reference",
    "write_transform",
]
