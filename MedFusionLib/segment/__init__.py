"""Tumour segmentation and measures of lesions."""

from MedFusionLib.segment.labels import segmentation_from_labels
from MedFusionLib.segment.measures import measure_lesions
from MedFusionLib.segment.threshold import ThresholdRule, parse_threshold, threshold_segmentation

__all__ = [
    "ThresholdRule",
    "measure_lesions",
    "parse_threshold",
    "segmentation_from_labels",
    "threshold_segmentation",
]
