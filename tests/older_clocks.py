"""A `tzdata` package with the clocks of yesterday: what the service finds when an older version is installed.

The service takes the rules of clocks from the package of that name and from nowhere else (TZ-05), so a process that
finds this one first on its path is a service of the time before the rules changed. No network, no other tool: a zone
file of one line of rules is written here (RFC 8536).
"""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import tzdata

# standards.md, G.4: zones whose clocks 2026f moves in winter, as 2025b had them (POSIX: hours *behind* UTC)
CLOCKS_OF_2025B = {
    "America/Vancouver": (-8, "PST", "PST8PDT,M3.2.0,M11.1.0"),
    "America/Edmonton": (-7, "MST", "MST7MDT,M3.2.0,M11.1.0"),
    "Africa/Casablanca": (1, "+01", "<+01>-1"),
}


def write_package(folder: Path) -> Path:
    """Make the package in `folder`, to be put on PYTHONPATH."""
    package = folder / "tzdata"
    shutil.copytree(Path(tzdata.__file__).parent, package)
    (package / "__init__.py").write_text('IANA_VERSION = "2025b"\n__version__ = "2025.2"\n')
    for name, (hours, word, rule) in CLOCKS_OF_2025B.items():
        (package / "zoneinfo" / name).write_bytes(zone_file(hours, word, rule))
    return folder


def zone_file(hours: int, word: str, rule: str) -> bytes:
    """A zone whose clocks follow `rule` for ever: no transition is listed, all follows from the footer."""
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, len(word) + 1)
    header = b"TZif2" + bytes(15) + counts
    block = struct.pack(">lbb", hours * 3600, 0, 0) + word.encode() + b"\0"
    return header + block + header + block + f"\n{rule}\n".encode()
