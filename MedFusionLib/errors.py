"""The one family of errors: what is wrong, what was expected, what to do next."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text without control characters, which could forge lines of a log or steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


class MedFusionError(Exception):
    """Base of every error that MedFusion raises on purpose.

    Parameters
    ----------
    what : str
        What is wrong, naming the thing (file, source, option).
    expected : str
        What would have been right.
    hint : str
        What the person can do next.

    Attributes
    ----------
    exit_code : int
        Exit code of the command line for this kind of error.
    """

    exit_code = 1

    def __init__(self, what: str, expected: str = "", hint: str = "") -> None:
        self.what, self.expected, self.hint = printable(what), printable(expected), printable(hint)
        parts = [self.what.rstrip(".") + "."]
        if expected:
            parts.append("Expected: " + self.expected.rstrip(".") + ".")
        if hint:
            parts.append(self.hint.rstrip(".") + ".")
        super().__init__(" ".join(parts))

    def as_json(self) -> dict:
        """The error as the JSON object of the command line's contract."""
        message = self.what if not self.expected else f"{self.what}. Expected: {self.expected}"
        return {
            "error": {
                "code": self.exit_code,
                "type": type(self).__name__,
                "message": message,
                "hint": self.hint,
            }
        }


class UsageError(MedFusionError):
    """A wrong argument or a wrong combination of arguments."""

    exit_code = 2


class UnreadableFile(MedFusionError):
    """An input that is missing, broken, or not what it says it is."""

    exit_code = 3


class NotAligned(MedFusionError):
    """Sources that do not line up and must not be fused as they are."""

    exit_code = 4


class SuvUnavailable(MedFusionError):
    """A PET series that lacks what a standardised uptake value needs.

    Parameters
    ----------
    what, expected, hint : str
        As for `MedFusionError`.
    reason : str
        Which kind of refusal, for programs: ``missing_tag``, ``ambiguous_timing``, ``multiple_tracers``,
        ``unsupported_value``, ``missing_normaliser`` or ``not_pet``.
    """

    exit_code = 5

    def __init__(self, what: str, expected: str = "", hint: str = "", reason: str = "unsupported_value") -> None:
        self.reason = reason
        super().__init__(what, expected, hint)

    def as_json(self) -> dict:
        """The error as JSON, with its reason."""
        document = super().as_json()
        return {"error": {**document["error"], "reason": self.reason}}


class NotSupported(MedFusionError):
    """Something valid that MedFusion cannot do, or cannot do yet."""

    exit_code = 6


class ResourcesExhausted(MedFusionError):
    """Out of memory or out of disk space."""

    exit_code = 7


class Cancelled(MedFusionError):
    """The person stopped the work."""

    exit_code = 8

    def __init__(self, what: str = "Cancelled", expected: str = "", hint: str = "") -> None:
        super().__init__(what, expected, hint or "Nothing was written")
