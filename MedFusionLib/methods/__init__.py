"""Fusion methods; calling the package gives the catalogue.

``MedFusionLib.methods`` is both this package and the function of the public interface: a package
that is imported hides an attribute of the same name in its parent, so the package itself is made
callable.
"""

from __future__ import annotations

import sys
import types


class _CallablePackage(types.ModuleType):
    def __call__(self) -> list:
        """Information on every fusion method, a list of MethodInfo."""
        from MedFusionLib.methods.catalogue import methods

        return methods()


sys.modules[__name__].__class__ = _CallablePackage
