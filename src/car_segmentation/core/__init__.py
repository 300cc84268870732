"""Errors, files, processes, clusters: knows neither cars nor Keras."""
