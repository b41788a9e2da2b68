"""IFCNN whose features are averaged."""

from __future__ import annotations

from MedFusionLib.training.recipes.ifcnn import joined_by

RECIPE = joined_by("mean")
