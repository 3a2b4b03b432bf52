"""Where things are. How to compute is never here: that is saved with each result."""

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from `PAVESCOPE_*` environment variables and `.env`; the defaults need no server."""

    model_config = SettingsConfigDict(env_prefix="PAVESCOPE_", env_file=".env", extra="ignore")

    home: Path = Field(default=Path("data"), description="folder of the embedded database, photos and queue")
    database_url: str = Field(default="", description="default: SQLite in home")
    broker_url: str = Field(default="", description="default: folders in home; redis://… at scale")
    storage_url: str = Field(default="", description="default: folder in home; s3://bucket/prefix at scale")
    device: str = Field(default="auto", description="auto, cpu or cuda")
    allowed_hosts: str = Field(
        default="localhost,127.0.0.1", description="names the page is reached by, comma-separated; * for any"
    )
    job_lease_s: float = Field(default=30.0, gt=0, description="silence after which a worker loses its job")
    basemap_tile_url: str = Field(default="", description="agency's own tile server; empty: no base map")

    @property
    def root(self) -> Path:
        return self.home.expanduser().resolve()

    @property
    def resolved_database_url(self) -> str:
        return self.database_url or f"sqlite:///{self.root / 'pavescope.db'}"

    @property
    def resolved_storage_url(self) -> str:
        return self.storage_url or str(self.root / "storage")

    @property
    def embedded(self) -> bool:
        """Whether the queue is folders on this machine, with `pavescope up` its only host."""
        return not self.broker_url

    @property
    def benchmarks_dir(self) -> Path:
        """`pavescope benchmark` writes here by default; the page "Benchmarks" shows what is here."""
        return self.root / "benchmarks"

    @property
    def adaptations_dir(self) -> Path:
        """A running adaptation keeps its state and its curve here, in a folder named by its job."""
        return self.root / "adaptations"

    @property
    def uploads_dir(self) -> Path:
        """Uploads wait here, in pieces, until an import takes them."""
        return self.root / "uploads"


@lru_cache
def get_settings() -> Settings:
    return Settings()
