"""Is there an OpenGL library to draw with, before anything tries to?"""

from __future__ import annotations

import ctypes
import sys

_LIBRARIES = ("libEGL.so.1", "libOSMesa.so.8")


def offscreen_problem() -> str | None:
    """Why offscreen views cannot be drawn here, with the package to install; None when they can.

    Without an OpenGL library the first rendering would end the process, so this must be asked
    before any view is made.
    """
    if not sys.platform.startswith("linux"):
        return None
    for library in _LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            continue
        return None
    return (
        "No OpenGL library to draw pictures with. Install EGL, on Debian and Ubuntu: "
        "apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6)"
    )
