"""Serve a model to callers that are not trusted: ``python -m car_segmentation.serving MODEL``."""

import argparse
import logging
import os
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from car_segmentation.core.errors import UserError
from car_segmentation.parameters import PredictionOptions
from car_segmentation.parameters.messages import problem_text
from car_segmentation.serving.request_limits import ServiceLimits

TOKEN_VARIABLE = "CAR_SEGMENTATION_TOKEN"


def main() -> None:
    """Load the model, and answer requests until stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m car_segmentation.serving",
        description="Serve a model over HTTP: masks, cut-outs, a page, MLflow's protocol.",
        epilog=f"A token that callers have to send is read from ${TOKEN_VARIABLE}.",
    )
    parser.add_argument(
        "model",
        help="FILE.keras with threshold.json beside it, models:/car_segmentation@champion, "
        "runs:/RUN/model, or the folder of an MLflow model",
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5001)
    parser.add_argument(
        "--follow-seconds",
        type=float,
        default=15,
        help="how often to look whether the model was exchanged",
    )
    parser.add_argument(
        "--prediction",
        default="{}",
        help="how photos are predicted, in YAML, as the parameters of that name: 'flip: true'",
    )
    limits = parser.add_argument_group("limits")
    for name, field in ServiceLimits.model_fields.items():
        option, kind = f"--max-{name.replace('_', '-')}", type(field.default)
        limits.add_argument(option, type=kind, default=field.default, help=field.description)
    arguments = vars(parser.parse_args())
    given = {name: arguments[f"max_{name}"] for name in ServiceLimits.model_fields}
    try:
        serve(
            arguments["model"],
            arguments["host"],
            arguments["port"],
            ServiceLimits(**given),
            arguments["follow_seconds"],
            _prediction_options(arguments["prediction"]),
        )
    except UserError as error:
        sys.exit(str(error))


def _prediction_options(text: str) -> PredictionOptions:
    """Options from YAML; one photo at a time, if nothing else is said."""
    try:
        return PredictionOptions(**({"batch_size": 1} | yaml.safe_load(text)))
    except ValidationError as error:
        raise UserError(f"--prediction: {problem_text(error.errors()[0])}") from None
    except (yaml.YAMLError, TypeError):
        raise UserError(f"--prediction is {text!r}, which is not YAML like 'flip: true'") from None


def serve(
    model: str,
    host: str,
    port: int,
    limits: ServiceLimits,
    follow_seconds: float,
    options: PredictionOptions,
) -> None:
    """Load a model, and answer requests until SIGTERM; those in work are still answered."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import mlflow

    from car_segmentation.experiments.tracking_server import tracking_uri
    from car_segmentation.serving.app import build_app
    from car_segmentation.serving.connections import http_server
    from car_segmentation.serving.live_model import LiveModel
    from car_segmentation.serving.metrics import Metrics

    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    mlflow.set_tracking_uri(tracking_uri(Path.cwd()))
    metrics = Metrics()
    live = LiveModel(model, metrics, options)
    live.follow(follow_seconds)
    app = build_app(live, metrics, limits, os.environ.get(TOKEN_VARIABLE))
    http_server(app, limits, host, port).run()


if __name__ == "__main__":
    main()
