"""The panel of the 3D Slicer module, one file per section. Nothing is loaded before the panel opens."""
