"""The files that are installed on every host."""

from functools import lru_cache
from importlib.resources import files

from podroutes.host.routes import ATTRIBUTES, DEFAULT_METRIC, ENCAPSULATIONS, PROTOCOL, STATE_WORDS
from podroutes.plan.routes_service import ServiceFiles


@lru_cache(1)
def load_service_files() -> ServiceFiles:
    """The files as they are installed."""
    folder = files("tasks") / "templates"
    script = (folder / "basic-kubernetes-routes.sh").read_text(encoding="utf-8")
    return ServiceFiles(script=fill(script), unit=(folder / "routes.service").read_text(encoding="utf-8"))


def fill(script: str) -> str:
    """Put what `podroutes.host.routes` says of routes into the script."""
    known = {
        "PROTOCOL": str(PROTOCOL),
        "METRIC_IPV4": str(DEFAULT_METRIC[4]),
        "METRIC_IPV6": str(DEFAULT_METRIC[6]),
        "STATE_WORDS": " ".join(STATE_WORDS),
        "ATTRIBUTES": " ".join(ATTRIBUTES),
        "ENCAPSULATIONS": " ".join(ENCAPSULATIONS),
    }
    for name, value in known.items():
        script = script.replace(f"@{name}@", value)
    return script
