"""The condition ``local:K``, pixel by pixel."""

import numpy as np


def stands_out(scores, k):
    """Whether each score (row, col) stands out from its annulus of 21 without 7 pixels."""
    logs = np.log1p(scores.astype(np.float64))
    least = np.nanstd(logs) / 4
    padded = np.pad(logs, 10, constant_values=np.nan)
    result = np.zeros(scores.shape, bool)
    for row, col in np.argwhere(np.isfinite(scores)):
        window = padded[row : row + 21, col : col + 21].copy()
        window[7:14, 7:14] = np.nan
        around = window[np.isfinite(window)]
        few = around.size < 0.25 * (21**2 - 7**2)
        result[row, col] = few or logs[row, col] > around.mean() + k * max(around.std(), least)
    return result
