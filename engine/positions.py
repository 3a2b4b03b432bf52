"""Positions of photos that share one GPS second (torch-free)."""

import numpy as np
import numpy.typing as npt

_SAME_FIX_S = 1.0
_NEXT_FIX_S = 5.0  # fixes further apart do not tell how the vehicle moved in between

Floats = npt.NDArray[np.float64]


def spread_fixes(
    latitudes: Floats, longitudes: Floats, moments_s: Floats
) -> tuple[npt.NDArray[np.bool_], Floats, Floats]:
    """Spread photos that share one GPS fix along the way to the next fix.

    Only photos with one position within one second, whose next fix comes within 5 s, are moved. The last fix
    goes on as the one before.

    Args:
        latitudes: float64 (N,), WGS84 degrees, sorted by time.
        longitudes: float64 (N,), likewise.
        moments_s: float64 (N,), seconds, rising.

    Returns:
        bool (N,) which photos moved, and all latitudes and longitudes after.
    """
    new_fix = np.ones(len(latitudes), dtype=bool)
    new_fix[1:] = (np.diff(latitudes) != 0) | (np.diff(longitudes) != 0)
    starts = np.flatnonzero(new_fix)
    if len(starts) < 2:
        return np.zeros(len(latitudes), dtype=bool), latitudes, longitudes
    sizes = np.diff(np.append(starts, len(latitudes)))
    fix = np.repeat(np.arange(len(starts)), sizes)
    rank = np.arange(len(latitudes)) - starts[fix]
    spans_s = moments_s[starts + sizes - 1] - moments_s[starts]
    # The step of each fix is the way to the next one; the last goes on as the one before.
    north = np.diff(latitudes[starts])
    east = (np.diff(longitudes[starts]) + 180.0) % 360.0 - 180.0
    pause_s = np.diff(moments_s[starts])
    north, east, pause_s = (np.append(step, step[-1]) for step in (north, east, pause_s))
    usable = (sizes > 1) & (spans_s <= _SAME_FIX_S) & (pause_s <= _NEXT_FIX_S)
    moved = usable[fix] & (rank > 0)
    share = np.where(moved, rank / sizes[fix], 0.0)
    moved_longitudes = (longitudes + share * east[fix] + 180.0) % 360.0 - 180.0
    return moved, latitudes + share * north[fix], np.where(moved, moved_longitudes, longitudes)
