"""IFCNN whose features are added."""

from __future__ import annotations

from MedFusionLib.training.recipes.ifcnn import joined_by

RECIPE = joined_by("sum")
