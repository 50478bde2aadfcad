"""The names of the folder are functions, whichever module is imported first."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("first", ["pixelwise.draw", "pixelwise.draw.curves", "pixelwise.draw.overlay"])
def test_names_are_functions_and_draw_loads_nothing_heavy(first):
    program = (
        f"import {first}, sys; from pixelwise.draw import compare, curves, legend, overlay;"
        "from pixelwise.draw.curves import curves as same; assert curves is same;"
        "assert all(callable(one) for one in (compare, legend, overlay));"
        "assert not {'torch', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
