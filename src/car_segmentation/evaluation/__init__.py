"""Scores, threshold, intervals, slices, causes of errors, label errors, two runs compared."""
