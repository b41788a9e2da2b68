"""The command line: a plug board of commands.

The library brings its own commands; MedFusionScene adds those that need a scene, when it is there.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import logging
import re
import sys
import traceback
from collections.abc import Sequence

from MedFusionLib import __version__
from MedFusionLib.commands.base import Command
from MedFusionLib.errors import Cancelled, MedFusionError, ResourcesExhausted
from MedFusionLib.io.plain import plain

OWN_COMMANDS = (
    "inspect", "suv", "check", "register", "methods", "fuse", "fuse_folder", "evaluate", "segment", "export", "send",
    "train", "batch",
)  # fmt: skip
PLUGINS = ("MedFusionScene.commands",)
UNEXPECTED = 1


def commands() -> list[Command]:
    """The library's commands and those of the plug-ins that can be imported."""
    own = [importlib.import_module(f"MedFusionLib.commands.{name}").COMMAND for name in OWN_COMMANDS]
    return own + [command for plugin in PLUGINS for command in _plugged(plugin)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    With ``--json`` standard output holds one JSON document and nothing else; messages go to standard
    error.
    """
    parsed = _parser().parse_args(_with_points_joined(sys.argv[1:] if arguments is None else arguments))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        document = plain(parsed.command.run(parsed))
    except KeyboardInterrupt:
        return _fail(Cancelled(), parsed)
    except MedFusionError as error:
        return _fail(error, parsed)
    except MemoryError:
        return _fail(ResourcesExhausted("Out of memory", "more memory, or smaller images"), parsed)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return _fail(
            MedFusionError(f"Unexpected {type(error).__name__}", "", "Please report it with the text above"), parsed
        )
    print(json.dumps(document, indent=2, allow_nan=False) if parsed.json else parsed.command.show(document))
    return parsed.command.exit_code(document)


def _with_points_joined(arguments: Sequence[str]) -> list[str]:
    """``--seed -70,-12,-790`` as ``--seed=-70,-12,-790``: argparse would take such a point for an option."""
    joined: list[str] = []
    for argument in arguments:
        if re.match(r"-[\d.]", argument) and joined and joined[-1].startswith("--") and "=" not in joined[-1]:
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="medfusion", description="Multimodal medical image fusion. Research use only."
    )
    parser.add_argument("--version", action="version", version=f"medfusion {__version__}")
    choices = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands():
        choice = choices.add_parser(command.name, help=command.summary, description=command.summary.capitalize() + ".")
        command.add_arguments(choice)
        choice.add_argument("--json", action="store_true", help="print one JSON document")
        choice.set_defaults(command=command)
    return parser


def _fail(error: MedFusionError, parsed: argparse.Namespace) -> int:
    if parsed.json:
        print(json.dumps(error.as_json(), indent=2))
    else:
        print(f"medfusion: {error}", file=sys.stderr)
    return error.exit_code


def _plugged(plugin: str) -> tuple[Command, ...]:
    package = plugin.partition(".")[0]
    return importlib.import_module(plugin).COMMANDS if importlib.util.find_spec(package) else ()
