"""MLflow: runs, registry, verdicts; search; comparison of networks."""
