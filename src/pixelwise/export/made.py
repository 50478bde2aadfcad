"""Say what an exported file was made with."""

from types import ModuleType

from pixelwise import __version__


def versions(**modules: ModuleType) -> dict[str, str]:
    """Give the versions of Pixelwise and of the libraries that took part."""
    return {"pixelwise": __version__} | {name: str(module.__version__) for name, module in modules.items()}
