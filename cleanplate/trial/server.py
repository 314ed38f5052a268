"""The page's web application: a picture comes in, answers go out, nothing is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from cleanplate.predict import Model
from cleanplate.review.security import Guard, SessionTokens
from cleanplate.review.server import STATIC as REVIEW_STATIC
from cleanplate.review.server import TYPES
from cleanplate.review.serving import server_of
from cleanplate.trial.looking import BACKGROUNDS, OWN, look, names_of
from pipeline.dataset.safe_files import Unusable
from pipeline.io.photo import PhotoError

PAGE = Path(__file__).parent / "page"
SHARED = ("server_calls.js", "icon.svg")
STATIC = {name: REVIEW_STATIC[name] for name in SHARED} | {
    p.name: (p.read_bytes(), TYPES[p.suffix]) for p in sorted(PAGE.iterdir()) if p.suffix in TYPES
}
MAX_PICTURE_BYTES = 64 << 20


def make_server(model: Model, tokens: SessionTokens) -> uvicorn.Server:
    """The server behind the review page's guard; `run(sockets=[…])` runs it."""
    return server_of(Guard(make_app(model, tokens), tokens, "cleanplate try", MAX_PICTURE_BYTES))


def make_app(model: Model, tokens: SessionTokens) -> FastAPI:
    """The app, without the guard in front of it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, __: Exception) -> Response:
        return JSONResponse({"message": "the server does not understand the page's request"}, 422)

    @app.exception_handler(PhotoError)
    @app.exception_handler(Unusable)
    def _refused(_: Request, error: Any) -> Response:
        return JSONResponse({"message": f"No usable photo: {error.reason}. Advice: {error.advice}."}, 415)

    @app.get("/")
    def page() -> Response:
        response = _static("page.html")
        response.set_cookie(tokens.cookie, tokens.token, httponly=True, samesite="strict", path="/")
        return response

    @app.get("/page/{name}")
    def static(name: str) -> Response:
        return _static(name)

    @app.get("/api/session")
    def session() -> dict[str, Any]:
        return {"csrf": tokens.csrf, "backgrounds": names_of(BACKGROUNDS, model)}

    @app.post("/api/look")
    async def looked(
        request: Request,
        background: str = Query(OWN, max_length=10),
        mapped: bool = False,
        live: bool = False,
    ) -> dict[str, Any]:
        data = await request.body()
        chosen = background if background in BACKGROUNDS else OWN
        return await run_in_threadpool(look, model, data, chosen, mapped, live)

    return app


def _static(name: str) -> Response:
    if name not in STATIC:
        return JSONResponse({"message": "there is no such file"}, 404)
    data, kind = STATIC[name]
    return Response(data, media_type=kind)
