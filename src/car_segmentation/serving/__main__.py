"""Serve a model to callers that are not trusted: ``python -m car_segmentation.serving MODEL``."""

import argparse
import os
from pathlib import Path

from car_segmentation.experiments.tracking import tracking_uri
from car_segmentation.serving.request_limits import Guard


def main() -> None:
    """Load the model, and answer requests until stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m car_segmentation.serving",
        description="Serve a model of MLflow, with limits that `mlflow models serve` has not.",
    )
    parser.add_argument(
        "model", help="models:/car_segmentation@champion, runs:/RUN/model, a folder"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument("--max-megabytes", type=float, default=64, help="of a request's body")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

    import mlflow
    import uvicorn
    from mlflow.pyfunc import scoring_server

    mlflow.set_tracking_uri(tracking_uri(Path.cwd()))
    app = scoring_server.init(mlflow.pyfunc.load_model(arguments.model))
    uvicorn.run(
        Guard(app, int(arguments.max_megabytes * 1e6)),
        host=arguments.host,
        port=arguments.port,
        limit_concurrency=64,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
