"""OpenAPI's description of the service's routes; their handlers read requests themselves."""

from typing import Any

from car_segmentation.serving.picture_options import RequestOptions

SUMMARY = (
    "Photos in, masks and cut-outs out. A photo is sent as the body, or as the file `photo` of a "
    "form; several files of a form make a batch. Answers are PNG, for a batch a zip archive, or "
    "JSON with the pictures in base64 if `Accept: application/json` asks for it. Errors are "
    "problem details (RFC 9457)."
)
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {"image/png": _BINARY, "application/zip": _BINARY, "application/json": {}}
_ANSWER_HEADERS = {
    "Photo-Width": "pixels",
    "Photo-Height": "pixels",
    "Foreground-Fraction": "of the photo's pixels, 0 to 1",
    "Confidence": "the Dice that the model expects of its mask, 0 to 1",
    "Warnings": "what to look at; separated by semicolons",
    "Model-Version": "which model made it",
}
_PROBLEM = {
    "application/problem+json": {
        "schema": {
            "type": "object",
            "properties": {
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string", "description": "One sentence."},
            },
        }
    }
}
PROBLEMS = {
    400: "The photo, the form or an option cannot be used.",
    401: "The token is missing.",
    408: "The body came too slowly.",
    413: "The body is too large.",
    429: "The queue is full; Retry-After says when to try again.",
    503: "It took too long.",
}
OPTIONS = RequestOptions.model_json_schema()["properties"]


def _photo_route(summary: str, options: dict[str, Any]) -> dict[str, Any]:
    fields = {"photo": {"type": "array", "items": _BINARY["schema"]}, **options}
    return {
        "summary": summary,
        "responses": {
            200: {
                "description": "The picture.",
                "content": _CONTENT,
                "headers": {
                    name: {"description": meaning, "schema": {"type": "string"}}
                    for name, meaning in _ANSWER_HEADERS.items()
                },
            },
            **{
                status: {"description": meaning, "content": _PROBLEM}
                for status, meaning in PROBLEMS.items()
            },
        },
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {
                    "multipart/form-data": {"schema": {"type": "object", "properties": fields}},
                    "image/*": _BINARY,
                },
            },
            "parameters": [
                {"name": name, "in": "query", "schema": schema, "required": False}
                for name, schema in options.items()
            ],
        },
    }


ROUTES: dict[str, dict[str, Any]] = {
    "/masks": _photo_route(
        "The mask of a photo: 8 bits, 0 or 255, at native size",
        {"largest_piece": OPTIONS["largest_piece"]},
    ),
    "/cut-outs": _photo_route(
        "The cut-out of a photo: RGBA with a soft edge, or on a background",
        OPTIONS,
    ),
    "/invocations": {"summary": "Masks by MLflow's protocol: photos in base64, in JSON"},
    "/ping": {"summary": "Whether the service is alive, for MLflow's clients"},
    "/health": {"summary": "Whether the service is alive"},
    "/ready": {"summary": "Whether it has a model"},
    "/version": {"summary": "Which model answers, with its threshold"},
    "/metrics": {"summary": "Counters for Prometheus"},
}
