"""Is there an OpenGL library to draw with, before anything tries to?"""

from __future__ import annotations

import ctypes
import sys

_EGL = "libEGL.so.1"
_OSMESA = "libOSMesa.so.8"
_INSTALL = (
    "Install EGL with its drivers, on Debian and Ubuntu: "
    "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6)"
)


def offscreen_problem() -> str | None:
    """Why offscreen views cannot be drawn here, with the package to install; None when they can.

    Without OpenGL the first rendering would end the process, so this must be asked before any view
    is made.
    """
    if not sys.platform.startswith("linux") or _loads(_OSMESA):
        return None
    if not _loads(_EGL):
        return f"No OpenGL library to draw pictures with. {_INSTALL}"
    # EGL without a driver loads as well; VTK then settles for OSMesa, which is not there
    if _window_class() == "vtkOSOpenGLRenderWindow":
        return f"The OpenGL library finds no driver to draw pictures with. {_INSTALL}"
    return None


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _window_class() -> str:
    """The kind of window that VTK makes here; making one draws nothing."""
    import vtk

    return vtk.vtkRenderWindow().GetClassName()
