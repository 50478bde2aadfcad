"""Print the versions of packages, those that are installed: ``python versions.py NAME …``."""

import sys
from importlib.metadata import PackageNotFoundError, version

if __name__ == "__main__":
    found = []
    for name in sys.argv[1:]:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:  # another platform has another package in its stead
            continue
    print(", ".join(found))
