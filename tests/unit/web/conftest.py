"""An empty and a filled installation, and a client of the routes."""

import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app import identity, layers
from app.server import routes
from tests.unit.web.rows import Filled, fill


@pytest.fixture
def empty_app(sqlite_database: str) -> None:
    """A migrated database without rows, and no cache of another test's."""
    st.cache_data.clear()
    identity._local_actor.cache_clear()
    layers.photo_layer.cache_clear()
    layers.section_layer.cache_clear()
    layers._section_lines.cache_clear()


@pytest.fixture
def filled(empty_app: None) -> Filled:
    return fill()


@pytest.fixture
def client(empty_app: None) -> TestClient:
    return TestClient(Starlette(routes=routes))
