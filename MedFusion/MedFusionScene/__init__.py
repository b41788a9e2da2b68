"""MedFusion in a 3D Slicer scene: MRML without Qt, the same in the application and headless.

Importing the package loads nothing; its modules import ``slicer`` and ``vtk`` when they are used.
"""
