"""Networks that score an event by an expression, in the place of a trained one's."""

from __future__ import annotations

from rdf.code.library import compile_library, graph_library


def network_of(name: str, score: str) -> int:
    """Address of a maker of networks: `score` is C++ for the score of an event's `features`."""
    library = compile_library(
        f"""#include "scoring/network.hxx"
#include <stdexcept>
namespace {{
struct {name} final : scoring::Network {{
   explicit {name}(const char *weights) {{ if (!*weights) throw std::runtime_error("no weights"); }}
   float score(const float *features) override {{ return {score}; }}
}};
}}
extern "C" scoring::Network *make_{name}(const char *weights) {{ return new {name}(weights); }}
""",
        f"the network {name} of a test",
    )
    graph_library("scores").load()
    library.load()
    return library.address(f"make_{name}")
