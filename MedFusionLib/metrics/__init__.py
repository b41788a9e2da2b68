"""Metrics of image fusion, one definition each."""

from MedFusionLib.metrics.evaluate import evaluate
from MedFusionLib.metrics.registry import METRICS, MetricInfo

__all__ = ["METRICS", "MetricInfo", "evaluate"]
