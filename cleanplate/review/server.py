"""The page's web application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, StringConstraints

from cleanplate.review.answers import person_answer, suspect_answer
from cleanplate.review.decisions import Choice, Conflict, Decisions
from cleanplate.review.heatmaps import HeatMaps
from cleanplate.review.people import People
from cleanplate.review.photos import SmallPhotos, Unreadable
from cleanplate.review.security import SessionTokens
from cleanplate.review.suspects import Suspect, parse_proposal
from pipeline.labels import GENDERS, MASKS
from pipeline.runtime.errors import UserError

PAGE = Path(__file__).parent / "page"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
STATIC = {p.name: (p.read_bytes(), TYPES[p.suffix]) for p in sorted(PAGE.iterdir()) if p.suffix in TYPES}
T = TypeVar("T")
FIELDS = {"gender": list(GENDERS), "mask": list(MASKS), "age": []}


class Decision(BaseModel):
    """A decision as the page sends it; ids, never names or paths."""

    model_config = ConfigDict(extra="forbid", strict=True)
    person: str
    photo: str = ""
    field: str
    action: Literal["correct", "keep", "drop"]
    value: str = ""
    suspect: int | None = None
    version: str
    receipt: Annotated[str, StringConstraints(pattern="^[0-9a-f]{16}$")]


class Undo(BaseModel):
    """Which decision to take back."""

    model_config = ConfigDict(extra="forbid", strict=True)
    receipt: str


@dataclass(frozen=True)
class Review:
    """The state of one session."""

    people: People
    suspects: list[Suspect]
    decisions: Decisions
    photos: SmallPhotos
    heatmaps: HeatMaps
    note: str = ""


def make_app(review: Review, tokens: SessionTokens) -> FastAPI:
    """The app, without the guard in front of it."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, __: Exception) -> Response:
        return JSONResponse({"message": "the server does not understand the page's request"}, 422)

    @app.exception_handler(Conflict)
    def _conflict(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": str(error)}, 409)

    @app.exception_handler(UserError)
    def _problem(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": str(error)}, 409)

    @app.exception_handler(Unreadable)
    def _unreadable(_: Request, error: Exception) -> Response:
        return JSONResponse({"message": str(error)}, 404)

    @app.get("/")
    def page() -> Response:
        response = _static("page.html")
        response.set_cookie(tokens.cookie, tokens.token, httponly=True, samesite="strict", path="/")
        return response

    @app.get("/page/{name}")
    def static(name: str) -> Response:
        return _static(name)

    _add_read_routes(app, review, tokens)
    _add_write_routes(app, review)
    return app


def _add_read_routes(app: FastAPI, review: Review, tokens: SessionTokens) -> None:
    people = review.people

    @app.get("/api/session")
    def session() -> dict[str, Any]:
        tables = review.decisions.tables()
        return {
            "csrf": tokens.csrf,
            "fields": FIELDS,
            "heatmaps": review.heatmaps.available,
            "note": review.note,
            "source": review.decisions.source,
            "suspects": [suspect_answer(s, tables) for s in review.suspects],
        }

    @app.get("/api/people")
    def everybody() -> list[list[str]]:
        return [[p.id, p.name] for p in people.by_id.values()]

    @app.get("/api/person/{person_id}")
    def person(person_id: str) -> dict[str, Any]:
        return person_answer(_get_or_404(people.by_id, person_id), review.decisions.tables())

    @app.get("/photo/{photo_id}")
    def photo(photo_id: str) -> Response:
        return Response(
            review.photos.get(_get_or_404(people.photos, photo_id).image), media_type="image/jpeg"
        )

    @app.get("/heatmap/{photo_id}")
    def heatmap(photo_id: str, field: Annotated[str, Query(max_length=20)]) -> Response:
        photo = _get_or_404(people.photos, photo_id)
        return Response(review.heatmaps.get(photo.image, photo.person, field), media_type="image/jpeg")


def _add_write_routes(app: FastAPI, review: Review) -> None:
    @app.post("/api/decide")
    def decide(sent: Decision) -> dict[str, Any]:
        receipt = review.decisions.decide(_choice(review, sent), sent.version, sent.receipt)
        return _updated_person(review, receipt.person)

    @app.post("/api/undo")
    def undo(sent: Undo) -> dict[str, Any]:
        return _updated_person(review, review.decisions.undo(sent.receipt).person)


def _updated_person(review: Review, name: str) -> dict[str, Any]:
    """A person and the suspects about them, after a decision."""
    tables = review.decisions.tables()
    about = [suspect_answer(s, tables) for s in review.suspects if s.person.name == name]
    return {"person": person_answer(review.people.by_name[name], tables), "suspects": about}


def _choice(review: Review, sent: Decision) -> Choice:
    person = _get_or_404(review.people.by_id, sent.person)
    image = ""
    if sent.photo:
        image = _get_or_404({p.id: p for p in person.photos}, sent.photo).image
    suspect = None
    if sent.suspect is not None and 0 <= sent.suspect < len(review.suspects):
        suspect = review.suspects[sent.suspect]
    value, note, reason = sent.value, "", "seen on the review page"
    if sent.action == "correct":
        value, note = parse_proposal(sent.field, sent.value)
        if not value:
            raise Conflict(f"{sent.value!r} is no value for {sent.field}")
        if value == person.label(sent.field, image):
            raise Conflict(f"{person.name}: {sent.field} is {value} already; keep it instead (K)")
    if sent.action == "keep":
        value = person.label(sent.field, image) if sent.field in FIELDS else sent.value
    if suspect and suspect.why:
        reason = f"seen; {suspect.why}"
    return Choice(person, image, sent.field, sent.action, value, "; ".join(t for t in (reason, note) if t))


def _static(name: str) -> Response:
    if name not in STATIC:
        raise Unreadable("there is no such file")
    data, kind = STATIC[name]
    return Response(data, media_type=kind)


def _get_or_404(table: Mapping[str, T], id_: str) -> T:
    if id_ not in table:
        raise Unreadable("unknown id; reload the page")
    return table[id_]
