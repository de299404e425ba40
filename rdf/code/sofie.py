"""SOFIE: from a detector's ONNX file to C++ that runs in the event loop."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf.code.interpreter import ROOT, captured_stderr
from rdf.code.library import Library, compile_library, graph_library
from rdf.errors import CompileError, ScoreMismatch, TemporaryFolderError
from rdf.temporary import TemporaryFolder

PARITY = 1e-5
"""Largest difference between a score in the event loop and the detector's own, as a fraction of the scores' range."""


@dataclass(frozen=True)
class CompiledDetector:
    """A trained detector that lives in C++.

    Attributes:
        name: of the detector.
        instance: the C++ object, a `scoring::Detector`.
    """

    name: str
    instance: Any

    def scores(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Score events of shape (events, features) outside of an event loop."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        out = np.empty(len(X), dtype=np.float32)
        self.instance.scores(len(X), X.shape[1], X.ravel(), out)
        return out


@dataclass(frozen=True)
class Network:
    """A detector's network as C++, which is being compiled.

    Attributes:
        library: has it.
        maker: name of the function that makes one.
        weights: text of the file that this function reads.
    """

    library: Library
    maker: str
    weights: str

    @property
    def compiled_by(self) -> str:
        """Name and version of the compiler."""
        return self.library.compiled_by


def translate_network(onnx: Path) -> Network:
    """Translate a network to C++ with SOFIE, and have that compiled while the caller does something else.

    Args:
        onnx: the network, from features of shape (1, features) to a score.

    Raises:
        CompileError: the file is not ONNX that SOFIE can translate.
    """
    source, weights = network_source(onnx, _UNNAMED)
    # Named by its code, so that another one does not get in its way, and the same one, of another fold or training, is
    # compiled once.
    model = f"network_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    source, maker = source.replace(_UNNAMED, model), f"make_{model}"
    code = f"""#include "scoring/network.hxx"
{source}
namespace {{
struct Compiled_{model} final : scoring::Network {{
   SOFIE_{model}::Session session;
   explicit Compiled_{model}(const char *weights) : session(weights) {{}}
   float score(const float *features) override
   {{
      float score;
      SOFIE_{model}::doInfer(session, features, &score);
      return score;
   }}
}};
}}
extern "C" scoring::Network *{maker}(const char *weights) {{ return new Compiled_{model}(weights); }}
"""
    return Network(compile_library(code, f"SOFIE's C++ for {onnx}"), maker, weights)


_UNNAMED = "UNNAMED_NETWORK"


def compile_detector(
    name: str, network: Network, threshold: float, table_scores: list[float], table_ranks: list[float], slots: int
) -> CompiledDetector:
    """Wait for a network's compiler, and make a detector of it.

    Args:
        name: of the detector.
        network: from features to a score.
        threshold: a higher score is flagged.
        table_scores, table_ranks: the rank table.
        slots: of the event loops that it will run in.

    Raises:
        CompileError: the C++ does not compile.
    """
    graph_library("scores").load()
    network.library.load()
    with TemporaryFolder("sofie") as folder:
        weights = folder / "weights.dat"
        weights.write_text(network.weights, encoding="utf-8")
        instance = ROOT.scoring.Detector(
            network.library.address(network.maker), str(weights), slots, threshold, table_scores, table_ranks
        )
    return CompiledDetector(name, instance)


def network_source(onnx: Path, model: str) -> tuple[str, str]:
    """Return a network as C++, in a namespace SOFIE_<model>, and the text of its file of weights.

    The namespace has a class `Session`, made from the name of that file, and a function
    `doInfer(session, features, &score)`. The code is SOFIE's, the same each time and for each training of as many
    numbers; but its matrix products (for which it would call a BLAS), its exponentials, its distances from support
    vectors (three passes) and its walks down decision trees (five look-ups a level) are functions of `macros/`.

    Args:
        onnx: the network, from features of shape (1, features) to a score.
        model: name for it in C++.

    Raises:
        CompileError: the file is not ONNX that SOFIE can translate.
    """
    with captured_stderr() as stderr:
        try:
            trees, rest = _split_off_trees(onnx.read_bytes())
            name = f"{model}_of_leaves" if trees else model
            code, weights = _translated(rest, name)
        except TemporaryFolderError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or stderr.first_error()
            raise CompileError(f"SOFIE cannot translate {onnx}", reason) from error
    code = _DISTANCES.sub(r"dense::squared_distances(\g<sums>, \g<point>, \g<others>, \1, \2);", code)
    for theirs, ours in KERNELS.items():
        code = re.sub(theirs, ours, code)
    code = f'#include "numerics/dense.hxx"\n#include "numerics/exponential.hxx"\n{code}'
    if trees:
        return code + _walk_before(name, model, trees), weights + _tables(trees)
    return code, weights


Trees = dict[str, npt.NDArray[Any]]
"""Tables of nodes, as `models.detectors.tree_tables.TreeWalk` has them."""


def _split_off_trees(network: bytes) -> tuple[Trees, bytes]:
    """Return the trees that a network walks down, if it does, and what it makes of the leaves' numbers."""
    import onnx
    from onnx.utils import Extractor

    model = onnx.load_from_string(network)
    walk = [node for node in model.graph.node if node.name.startswith("/walk/")]
    if not walk:
        return {}, network
    trees = {
        table.name: onnx.numpy_helper.to_array(table).ravel()
        for table in model.graph.initializer
        if table.name.startswith("walk.")
    }
    leaves = onnx.helper.make_tensor_value_info(
        walk[-1].output[0], onnx.TensorProto.INT64, (1, len(trees["walk.roots"]))
    )
    model.graph.value_info.append(leaves)
    rest = Extractor(model).extract_model([leaves.name], [output.name for output in model.graph.output])
    return trees, rest.SerializeToString()


def _translated(network: bytes, name: str) -> tuple[str, str]:
    """Return SOFIE's code and weights."""
    from sofie import onnx as sofie_onnx

    with TemporaryFolder("sofie") as folder:
        # SOFIE names the generated code after the file.
        file, header, weights = (folder / f"{name}.{kind}" for kind in ("onnx", "hxx", "dat"))
        file.write_bytes(network)
        translated = sofie_onnx.parse(str(file))
        translated.generate()
        # The caller has room for one number: what SOFIE makes of the shapes counts, and not what the file says.
        shapes = [translated.get_tensor_shape(name) for name in translated.get_output_tensor_names()]
        if [math.prod(shape) for shape in shapes] != [1]:
            raise ValueError(f"its results have the shapes {shapes}, where one score is expected")
        translated.output_generated(str(header))
        return header.read_text(), weights.read_text() if weights.exists() else ""


def _walk_before(rest: str, model: str, trees: Trees) -> str:
    """Return the namespace of a network that walks down trees before SOFIE's code for the rest of it."""
    return f"""
#include "numerics/forest.hxx"
namespace SOFIE_{model} {{
struct Session {{
   forest::Walk walk;
   SOFIE_{rest}::Session rest;
   explicit Session(const std::string &weights) : walk(forest::read_tables(weights)), rest(weights) {{}}
}};
inline void doInfer(const Session &session, const float *features, float *score)
{{
   std::int64_t leaves[{len(trees["walk.roots"])}];
   session.walk(features, leaves);
   SOFIE_{rest}::doInfer(session.rest, leaves, score);
}}
}}
"""


def _tables(trees: Trees) -> str:
    """Write tables of nodes as macros/numerics/forest.hxx reads them: integers, and float32 by their bits."""
    lines = []
    for name in ("roots", "left", "right", "feature", "cut"):
        table = trees[f"walk.{name}"]
        integers = table.view(np.uint32) if table.dtype == np.float32 else table
        lines.append(f"walk.{name} {len(table)}\n{' '.join(map(str, integers.tolist()))}\n")
    return "".join(lines)


KERNELS = {
    # Comment with the time, by which the same code would be another one each time.
    r"^//Code generated automatically.*\n": "",
    r"BLAS::sgemm_\(": "dense::sgemm(",
    r"std::exp\(": "exponential::exp(",
    r"std::vector<float> (fTensor_\w+) = std::vector<float>": r"dense::Tensor<float> \1 = dense::Tensor<float>",
    r"std::vector<char> (fIntermediate\w+) = std::vector<char>": r"dense::Tensor<char> \1 = dense::Tensor<char>",
}
"""What SOFIE writes, and what takes its place."""


_DISTANCES = re.compile(
    r"""//-+\ op_\d+\ \ Sub\ -->\ {\ 1\ ,\ (\d+)\ ,\ (\d+)\ }\n
    [^=]*=[^=]*=\ 0;[^=]*(?<=\ )(?P<difference>\w+)\[idx_1\ \*\ \2\ \+\ idx_2\]
    \ =\ (?P<point>\w+)\[idx_1\]\ -\ (?P<others>\w+)\[idx_1\ \*\ \2\ \+\ idx_2\]\ ;\s+}\s+}\s+
    //-+\ op_\d+\ \ Mul\ -->\ {\ 1\ ,\ \1\ ,\ \2\ }\n
    [^-]*=\ (?P=difference)\[[^]]*\]\ \*\ (?P=difference)\[[^]]*\]\ ;\s+}\s+}\s+//-+\s+
    //-+\ \ operator\ ReduceSum\ \ op_\d+\s+std::fill\((?P<sums>\w+),[^/]*?inputIndex\+\+;(?:\s+}){4}""",
    re.VERBOSE,
)
"""Differences from support vectors, their squares and the sums of these, as SOFIE writes them: three ways over as many
numbers as the vectors have."""


def check_parity(
    detector: CompiledDetector,
    X: npt.NDArray[np.float32],
    expected: npt.NDArray[np.float32],
    rounding: npt.NDArray[np.float64] | None = None,
) -> float:
    """Compare the compiled detector with the scores that the trained one gave, and return the largest difference.

    Args:
        detector: the compiled one.
        X: reference events, shape (events, features).
        expected: their scores, shape (events,), by scikit-learn or torch.
        rounding: what the rounding of float32 can change of each, by what is added up to it, shape (events,); None for
            models of earlier versions, which do not say it.

    Raises:
        ScoreMismatch: a difference is larger than `PARITY` times the range of the expected scores, and than rounding
            can make it.
    """
    differences = np.abs(detector.scores(X).astype(np.float64) - expected)
    # Where the scores hardly differ, what float32 rounds off them counts.
    tolerance = PARITY * max(float(np.ptp(expected)), 1e-2 * float(np.abs(expected).max()), 1e-6)
    allowed = np.full(len(expected), tolerance) if rounding is None else np.maximum(tolerance, rounding)
    # NaN and infinite scores are no parity either.
    if not (differences <= allowed).all() or not math.isfinite(tolerance):
        worst = int(np.argmax(np.where(np.isnan(differences), math.inf, differences - allowed)))
        raise ScoreMismatch(
            f"{detector.name}: compiled scores differ by {differences[worst]:.2g} from those of the trained detector, "
            f"{allowed[worst]:.2g} is allowed; run `python -m analysis.doctor`, and train again if it finds nothing"
        )
    return float(differences.max())
