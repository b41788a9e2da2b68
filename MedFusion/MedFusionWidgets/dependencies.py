"""What must be installed before a fusion can run, asked for and never taken."""

import importlib
import importlib.metadata
import importlib.util
import logging
import re
import sys
from subprocess import CalledProcessError

import slicer
from slicer.i18n import tr as _

logger = logging.getLogger(__name__)

# import name -> what pip installs; torch comes through Slicer's PyTorch extension
LIBRARIES = {
    "nibabel": "nibabel>=5.3",
    "skimage": "scikit-image>=0.24",
    "pywt": "PyWavelets>=1.6",
    "safetensors": "safetensors>=0.5",
}
LEAST_TORCH = (2, 6)
LEAST_PYDICOM = 3


def missingLibraries():
    """What pip would have to install."""
    return [requirement for name, requirement in LIBRARIES.items() if importlib.util.find_spec(name) is None]


def isTorchMissing():
    """Whether PyTorch is absent or only half installed (a folder without code)."""
    found = importlib.util.find_spec("torch")
    return found is None or found.origin is None


def ensureLibraries():
    """Install what everything but the fusion itself needs, after asking.

    Returns
    -------
    str
        Why the work cannot go on; empty when it can.
    """
    missing = missingLibraries()
    problem = _installLibraries(missing) if missing else ""
    importlib.invalidate_caches()
    return problem


def ensureDependencies():
    """Install what the fusion needs, after asking.

    Returns
    -------
    str
        Why the fusion cannot run; empty when it can.
    """
    problem = ensureLibraries()
    if not problem and (isTorchMissing() or isTorchTooOld()):
        problem = _installTorch()
    importlib.invalidate_caches()
    return problem


def dicomProblem():
    """Why DICOM headers cannot be read in this Slicer; empty when they can. A bundled library is never upgraded."""
    version = importlib.metadata.version("pydicom")
    if int(version.partition(".")[0]) >= LEAST_PYDICOM:
        return ""
    return _(
        "This Slicer brings pydicom {version}. Reading DICOM folders, SUV from headers and DICOM export need Slicer "
        "5.12 or later. Load the series with Slicer's DICOM module instead."
    ).format(version=version)


def torchVersion():
    """The version of the installed PyTorch, read without importing it; empty when there is none."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return ""


def isTorchTooOld():
    """Whether an installed PyTorch is older than what the fusion needs."""
    numbers = re.match(r"(\d+)\.(\d+)", torchVersion())
    return numbers is not None and (int(numbers[1]), int(numbers[2])) < LEAST_TORCH


def _installLibraries(missing):
    names = ", ".join(missing)
    try:
        if importlib.util.find_spec("slicer.packaging") is not None:
            return _installWithPackaging(missing, names)
        question = _("MedFusion needs these libraries, about 30 MB: {names}. Install them now?").format(names=names)
        if not slicer.util.confirmOkCancelDisplay(question):
            return _refused(names)
        slicer.util.pip_install(missing)
    except CalledProcessError as error:
        logger.error("pip ended with code %s for %s", error.returncode, names)
        return _(
            "These libraries could not be installed: {names}. Connect to the internet and try again, or install "
            "them from a folder of wheels (Docs/offline.md)."
        ).format(names=names)
    return ""


def _installWithPackaging(missing, names):
    """Slicer 5.11 and later ask by themselves and show the progress."""
    import slicer.packaging

    try:
        slicer.packaging.pip_ensure(missing, requester="MedFusion")
    except RuntimeError as error:  # documented for a person who declines
        logger.info("Libraries were not installed: %s", error)
        return _refused(names)
    # in Slicer's testing mode nothing is installed
    return _refused(names) if missingLibraries() else ""


def _refused(names):
    return _("These libraries are missing: {names}. Press Apply again to install them.").format(names=names)


def isTorchLoaded():
    """Whether PyTorch is in use, so that it cannot be replaced before a restart."""
    return "torch" in sys.modules


def _torchRequirement():
    return ">=" + ".".join(map(str, LEAST_TORCH))


def _installTorch():
    if isTorchTooOld() and isTorchLoaded():
        return _(
            "PyTorch {version} is loaded and too old ({needed} is needed). Restart Slicer and press Apply again."
        ).format(version=torchVersion(), needed=_torchRequirement())
    halfInstalled = importlib.util.find_spec("torch")
    if halfInstalled is not None and halfInstalled.origin is None:
        folders = ", ".join(halfInstalled.submodule_search_locations or ())
        return _("PyTorch is only half installed. Delete {folders}, restart Slicer and press Apply again.").format(
            folders=folders
        )
    if importlib.util.find_spec("PyTorchUtils") is None:
        if isTorchTooOld():
            return _(
                "PyTorch {version} is too old ({needed} is needed). Install the PyTorch extension in the Extensions "
                "Manager, restart Slicer and press Apply again."
            ).format(version=torchVersion(), needed=_torchRequirement())
        return _("PyTorch is missing. Install the PyTorch extension in the Extensions Manager and restart Slicer.")
    import PyTorchUtils

    logic = PyTorchUtils.PyTorchUtilsLogic()
    torch = logic.installTorch(askConfirmation=True, torchVersionRequirement=_torchRequirement())
    return "" if torch else _("PyTorch was not installed. Press Apply again to install it.")
