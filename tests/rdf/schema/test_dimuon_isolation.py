"""Real dimuon events with isolation and impact parameter: every column against the file, and against its muons."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.execution.event_loop import use_threads
from rdf.schema.columns import physics_columns
from rdf.schema.model import load_schema
from rdf.schema.object_selection import effective_selection
from rdf.sources.source import open_source

pytestmark = pytest.mark.compiler

NAME = "cms_dimuon_isolation"


def test_every_column_is_the_files(opendata: Path, tmp_path: Path) -> None:
    path = opendata / "cms2016dimuon" / "upsilon_os_9_10.6.csv"
    published = np.genfromtxt(path, delimiter=",", names=True)
    schema = load_schema(NAME)
    (chosen,) = schema.features
    names = [*schema.feature_sets[chosen].features, *schema.feature_sets[chosen].observables]
    use_threads(1)
    source = open_source([str(path)], schema, tmp_path, [None])
    selection = effective_selection(schema, source.available, {})
    columns = physics_columns(schema, source.available, selection, {})
    wanted = [*names, "event"]
    found = define_columns(source.open(), columns, wanted).AsNumpy(wanted)
    assert len(published) == len(found["event"]) == 6542
    np.testing.assert_array_equal(found["event"], np.arange(6542))
    for name in names:
        np.testing.assert_array_equal(found[name], published[name], err_msg=name)
    # The mass follows from massless muons to the precision of NanoAOD's rounded momenta.
    cosh = np.cosh(published["mu0_eta"] - published["mu1_eta"])
    cos = np.cos(published["mu0_phi"] - published["mu1_phi"])
    mass = np.sqrt(2 * published["mu0_pt"] * published["mu1_pt"] * (cosh - cos))
    np.testing.assert_allclose(found["dimu_mass"], mass, rtol=5e-3)
    # arXiv:2502.14036 calls pairs anti-isolated whose muons both have I_rel above 0.55.
    assert np.count_nonzero((found["mu0_iso04"] > 0.55) & (found["mu1_iso04"] > 0.55)) == 1692
