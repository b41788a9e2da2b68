"""Keep libraries from quoting header values in logs and warnings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from MedFusionLib.io.dicom_files import without_quotes

_LIBRARIES = ("highdicom", "pynetdicom", "dicomweb_client")


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom, highdicom and the network libraries, whose messages may name the patient."""
    loggers = [logging.getLogger(name) for name in _LIBRARIES]
    before = [(one.propagate, one.level) for one in loggers]
    nowhere = logging.NullHandler()
    for one in loggers:
        one.propagate = False
        one.addHandler(nowhere)
    try:
        with without_quotes():
            yield
    finally:
        for one, (propagate, _) in zip(loggers, before):
            one.propagate = propagate
            one.removeHandler(nowhere)
