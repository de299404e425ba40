"""Functions of C++ that a test writes, compiled as the code of a run is: by the system's compiler, and by Cling."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from unittest import mock

import numpy as np
import numpy.typing as npt

from rdf.code.library import compile_library

WAYS = ("the system's compiler", "Cling")


def compiled(code: str, way: str) -> Callable[[str], Callable[..., None]]:
    """Compile C++, and return what finds a function in it by its name.

    The functions are declared `API(name)`, take pointers and ints, and return nothing.
    """
    prefix = f"by_{WAYS.index(way)}_"
    code = f'#define API(name) extern "C" void {prefix}##name\n{code}\n#undef API\n'
    with mock.patch("rdf.code.library.find_compiler", return_value=None) if way == "Cling" else mock.MagicMock():
        library = compile_library(code, "the test's code")
    library.load()

    def find(name: str) -> Callable[..., None]:
        address = library.address(f"{prefix}{name}")

        def call(*arguments: npt.NDArray[np.generic] | int) -> None:
            kinds = [ctypes.c_int if isinstance(argument, int) else ctypes.c_void_p for argument in arguments]
            function = ctypes.CFUNCTYPE(None, *kinds)(address)
            function(*(a if isinstance(a, int) else a.ctypes.data for a in arguments))

        return call

    return find
