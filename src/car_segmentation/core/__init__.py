"""Errors, files, tables, processes, clusters: knows neither cars nor Keras."""
