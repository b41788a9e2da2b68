"""Metrics of image fusion, one definition each."""

from MedFusionLib.metrics.catalogue import METRICS
from MedFusionLib.metrics.evaluate import evaluate
from MedFusionLib.metrics.faithfulness import roles_of
from MedFusionLib.metrics.registry import MetricInfo

__all__ = ["METRICS", "MetricInfo", "evaluate", "roles_of"]
