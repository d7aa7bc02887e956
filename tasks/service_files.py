"""The files that are installed on every host."""

from functools import lru_cache
from importlib.resources import files

from podroutes.planning.routes_service import ServiceFiles


@lru_cache(1)
def load_service_files() -> ServiceFiles:
    """Read the files that are installed on every host."""
    folder = files("tasks") / "templates"
    return ServiceFiles(
        script=(folder / "basic-kubernetes-routes.sh").read_text(encoding="utf-8"),
        unit=(folder / "routes.service").read_text(encoding="utf-8"),
    )
