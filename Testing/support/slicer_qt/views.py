"""What the application looks with: its logic, its layout, and pictures of its views."""

from __future__ import annotations

import types

from slicer_qt.api import documented


def screen_capture(booted, cell_pixels: int):
    """The module ScreenCapture: a picture of the layout, drawn by real offscreen views."""

    class ScreenCaptureLogic:
        def captureImageFromView(self, view, filename=None, transparentBackground=False, volumeNode=None):
            from MedFusionScene.layout_view import LayoutView
            from MedFusionScene.layouts import PROTOCOLS, current_protocol

            if view is not None or filename is None:
                raise NotImplementedError("the stand-in pictures the whole layout, into a file")
            protocol = current_protocol(booted.scene) or next(iter(PROTOCOLS.values()))
            views = LayoutView(booted, protocol, cell_pixels)
            views.save(filename)
            views.close()

    known = documented()["ScreenCaptureLogic"]["methods"]
    assert {name for name in vars(ScreenCaptureLogic) if not name.startswith("_")} <= set(known)
    return types.SimpleNamespace(ScreenCaptureLogic=ScreenCaptureLogic)
