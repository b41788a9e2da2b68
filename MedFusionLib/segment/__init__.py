"""Tumour segmentation and measures of lesions."""

from MedFusionLib.segment.agreement import Agreement, measure_agreement
from MedFusionLib.segment.candidates import candidate_segmentation, keep_segments
from MedFusionLib.segment.carry import carry_labels, carry_segmentation
from MedFusionLib.segment.catalogue import Marks, is_method, method_names, segment
from MedFusionLib.segment.compare import Comparison, compare_rules
from MedFusionLib.segment.labels import segmentation_from_labels, with_type
from MedFusionLib.segment.measures import contrast, measure_lesions, total_of
from MedFusionLib.segment.morphology import close_mask, combine, fill_holes, keep_islands, smooth_mask
from MedFusionLib.segment.percist import percist_rule
from MedFusionLib.segment.threshold import ThresholdRule, parse_threshold, threshold_segmentation

__all__ = [
    "Agreement",
    "Comparison",
    "Marks",
    "ThresholdRule",
    "candidate_segmentation",
    "carry_labels",
    "carry_segmentation",
    "close_mask",
    "combine",
    "compare_rules",
    "contrast",
    "fill_holes",
    "is_method",
    "keep_islands",
    "keep_segments",
    "measure_agreement",
    "measure_lesions",
    "method_names",
    "parse_threshold",
    "percist_rule",
    "segment",
    "segmentation_from_labels",
    "smooth_mask",
    "threshold_segmentation",
    "total_of",
    "with_type",
]
