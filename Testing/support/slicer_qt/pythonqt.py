"""PythonQt's way of speaking to a Qt object: properties are attributes, signals are connected by their signature."""

from __future__ import annotations

import functools
import re
import traceback

from PySide6 import QtCore

from slicer_qt.api import documented

ERRORS: list[str] = []
"""Tracebacks of exceptions that slots raised; a test that leaves any has failed."""

_OWN = {"connect", "disconnect", "setProperty", "property"}
_READ_BY_METHODS = {"sizeHint", "minimumSizeHint"}
"""Properties that Qt reads by virtual methods of the same name, which PySide6 looks up here: they stay methods."""


class PythonQt:
    """Mixin for widgets; put it before the Qt class."""

    imitates = ""
    """Class of Slicer whose documented names are the only ones that exist; empty for Qt's own classes."""

    def __getattribute__(self, name: str):
        if name.startswith("_") or name in ("imitates", "metaObject"):
            return super().__getattribute__(name)
        if name in ("connect", "disconnect"):
            return functools.partial(_connect if name == "connect" else _disconnect, self)
        if name in _properties(type(self)) and name not in _READ_BY_METHODS:
            return super().__getattribute__("property")(name)
        _check_documented(type(self), name)
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value) -> None:
        if name in _properties(type(self)):
            self.setProperty(name, value)
        elif name.startswith("_"):
            super().__setattr__(name, value)
        else:
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")


@functools.lru_cache(maxsize=64)
def _properties(kind: type) -> frozenset[str]:
    meta = kind.staticMetaObject
    names = {meta.property(n).name() for n in range(meta.propertyCount())}
    return frozenset(names | set(documented().get(kind.imitates, {}).get("properties", ())))


@functools.lru_cache(maxsize=64)
def _inherited(kind: type) -> frozenset[str]:
    """Names of the Qt class below the imitation."""
    return frozenset(dir(next(base for base in kind.__mro__ if base.__module__.startswith("PySide6"))))


def _check_documented(kind: type, name: str) -> None:
    if not kind.imitates or name in _OWN or name in _inherited(kind):
        return
    known = documented()[kind.imitates]
    if name not in known["methods"] and name not in {signal.partition("(")[0] for signal in known["signals"]}:
        raise AttributeError(f"{kind.imitates} documents no {name!r}")


def _connect(sender, signature: str, slot) -> None:
    name, arguments = _split(signature)
    _check_signal(type(sender), sender, signature)

    def call(*values):
        try:
            slot(*values)
        except Exception:
            ERRORS.append(traceback.format_exc())

    # Qt for Python hands over as many values as the slot names: that tells clicked() from clicked(bool)
    receive = (lambda: call(), lambda one: call(one), lambda one, two: call(one, two))[len(arguments)]
    QtCore.QObject.__getattribute__(sender, name).connect(receive)
    QtCore.QObject.__getattribute__(sender, "__dict__").setdefault("_slots", {})[signature, slot] = receive


def _disconnect(sender, signature: str, slot) -> None:
    receive = QtCore.QObject.__getattribute__(sender, "__dict__")["_slots"].pop((signature, slot))
    QtCore.QObject.__getattribute__(sender, _split(signature)[0]).disconnect(receive)


def _check_signal(kind: type, sender, signature: str) -> None:
    if kind.imitates and signature in documented()[kind.imitates]["signals"]:
        return
    normal = QtCore.QMetaObject.normalizedSignature(signature).data().decode()
    if sender.metaObject().indexOfSignal(normal) < 0:
        raise AttributeError(f"{kind.imitates or kind.__name__} has no signal {signature}")


def _split(signature: str) -> tuple[str, list[str]]:
    match = re.fullmatch(r"(\w+)\((.*)\)", signature)
    if match is None:
        raise ValueError(f"{signature!r} is not a signal signature such as clicked()")
    return match[1], [part for part in match[2].split(",") if part]
