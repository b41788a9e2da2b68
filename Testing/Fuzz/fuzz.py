"""Fuzz the readers of files: ``python Testing/Fuzz/fuzz.py [--seconds 60]``.

With atheris installed (Linux, Python up to 3.13) the run is guided by coverage of MedFusion and of the parsers beneath
it; without it, sound files are mutated at random. A finding is an error that is not MedFusion's own, more than 10 s or
more than 500 MB; it ends the run with exit code 1 and is written to ``--findings``.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "Testing" / "support"), str(Path(__file__).parent)]
MOST_SECONDS_EACH = 10.0
MOST_MB_MORE = 500
"""Beyond what the process takes once everything is imported and every sound file was read."""
MOST_BYTES = 16384
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def main(arguments: list[str] | None = None) -> int:
    """Run for so many seconds; 0 when nothing was found."""
    parser = argparse.ArgumentParser(description="Fuzz the readers of files")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--without-atheris", action="store_true", help="mutate at random even where atheris is there")
    parser.add_argument("--guided", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.guided:
        return guided(options)
    try:
        import atheris  # noqa: F401

        has_atheris = not options.without_atheris
    except ImportError:
        has_atheris = False
    return in_a_process_of_its_own(options) if has_atheris else at_random(options)


def in_a_process_of_its_own(options) -> int:
    """libFuzzer ends its process when it is done: keep ours to tell the result."""
    from targets import seeds

    options.findings.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            (Path(corpus) / str(number)).write_bytes(seed)
        command = [sys.executable, __file__, "--guided", corpus, "--seconds", str(options.seconds),
                   "--seed", str(options.seed), "--findings", str(options.findings)]  # fmt: skip
        code = subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode
    print("nothing found" if code == 0 else f"found something: see {options.findings}/")
    return int(code != 0)


def guided(options) -> int:
    """Coverage-guided, by atheris."""
    import atheris

    with atheris.instrument_imports(include=["MedFusionLib", "pydicom", "nibabel"]):
        import targets

        targets.import_everything()
    for sound in options.guided.iterdir():
        targets.run(sound.read_bytes())
    most_mb = round(peak_mb()) + MOST_MB_MORE
    libfuzzer = [
        sys.argv[0], str(options.guided), f"-max_total_time={options.seconds}", f"-seed={options.seed}",
        f"-max_len={MOST_BYTES}", f"-timeout={int(MOST_SECONDS_EACH)}", f"-rss_limit_mb={most_mb}",
        "-print_final_stats=1", f"-artifact_prefix={options.findings}/",
    ]  # fmt: skip
    atheris.Setup(libfuzzer, lambda data: targets.run(data) and None)
    atheris.Fuzz()
    return 0


def at_random(options) -> int:
    """Mutate sound files: bytes, lengths, pieces cut out or doubled."""
    from targets import run, seeds

    rng, sound, until = random.Random(options.seed), seeds(), time.monotonic() + options.seconds
    for data in sound:
        run(data)
    tried = accepted = 0
    most_mb = peak_mb() + MOST_MB_MORE
    options.findings.mkdir(parents=True, exist_ok=True)
    current = options.findings / "current"
    while time.monotonic() < until:
        data = mutated(rng, sound)
        current.write_bytes(data)  # stays behind when a reader never comes back
        faulthandler.dump_traceback_later(3 * MOST_SECONDS_EACH, exit=True)
        readers, problem = attempt(run, data, most_mb)
        if problem:
            return _report(options.findings, data, problem)
        accepted += bool(readers)
        tried += 1
    faulthandler.cancel_dump_traceback_later()
    current.unlink(missing_ok=True)
    print(f"{tried} files, {accepted} accepted by a reader, nothing found")
    return 0


def attempt(run, data: bytes, most_mb: float) -> tuple[int, str]:
    """How many readers accepted a file, and what is wrong with that; nothing wrong is the empty text."""
    for _ in range(2):  # slow once may be the machine, which was busy or asleep
        started = time.monotonic()
        try:
            readers = run(data)
        except Exception:
            return 0, traceback.format_exc()
        if peak_mb() > most_mb:
            return readers, f"took more than {MOST_MB_MORE} MB"
        if time.monotonic() - started <= MOST_SECONDS_EACH:
            return readers, ""
    return readers, f"took longer than {MOST_SECONDS_EACH:g} s, twice"


def peak_mb() -> float:
    """The most memory that this process has held, in MB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))


def mutated(rng: random.Random, sound: list[bytes]) -> bytes:
    """A sound file with one to eight changes; its first byte, which chooses the reader, mostly stays."""
    data = bytearray(rng.choice(sound))
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(1, len(data)) if len(data) > 1 else 0
        kind = rng.randrange(5)
        if kind == 0:
            data[place] = rng.choice(INTERESTING)
        elif kind == 1:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[place : place + 4] = rng.randbytes(4)
        elif kind == 3:
            del data[place : place + rng.randint(1, 16)]
        else:
            data[place:place] = data[place : place + rng.randint(1, 32)]
    return bytes(data[:MOST_BYTES])


def _report(folder: Path, data: bytes, text: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(data).hexdigest()[:16]
    (folder / name).write_bytes(data)
    print(text, f"The file is {folder / name}", sep="\n", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
