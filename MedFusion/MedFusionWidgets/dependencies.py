"""What must be installed before a fusion can run, asked for and never taken."""

import importlib.util

import slicer
from slicer.i18n import tr as _

# import name -> what pip installs; torch comes through Slicer's PyTorch extension
LIBRARIES = {
    "nibabel": "nibabel>=5.3",
    "skimage": "scikit-image>=0.24",
    "pywt": "PyWavelets>=1.6",
    "safetensors": "safetensors>=0.5",
}
TORCH = ">=2.6"


def missingLibraries():
    """What pip would have to install."""
    return [requirement for name, requirement in LIBRARIES.items() if importlib.util.find_spec(name) is None]


def isTorchMissing():
    """Whether PyTorch is absent or only half installed (a folder without code)."""
    found = importlib.util.find_spec("torch")
    return found is None or found.origin is None


def ensureDependencies():
    """Install what is missing after asking.

    Returns
    -------
    str
        Why the fusion cannot run; empty when it can.
    """
    missing = missingLibraries()
    if missing:
        question = _("MedFusion needs these libraries, about 30 MB: {names}. Install them now?").format(
            names=", ".join(missing)
        )
        if not slicer.util.confirmOkCancelDisplay(question):
            return _("These libraries are missing: {names}.").format(names=", ".join(missing))
        slicer.util.pip_install(missing)
    return _ensureTorch() if isTorchMissing() else ""


def _ensureTorch():
    if importlib.util.find_spec("PyTorchUtils") is None:
        return _("PyTorch is missing. Install the PyTorch extension in the Extensions Manager and restart Slicer.")
    import PyTorchUtils

    logic = PyTorchUtils.PyTorchUtilsLogic()
    torch = logic.installTorch(askConfirmation=True, torchVersionRequirement=TORCH)
    return "" if torch else _("PyTorch was not installed.")
