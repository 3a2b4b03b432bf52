"""The web process: Streamlit's pages and this product's own routes on one port.

Run by `uvicorn app.server:application`. The routes never load torch and never run a model.
"""

import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.starlette import App

from app import api, uploads
from db.settings import get_settings

HERE = Path(__file__).parent

routes: list[BaseRoute] = [
    *api.routes,
    *uploads.routes,
    Route("/api/{rest:path}", api.nothing_here),
    Mount("/assets", StaticFiles(directory=HERE / "static")),
]


class SafeHeaders:
    """Tells browsers to guess no content types and to let no other site frame the pages."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"x-content-type-options", b"nosniff"),
                    (b"x-frame-options", b"SAMEORIGIN"),
                    (b"referrer-policy", b"same-origin"),
                ]
            await send(message)

        await self.app(scope, receive, send_safely if scope["type"] == "http" else send)


def _load_slow_libraries() -> None:
    # Not streamlit_folium: imported outside a page, its component would stay unknown to the pages.
    for name in ("pandas", "pyarrow", "folium", "plotly.graph_objects", "plotly.io", "shapely"):
        import_module(name)
    # Streamlit collects garbage after every run of a page: what is there for good need not be searched.
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[None]:
    """Load what is slow to load beside the start, so that the first visitor does not wait for it."""
    threading.Thread(target=_load_slow_libraries, daemon=True).start()
    yield


# Another site must not reach this machine under its own name (DNS rebinding).
known_hosts = [name.strip() for name in get_settings().allowed_hosts.split(",") if name.strip()]
application = App(
    HERE / "main.py",
    routes=routes,
    middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=known_hosts), Middleware(SafeHeaders)],
    lifespan=lifespan,
)
