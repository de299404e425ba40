"""SOFIE: from a detector's ONNX file to C++ that runs in the event loop."""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf.errors import CompileError, ScoreMismatch
from rdf.interpreter import ROOT, captured_stderr, declare, include_kernels

PARITY = 1e-5
"""Largest difference between a score in the event loop and the detector's own, as a fraction of the scores' range."""


@dataclass(frozen=True)
class CompiledDetector:
    """A trained detector that lives in C++.

    Attributes:
        name: of the detector.
        variable: name of the C++ object (`scoring::Detector`) that definitions can use.
    """

    name: str
    variable: str

    @property
    def instance(self) -> Any:
        """The C++ object."""
        instance = ROOT
        for part in self.variable.split("::"):
            instance = getattr(instance, part)
        return instance

    def scores(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Score events of shape (events, features) outside of an event loop."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        out = np.empty(len(X), dtype=np.float32)
        self.instance.scores(len(X), X.shape[1], X.ravel(), out)
        return out


def compile_detector(
    name: str, onnx: Path, threshold: float, table_scores: list[float], table_ranks: list[float], slots: int
) -> CompiledDetector:
    """Translate a detector with SOFIE and compile it with Cling for the CPU at hand.

    Args:
        name: of the detector.
        onnx: its network, from features of shape (1, features) to a score.
        threshold: a higher score is flagged.
        table_scores, table_ranks: the rank table.
        slots: of the event loops that it will run in.

    Raises:
        CompileError: the file is not ONNX that SOFIE can translate, or the C++ does not compile.
    """
    from sofie import onnx as sofie_onnx

    include_kernels("scoring")
    # Named by content: the same model compiled again is the same variable, another one does not get in its way.
    content = hashlib.sha256(
        repr((onnx.read_bytes(), threshold, table_scores, table_ranks, slots)).encode()
    ).hexdigest()
    model = f"{name}_{content[:12]}"
    compiled = CompiledDetector(name, f"detectors::{model}")
    if hasattr(ROOT, "detectors") and hasattr(ROOT.detectors, model):
        return compiled

    with tempfile.TemporaryDirectory(prefix="sofie-") as folder:
        header, weights = Path(folder) / f"{model}.hxx", Path(folder) / f"{model}.dat"
        # SOFIE names the generated code after the file.
        network = Path(folder) / f"{model}.onnx"
        shutil.copyfile(onnx, network)
        with captured_stderr() as stderr:
            try:
                translated = sofie_onnx.parse(str(network))
                translated.generate()
                translated.output_generated(str(header))
            except Exception as error:
                reason = " ".join(str(error).split()) or stderr.first_error()
                raise CompileError(f"SOFIE cannot translate {onnx}", reason) from error
        declare(_code(model, header, weights, threshold, table_scores, table_ranks, slots), f"SOFIE's C++ for {onnx}")
    return compiled


def _with_blas(text: str) -> str:
    """Load a BLAS and let SOFIE's code, which calls sgemm_ and sgemv_, find it under the names that it has there.

    Left to itself, Cling takes whatever BLAS some other library has brought, or runs code that calls nothing.
    """
    if not re.search(r"\bsgem[mv]_", text):
        return text
    import scipy_openblas32

    library = Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True)
    # DEEPBIND: it takes its own functions, and not those of numpy's BLAS that have the same names and longer integers.
    mode = os.RTLD_NOW | os.RTLD_GLOBAL | os.RTLD_DEEPBIND
    try:
        blas = ctypes.CDLL(str(library), mode)
    except OSError as error:
        raise CompileError(f"{library}", f"{error}; run `python -m analysis.doctor`") from error
    blas.scipy_openblas_set_num_threads(1)  # the event loop's slots are the threads
    return f"#define sgemm_ scipy_sgemm_\n#define sgemv_ scipy_sgemv_\n{text}\n#undef sgemm_\n#undef sgemv_"


def _code(
    model: str,
    header: Path,
    weights: Path,
    threshold: float,
    table_scores: list[float],
    table_ranks: list[float],
    slots: int,
) -> str:
    # Its text and not its path: Cling tells files by their inodes, and a temporary file can get that of an earlier one.
    text = header.read_text()
    session = re.search(r"namespace (SOFIE_\w+)\s*{", text)
    if not session:
        raise CompileError(f"SOFIE's header for {model}", "it has no namespace; the installed sofie is another version")
    vector = "std::vector<float>{%s}"
    return f"""
{_with_blas(text)}
namespace detectors {{
scoring::Detector<{session[1]}::Session> {model}{{
    "{weights}", {slots}, {_float(threshold)},
    {vector % ", ".join(map(_float, table_scores))},
    {vector % ", ".join(map(_float, table_ranks))}}};
}}
"""


def _float(value: float) -> str:
    """Write a float32 so that C++ reads back the same bits."""
    return f"{float(np.float32(value)).hex()}f"


def check_parity(detector: CompiledDetector, X: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    """Compare the compiled detector with the scores that the trained one gave, and return the largest difference.

    Args:
        detector: the compiled one.
        X: reference events, shape (events, features).
        expected: their scores, shape (events,), by scikit-learn or torch.

    Raises:
        ScoreMismatch: the difference is larger than `PARITY` times the range of the expected scores.
    """
    difference = float(np.abs(detector.scores(X) - expected).max())
    # Where the scores hardly differ, what float32 rounds off them counts.
    allowed = PARITY * max(float(np.ptp(expected)), 1e-2 * float(np.abs(expected).max()), 1e-6)
    if not difference <= allowed < math.inf:  # NaN and infinite scores are no parity either
        raise ScoreMismatch(
            f"{detector.name}: compiled scores differ by {difference:.2g} from those of the trained detector, "
            f"{allowed:.2g} is allowed; run `python -m analysis.doctor`, and train again if it finds nothing"
        )
    return difference
