"""A stand-in for Slicer's Qt layer: real Qt (PySide6), real MRML (slicer-core), Slicer's way of speaking to them.

It carries only names that Slicer's API documents (api_extract.json); any other name is an error. It proves that the
module file, its panel and its parameter node work together over a real scene. It cannot prove true PythonQt type
conversions, the look of Slicer's own widgets, or layout switching.
"""

from slicer_qt.install import Stage, stage

__all__ = ["Stage", "stage"]
