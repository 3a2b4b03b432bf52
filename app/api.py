"""Read routes of the web process: photos with their overlays, map layers, health.

Everything is of the actor's own agency; another agency's id is simply not found.
"""

import hashlib
import io
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from PIL import Image
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.convertors import IntegerConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app import audit_data, audit_pictures, layers, photo_data, rectified_pictures
from app.identity import current_actor
from db.checkpoint_queries import comparison_mask
from db.export_store import get_export
from db.session import reading
from db.storage import get_storage
from engine.errors import EngineError
from engine.images import thumbnail

THUMBNAIL_PX = 320
# Browsers show these as they are; anything else (TIFF, BMP) is turned into a JPEG of at most this size.
SHOWN_AS_IS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"RIFF": "image/webp"}
CONVERTED_PX = 4096
# Magenta: nothing on asphalt has it, and it differs in lightness from grey for every kind of sight.
MASK_COLOUR = (255, 0, 212)
# Below this the pavement shows through; the map would else be a purple veil.
FAINT_PROBABILITY = 0.05
EXPORT_TYPES = {
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
    "gpkg": "application/geopackage+sqlite3",
    "geojson": "application/geo+json",
    "kml": "application/vnd.google-earth.kml+xml",
}


def healthz(request: Request) -> Response:
    """Whether the database answers."""
    try:
        with reading() as session:
            session.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError):
        return JSONResponse({"status": "database unreachable"}, status_code=503)
    return JSONResponse({"status": "ok"})


def _not_found(what: str) -> Response:
    return JSONResponse({"error": f"There is no such {what}."}, status_code=404)


def _cached(
    request: Request, version: str, make: Callable[[], tuple[bytes, str]], max_age_s: int
) -> Response:
    """Answer 304 where the browser has this version, else make it with its media type."""
    etag = f'"{hashlib.sha256(version.encode()).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": f"private, max-age={max_age_s}, must-revalidate"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    content, media_type = make()
    return Response(content, media_type=media_type, headers=headers)


def _palette_png(stored: bytes, palette: bytes, alpha: bytes) -> bytes:
    """Colour a stored greyscale PNG by giving it a palette: no pixel is computed."""
    with Image.open(io.BytesIO(stored), formats=("PNG",)) as image:
        levels = image.convert("L")
    levels.putpalette(palette)
    out = io.BytesIO()
    levels.save(out, "PNG", transparency=alpha, compress_level=1)
    return out.getvalue()


@lru_cache
def viridis() -> bytes:
    """256 RGB triples, dark violet to yellow."""
    colours = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)
    return bytes(colours[:, 0, ::-1].tobytes())


def mask_overlay(stored: bytes) -> bytes:
    """A mask (PNG, 0 or not) as a transparent PNG in `MASK_COLOUR`."""
    return _palette_png(stored, bytes(3) + bytes(MASK_COLOUR) * 255, b"\x00" + b"\xff" * 255)


def probability_overlay(stored: bytes) -> bytes:
    """A probability map (8-bit PNG) in viridis; what is improbable is transparent."""
    faint = round(FAINT_PROBABILITY * 255)
    alpha = bytes(0 if level < faint else min(255, 90 + level) for level in range(256))
    return _palette_png(stored, viridis(), alpha)


def _display(stored: bytes) -> tuple[bytes, str]:
    for start, media_type in SHOWN_AS_IS.items():
        if stored.startswith(start):
            return stored, media_type
    return thumbnail(stored, CONVERTED_PX), "image/jpeg"


# What the kinds of picture make of the stored bytes: bytes and their media type.
SHOWN: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "original": _display,
    "thumbnail": lambda stored: (thumbnail(stored, THUMBNAIL_PX), "image/jpeg"),
    "overlay": lambda stored: (mask_overlay(stored), "image/png"),
    "mask": lambda stored: (stored, "image/png"),
    "probability": lambda stored: (probability_overlay(stored), "image/png"),
}


def photo(request: Request) -> Response:
    """`/api/photos/{image_id}/{kind}`: the photo, or what was found in it, as an image."""
    kind = request.path_params["kind"]
    files = layers.photo_files(current_actor().agency_id, request.path_params["image_id"])
    if files is None:
        return _not_found("photo")
    content_hash = {
        "original": files.content_hash,
        "thumbnail": files.content_hash,
        "overlay": files.mask_hash,
        "mask": files.mask_hash,
        "probability": files.probability_hash,
    }.get(kind)
    if content_hash is None:
        return _not_found("picture of this photo")
    store = get_storage()
    if not store.exists(content_hash):
        return _not_found("stored file")
    version = f"{kind}:{content_hash}"
    try:
        # A new analysis gives a photo another mask at the same address: ask each time.
        max_age_s = 86_400 if kind in ("original", "thumbnail") else 0
        return _cached(request, version, lambda: SHOWN[kind](store.read(content_hash)), max_age_s)
    except EngineError as problem:
        return JSONResponse({"error": problem.what, "remedy": problem.remedy}, status_code=422)


# Colours of what was found; linear interpolation leaves grey edges, which are no crack of their own.
FOUND: dict[str, Callable[[bytes], bytes]] = {
    "overlay": lambda levels: mask_overlay(_halves(levels)),
    "probability": lambda levels: probability_overlay(levels),
}


def _halves(levels: bytes) -> bytes:
    """A greyscale PNG as a mask: half and more is crack."""
    with Image.open(io.BytesIO(levels), formats=("PNG",)) as image:
        mask = image.point([0] * 128 + [255] * 128)
    out = io.BytesIO()
    mask.save(out, "PNG", compress_level=1)
    return out.getvalue()


def rectified(request: Request) -> Response:
    """`/api/photos/{image_id}/rectified/{kind}`: the photo, or what was found in it, on the road as its shown
    result was measured."""
    kind = request.path_params["kind"]
    found = photo_data.photo(request.path_params["image_id"])
    if found is None:
        return _not_found("photo")
    hashes = {"original": "content_hash", "overlay": "mask_hash", "probability": "probability_hash"}
    content_hash = found[hashes[kind]] if kind in hashes else None
    try:
        view = photo_data.ground_view(found)
        if view is None or content_hash is None or not get_storage().exists(content_hash):
            return _not_found("picture of this photo")

        def make() -> tuple[bytes, str]:
            where = view.profile, view.frame
            if kind == "original":
                return rectified_pictures.rectified_photo(content_hash, *where), "image/jpeg"
            return FOUND[kind](rectified_pictures.rectified_map(content_hash, *where)), "image/png"

        # A new analysis may have another camera profile: ask each time.
        return _cached(request, f"rectified:{kind}:{content_hash}:{view}", make, 0)
    except EngineError as problem:
        return JSONResponse({"error": problem.what, "remedy": problem.remedy}, status_code=422)


def rectified_preview(request: Request) -> Response:
    """`/api/photos/{image_id}/rectified-preview?kind=…&parameters=…`: the photo on the road by a camera
    profile that is not saved yet."""
    image_id = request.path_params["image_id"]
    found = photo_data.photo_size(image_id)
    if found is None or not get_storage().exists(found.content_hash):
        return _not_found("photo")
    asked = request.query_params
    try:
        profile = rectified_pictures.preview_profile(
            asked.get("kind", ""), asked.get("parameters", ""), found.width_px, found.height_px
        )
        frame = rectified_pictures.preview_frame(profile)
        return _cached(
            request,
            f"preview:{found.content_hash}:{profile}",
            lambda: (rectified_pictures.rectified_photo(found.content_hash, profile, frame), "image/jpeg"),
            86_400,  # the address says all that the picture depends on
        )
    except EngineError as problem:
        return JSONResponse({"error": problem.what, "remedy": problem.remedy}, status_code=422)


def comparison(request: Request) -> Response:
    """`/api/comparisons/{id}/{image_id}/{side}`: what the first or second checkpoint found, in colour."""
    side = request.path_params["side"]
    if side not in ("first", "second"):
        return _not_found("picture of this comparison")
    ids = request.path_params["comparison_id"], request.path_params["image_id"]
    with reading() as session:
        content_hash = comparison_mask(session, current_actor().agency_id, *ids, side)
    store = get_storage()
    if content_hash is None or not store.exists(content_hash):
        return _not_found("picture of this comparison")
    return _cached(
        request,
        f"overlay:{content_hash}",
        lambda: (mask_overlay(store.read(content_hash)), "image/png"),
        86_400,  # the page adds the mask's hash to the address
    )


def audit_tile(request: Request) -> Response:
    """`/api/audit/{tile_id}/{kind}`: a tile of an audit with some context, or the model's answer inside it.

    The model's answer is not given before the blind answer is saved.
    """
    kind = request.path_params["kind"]
    tile = audit_data.tile_picture(current_actor().agency_id, request.path_params["tile_id"])
    if tile is None or kind not in ("photo", "overlay"):
        return _not_found("picture of an audit")
    if kind == "overlay" and not tile.judged:
        return JSONResponse({"error": "Answer this tile first: it is judged blind."}, status_code=403)
    content_hash = tile.content_hash if kind == "photo" else tile.mask_hash
    store = get_storage()
    if content_hash is None or not store.exists(content_hash):
        return _not_found("stored file")

    def make() -> tuple[bytes, str]:
        stored = store.read(content_hash)
        if kind == "photo":
            return audit_pictures.tile_photo(stored, tile), "image/png"
        return mask_overlay(audit_pictures.tile_mask(stored, tile)), "image/png"

    try:
        version = f"audit:{kind}:{content_hash}:{tile.box}"
        return _cached(request, version, make, 86_400 if kind == "photo" else 0)
    except EngineError as problem:
        return JSONResponse({"error": problem.what, "remedy": problem.remedy}, status_code=422)


def _geojson(request: Request, version: str, make: Callable[[], dict[str, Any]]) -> Response:
    return _cached(
        request,
        version,
        lambda: (
            json.dumps(make(), separators=(",", ":"), allow_nan=False).encode(),
            "application/geo+json",
        ),
        0,
    )


def photos(request: Request) -> Response:
    """`/api/surveys/{id}/photos.geojson?bbox=w,s,e,n`: the photos in a box, or cells where they are many."""
    survey_id = request.path_params["survey_id"]
    agency_id = current_actor().agency_id
    version = layers.survey_version(agency_id, survey_id)
    if version is None:
        return _not_found("survey")
    box = layers.parse_box(request.query_params.get("bbox", ""))
    if box is None:
        return JSONResponse({"error": "bbox must be west,south,east,north in degrees."}, status_code=400)
    return _geojson(
        request, f"photos:{survey_id}:{version}:{box}", lambda: layers.photo_layer(survey_id, version, box)
    )


def sections(request: Request) -> Response:
    """`/api/networks/{id}/sections.geojson?survey=…&measure=…`: the network's sections with a survey's
    measure: one of `layers.SECTION_MEASURES`."""
    network_id = request.path_params["network_id"]
    agency_id = current_actor().agency_id
    if not layers.has_network(agency_id, network_id):
        return _not_found("network")
    asked = request.query_params.get("survey", "")
    survey_id, version = None, ""
    if asked:
        if not (asked.isascii() and asked.isdigit() and len(asked) < 19):
            return _not_found("survey")
        survey_id = int(asked)
        version = layers.survey_version(agency_id, survey_id) or ""
        if not version:
            return _not_found("survey")
    measure = request.query_params.get("measure")
    if measure is not None and measure not in layers.SECTION_MEASURES:
        return _not_found("measure")
    return _geojson(
        request,
        f"sections:{network_id}:{survey_id}:{version}:{measure}",
        lambda: layers.section_layer(network_id, survey_id, version, measure),
    )


def export(request: Request) -> Response:
    """`/api/exports/{id}`: an exported file, to be saved under its own name."""
    try:
        with reading() as session:
            file = get_export(session, current_actor().agency_id, request.path_params["export_id"])
    except EngineError:
        return _not_found("exported file")
    store = get_storage()
    if not store.exists(file.content_hash):
        return _not_found("stored file")
    return FileResponse(
        store.local_file(file.content_hash),
        media_type=EXPORT_TYPES.get(file.file_name.rsplit(".", 1)[-1], "application/octet-stream"),
        filename=file.file_name,
        headers={"Cache-Control": "private, no-cache", "X-Content-Type-Options": "nosniff"},
    )


class RowId(IntegerConvertor):
    """A positive 64-bit integer; anything else matches no route."""

    regex = "[1-9][0-9]{0,17}"


register_url_convertor("rowid", RowId())


def nothing_here(request: Request) -> Response:
    """Else the pages would answer, with 200."""
    return _not_found("address")


routes: list[BaseRoute] = [
    Route("/healthz", healthz),
    Route("/api/photos/{image_id:rowid}/rectified/{kind}", rectified),
    Route("/api/photos/{image_id:rowid}/rectified-preview", rectified_preview),
    Route("/api/photos/{image_id:rowid}/{kind}", photo),
    Route("/api/comparisons/{comparison_id:rowid}/{image_id:rowid}/{side}", comparison),
    Route("/api/audit/{tile_id:rowid}/{kind}", audit_tile),
    Route("/api/exports/{export_id:rowid}", export),
    Route("/api/surveys/{survey_id:rowid}/photos.geojson", photos),
    Route("/api/networks/{network_id:rowid}/sections.geojson", sections),
]
