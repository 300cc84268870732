"""Plots, each drawn once, with Plotly: for the report, for MLflow and for Kedro-Viz."""
