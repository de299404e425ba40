"""Whether a limit of this process leaves enough memory: libraries in C and C++ abort where they get none."""

from __future__ import annotations

import resource

from rdf.errors import OutOfMemory

REMEDY = "free some, or raise the limit (ulimit -v, the memory of the job)"


def require_memory(needed: int, purpose: str) -> None:
    """Refuse to begin what a limit of the address space does not allow.

    Args:
        needed: bytes of address space, all in all.
        purpose: what they are needed for.

    Raises:
        OutOfMemory: names the limit.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise OutOfMemory(
            f"not enough memory: {purpose} takes {needed / 1e9:.2g} GB of address space, and the limit is "
            f"{limit / 1e9:.2g} GB; {REMEDY}"
        )
