"""The largest memory that a process held while it did one unit."""

import re
import resource
from pathlib import Path
from typing import Final

_CLEAR: Final = Path("/proc/self/clear_refs")
_STATUS: Final = Path("/proc/self/status")
_PEAK: Final = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)


def forget_peak() -> bool:
    """Lets the peak begin anew; returns False where the system only tells that of the process's life."""
    try:
        _CLEAR.write_text("5")
        return _PEAK.search(_STATUS.read_text()) is not None
    except OSError:
        return False


def peak_bytes() -> int:
    """Returns the largest resident memory since `forget_peak`, or since the process began."""
    try:
        found = _PEAK.search(_STATUS.read_text())
    except OSError:
        found = None
    return 1024 * (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
