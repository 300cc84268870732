"""The service: photos in, masks and cut-outs out, over HTTP."""

import base64
import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from car_segmentation import __version__
from car_segmentation.data.image_files import Limits
from car_segmentation.serving import api_description
from car_segmentation.serving.answers import Answer, Asked, Wanted
from car_segmentation.serving.invocations import photos_in, prediction, refused
from car_segmentation.serving.live_model import LiveModel
from car_segmentation.serving.metrics import Metrics
from car_segmentation.serving.photo_model import PhotoModel
from car_segmentation.serving.picture_options import RequestOptions
from car_segmentation.serving.problems import Problem
from car_segmentation.serving.request_limits import RequestLimits, ServiceLimits
from car_segmentation.serving.uploads import read_uploads, safe_names
from car_segmentation.serving.work_queue import WorkQueue

PAGES = Path(__file__).with_name("pages")
JSON, ZIP, PNG = "application/json", "application/zip", "image/png"


def build_app(
    model: LiveModel,
    metrics: Metrics,
    limits: ServiceLimits | None = None,
    token: str | None = None,
) -> RequestLimits:
    """The whole application, within its limits.

    Args:
        model: What predicts.
        metrics: Counts.
        limits: What the service takes.
        token: What callers have to send; None: nothing.
    """
    limits = limits or ServiceLimits()
    service = _Service(model, metrics, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        model.stop()

    app = FastAPI(
        title="car-segmentation",
        version=__version__,
        description=api_description.SUMMARY,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _problem)
    app.add_exception_handler(Exception, _problem)
    for method, path, function in service.routes():
        app.add_api_route(
            path,
            function,
            methods=[method],
            response_class=Response,
            **api_description.ROUTES.get(path, {"include_in_schema": False}),
        )
    return RequestLimits(app, limits, metrics, token)


async def _problem(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):  # No such path, or no such method of it.
        error = Problem(error.status_code, f"{error.detail}.", error.headers)
    if not isinstance(error, Problem):
        error = Problem(500, "Internal error: see the service's log.")
    return error.response()


class _Service:
    def __init__(self, model: LiveModel, metrics: Metrics, limits: ServiceLimits):
        self._model = model
        self._metrics = metrics
        self._limits = limits
        self._photo_limits = Limits(limits.megapixels, limits.photo_megabytes)
        self._queue = WorkQueue(limits.at_once, limits.waiting, metrics)

    def routes(self) -> list[tuple[str, str, Callable[..., Awaitable[Response]]]]:
        return [
            ("POST", "/masks", self.masks),
            ("POST", "/cut-outs", self.cut_outs),
            ("POST", "/invocations", self.invocations),
            ("GET", "/ping", self.ping),
            ("GET", "/health", self.health),
            ("GET", "/ready", self.ready),
            ("GET", "/version", self.version),
            ("GET", "/metrics", self.prometheus),
            ("GET", "/", partial(_page, _read_page("page.html"))),
            ("GET", "/docs", partial(_page, _read_page("docs.html"))),
        ]

    async def masks(self, request: Request) -> Response:
        return await self._pictures(request, "mask")

    async def cut_outs(self, request: Request) -> Response:
        return await self._pictures(request, "cut_out")

    async def _pictures(self, request: Request, wanted: Wanted) -> Response:
        uploads, options = await read_uploads(request, self._limits)
        chosen = RequestOptions.of(options, wanted)
        form = _form(request, len(uploads))
        model = self._model.current
        asked = Asked(wanted, model, self._photo_limits, chosen)
        results = [
            await self._result(asked, upload.content, is_admitted=place > 0)
            for place, upload in enumerate(uploads)
        ]
        if asked.has_canvas:
            results = await self._laid_out(asked, results)
        if len(results) == 1 and isinstance(results[0], Problem):
            raise results[0]
        names = safe_names([upload.name for upload in uploads])
        if form == PNG and isinstance(results[0], Answer):
            return Response(results[0].png, 200, _headers(results[0], model), PNG)
        if form == ZIP:
            version = {"Model-Version": model.identity.version}
            return Response(_zipped(names, results, model), 200, version, ZIP)
        return JSONResponse(_described(names, results, model, with_pictures=True))

    async def _laid_out(
        self, asked: Asked, results: Sequence[Answer | Problem]
    ) -> list[Answer | Problem]:
        boxes = [result.box for result in results if isinstance(result, Answer)]
        return [
            await self._queue.run(partial(asked.lay_out, result, boxes), is_admitted=True)
            if isinstance(result, Answer)
            else result
            for result in results
        ]

    async def _result(self, asked: Asked, content: bytes, is_admitted: bool) -> Answer | Problem:
        """The answer to a photo, or what is wrong with it."""
        try:
            return await self._queue.run(partial(asked.answer, content), is_admitted)
        except Problem as problem:
            if problem.status != 400:  # It is not the photo's.
                raise
            self._metrics.photos_rejected.inc()
            return problem

    async def invocations(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").split(";")[0].strip()
        if kind != JSON:
            raise refused("Send JSON, with Content-Type: application/json.", 415)
        body = await request.body()
        model = self._model.current

        def parse(_: threading.Event) -> list[bytes]:
            return photos_in(body, self._limits.photos)

        asked = Asked("mask", model, self._photo_limits)
        rows = []
        for place, content in enumerate(await self._queue.run(parse)):
            result = await self._result(asked, content, is_admitted=True)
            if isinstance(result, Problem):
                reason = result.detail.removeprefix("The photo ")
                raise refused(f"Photo {place} {reason}", result.status)
            rows.append(prediction(result))
        return JSONResponse({"predictions": rows})

    async def ping(self) -> Response:
        return Response("\n", 200, media_type=JSON)

    async def health(self) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self) -> Response:
        return JSONResponse({"status": "ready", "model": self._model.current.identity.version})

    async def version(self) -> Response:
        identity = asdict(self._model.current.identity)
        return JSONResponse({"service": __version__, "model": identity})

    async def prometheus(self) -> Response:
        return Response(self._metrics.text(), 200, media_type=CONTENT_TYPE_LATEST)


async def _page(page: Response) -> Response:
    return page


def _read_page(name: str) -> Response:
    """A page that may run its own script and load nothing from elsewhere, whatever is in it."""
    content = (PAGES / name).read_bytes()
    scripts = re.findall(rb"<script>(.*?)</script>", content, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    headers = {
        "Content-Security-Policy": f"default-src 'none'; script-src {allowed}; "
        "style-src 'unsafe-inline'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return Response(content, 200, headers, "text/html")


def _form(request: Request, photos: int) -> str:
    """Format that the caller requests: a picture, a zip archive or JSON."""
    accept = request.headers.get("accept", "*/*")
    accepted = [kind.split(";")[0].strip() for kind in accept.split(",")]
    own = PNG if photos == 1 else ZIP
    choice = {"*/*": own, "image/*": own, PNG: own, ZIP: ZIP, "application/*": ZIP, JSON: JSON}
    for kind in accepted:
        if kind in choice:
            return choice[kind]
    raise Problem(406, f"Accept {PNG} (several photos: {ZIP}) or {JSON}.")


def _headers(answer: Answer, model: PhotoModel) -> dict[str, str]:
    # Headers are ASCII by custom.
    warnings = "; ".join(answer.warnings).replace("×", "x").encode("ascii", "replace").decode()
    return {
        "Photo-Width": str(answer.width),
        "Photo-Height": str(answer.height),
        "Foreground-Fraction": f"{answer.foreground_fraction:.6f}",
        "Confidence": f"{answer.confidence:.4f}",
        "Warnings": warnings,
        "Model-Version": model.identity.version,
    }


def _described(
    names: Sequence[str],
    results: Sequence[Answer | Problem],
    model: PhotoModel,
    with_pictures: bool = False,
) -> dict[str, Any]:
    photos: list[dict[str, Any]] = []
    for name, result in zip(names, results, strict=True):
        if isinstance(result, Problem):
            photos.append({"photo": name, "problem": result.as_dict()})
            continue
        picture = {"png": base64.b64encode(result.png).decode()} if with_pictures else {}
        photos.append({"photo": name, **result.as_dict(), **picture})
    return {"model": asdict(model.identity), "photos": photos}


def _zipped(names: Sequence[str], results: Sequence[Answer | Problem], model: PhotoModel) -> bytes:
    """PNGs, which deflating makes no smaller, and ``photos.json``, which says what they are."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, result in zip(names, results, strict=True):
            if isinstance(result, Answer):
                archive.writestr(f"{name}.png", result.png)
        described = _described(names, results, model)
        archive.writestr("photos.json", json.dumps(described, ensure_ascii=False, indent=1))
    return content.getvalue()
