"""medfusion send: files to an archive."""

from __future__ import annotations

from collections import Counter

from MedFusionLib.commands.base import Command, interruptible, progress_bar
from MedFusionLib.errors import UsageError


def add_arguments(parser) -> None:
    """FILE_OR_FOLDER... and the archive."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="DICOM files, or folders that hold them")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--to", metavar="HOST:PORT", help="archive that takes C-STORE")
    target.add_argument("--url", metavar="URL", help="archive that takes DICOMweb (STOW-RS), https")
    parser.add_argument("--title", default="ANY-SCP", metavar="AE", help="application entity title of the archive")
    parser.add_argument("--my-title", default="MEDFUSION", metavar="AE", help="application entity title of this side")
    parser.add_argument("--tls", action="store_true", help="encrypt C-STORE")
    parser.add_argument("--plain-http", action="store_true", help="allow http to another machine")


def run(arguments) -> dict:
    """Send; a refused file does not stop the others."""
    from MedFusionLib.io import pacs

    with interruptible() as cancelled, progress_bar("Sending") as progress:
        if arguments.url:
            peer = pacs.WebPeer(arguments.url, plain_http=arguments.plain_http)
            outcomes = pacs.stow(arguments.paths, peer, progress=progress, cancelled=cancelled)
        else:
            outcomes = pacs.send(arguments.paths, _peer(arguments), progress=progress, cancelled=cancelled)
    files = [{"path": str(one.path), "status": one.status, "code": one.code} for one in outcomes]
    refused = sum(one.status == "refused" for one in outcomes)
    if refused == len(outcomes):
        raise pacs.PacsError(f"The archive refused all {refused} files", "an archive that stores these objects")
    return {"files": files, "sent": len(files) - refused, "refused": refused}


def show(document: dict) -> str:
    """How many files had which outcome."""
    counts = Counter(entry["status"] for entry in document["files"])
    return "\n".join(f"{count} {status}" for status, count in counts.items())


def _peer(arguments):
    from MedFusionLib.io.pacs import Peer

    host, _, port = arguments.to.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"The archive {arguments.to!r}", "HOST:PORT, for example pacs.example.org:104")
    return Peer(host, int(port), arguments.title, arguments.my_title, tls=arguments.tls)


COMMAND = Command("send", "send DICOM files to an archive", add_arguments, run, show)
