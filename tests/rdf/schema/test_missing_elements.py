"""Elements that an event does not have, in expressions over arrays: NaN, against the same in plain Python."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.errors import EventLoopFailed
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.selection import Cut, book_cutflow, book_non_finite, select_finite
from rdf.schema.columns import rounded
from rdf.schema.model import Schema, load_schema
from rdf.schema.quantities import ID_QUANTITIES
from rdf.schema.tables import Definition
from tests.rdf.trees import NANOAOD_KINDS, Values, arrays, columns_of, graph_of, nanoaod, opened, write_ttree

pytestmark = pytest.mark.compiler

EVENTS, SEED = 120, 12
NAN = math.nan
Event = SimpleNamespace
"""Of an event: the numbers of each array, by the names that expressions have for them."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    use_threads(1)
    yield
    use_threads(1)


def at(values: Sequence[float], i: float) -> float:
    """The i-th of them; NaN where there is none."""
    return values[int(i)] if i == i and 0 <= i < len(values) else NAN


def most(values: Sequence[float]) -> float:
    return max(values, default=NAN)


def place(values: Sequence[float], of: Callable[..., float]) -> float:
    return values.index(of(values)) if values else NAN


def total(values: Sequence[float]) -> float:
    return math.fsum(values)


def events() -> list[Event]:
    """What NanoAOD's default selection leaves of the made-up events, by falling pT."""
    columns = nanoaod(EVENTS, SEED)
    found = []
    for i in range(EVENTS):
        of = {name: list(values[i]) for name, values in columns.items() if np.ndim(values[i])}
        jets = [
            jet
            for jet in zip(of["Jet_pt"], of["Jet_eta"], of["Jet_jetId"], strict=True)
            if jet[0] > 30 and abs(jet[1]) < 2.4 and jet[2] >= 2
        ]
        leptons = [
            (pt, charge, flavour)
            for kind, flavour, most_eta in (("Electron", 11, 2.5), ("Muon", 13, 2.4))
            for pt, eta, charge in zip(*(of[f"{kind}_{part}"] for part in ("pt", "eta", "charge")), strict=True)
            if pt > 10 and abs(eta) < most_eta
        ]
        jets.sort(key=lambda jet: -jet[0])
        leptons.sort(key=lambda lepton: -lepton[0])
        found.append(
            Event(
                pt=[jet[0] for jet in jets],
                eta=[jet[1] for jet in jets],
                lepton=[lepton[0] for lepton in leptons],
                charge=[lepton[1] for lepton in leptons],
                raw=of["Jet_pt"],
                ids=of["Jet_jetId"],
                met=float(columns["PuppiMET_pt"][i]),
            )
        )
    return found


CASES: dict[str, Callable[[Event], float]] = {
    # By an index.
    "jet_pt[5]": lambda e: at(e.pt, 5),
    "jet_pt[0] / jet_pt[1]": lambda e: at(e.pt, 0) / at(e.pt, 1),
    "jet_pt[-1]": lambda _: NAN,
    "jet_pt[n_jets - 1]": lambda e: at(e.pt, len(e.pt) - 1),
    "jet_pt[jet_pt.size() - 2]": lambda e: at(e.pt, len(e.pt) - 2),
    "jet_pt[1000000000000]": lambda _: NAN,
    "jet_pt[18446744073709551615ull]": lambda _: NAN,
    "jet_pt[std::numeric_limits<double>::quiet_NaN()]": lambda _: NAN,
    "jet_pt[1.9]": lambda e: at(e.pt, 1),
    "jet_pt.at(2)": lambda e: at(e.pt, 2),
    "jet_pt.at(2, -1.)": lambda e: at(
        [*e.pt, -1, -1, -1] if len(e.pt) < 3 else e.pt, 2 if len(e.pt) > 2 else len(e.pt)
    ),
    "jet_pt.front() + jet_eta.back()": lambda e: at(e.pt, 0) + at(e.eta, len(e.eta) - 1),
    "(jet_pt)[3]": lambda e: at(e.pt, 3),
    "jet_pt [1]": lambda e: at(e.pt, 1),
    "jet_pt/* of the second */[1]": lambda e: at(e.pt, 1),
    "jet_pt.operator[](1)": lambda e: at(e.pt, 1),
    "(n_jets > 1 ? jet_pt : jet_eta)[1]": lambda e: at(e.pt, 1),
    "Jet_pt[4]": lambda e: at(e.raw, 4),
    "lepton_charge[0] * lepton_charge[1]": lambda e: at(e.charge, 0) * at(e.charge, 1),
    # Of what is made of arrays.
    "jet_pt[abs(jet_eta) < 0.5][0]": lambda e: at([p for p, t in zip(e.pt, e.eta, strict=True) if abs(t) < 0.5], 0),
    "(jet_pt * 2)[1]": lambda e: 2 * at(e.pt, 1),
    "(2 * jet_pt + jet_eta / 3 - 1)[2]": lambda e: 2 * at(e.pt, 2) + at(e.eta, 2) / 3 - 1,
    "(-jet_eta)[1]": lambda e: -at(e.eta, 1),
    "sqrt(jet_pt)[1]": lambda e: math.sqrt(at(e.pt, 1)),
    "pow(jet_pt, 2)[1]": lambda e: at(e.pt, 1) ** 2,
    "(jet_pt > 40)[1]": lambda e: NAN if len(e.pt) < 2 else float(e.pt[1] > 40),
    "jet_pt[jet_pt > 40 && jet_eta > 0][1]": lambda e: at(
        [p for p, t in zip(e.pt, e.eta, strict=True) if p > 40 and t > 0], 1
    ),
    "Reverse(jet_pt)[3]": lambda e: at(e.pt[::-1], 3),
    "Sort(jet_eta)[1]": lambda e: at(sorted(e.eta), 1),
    "Sort(jet_eta, [](double x, double y) { return x > y; })[1]": lambda e: at(sorted(e.eta, reverse=True), 1),
    "Concatenate(jet_pt, lepton_pt)[4]": lambda e: at(e.pt + e.lepton, 4),
    "Where(jet_eta > 0, jet_pt, jet_eta)[2]": lambda e: at(e.pt if at(e.eta, 2) > 0 else e.eta, 2),
    "Nonzero(jet_eta > 0)[1]": lambda e: at([i for i, t in enumerate(e.eta) if t > 0], 1),
    "Map(jet_pt, jet_eta, [](double p, double t) { return p * t; })[1]": lambda e: at(e.pt, 1) * at(e.eta, 1),
    "Filter(jet_pt, [](double p) { return p > 50; })[0]": lambda e: at([p for p in e.pt if p > 50], 0),
    "Drop(jet_pt, {0, 7})[0]": lambda e: at(e.pt, 1),
    "ROOT::RVec<double>{met_pt, HT}[2]": lambda _: NAN,
    "ROOT::VecOps::RVec<float>(jet_pt)[1]": lambda e: float(np.float32(at(e.pt, 1))),
    "ROOT::VecOps::Take(jet_pt, 2)[1]": lambda e: at(e.pt, 1),
    "Combinations(jet_pt, 2)[1][0]": lambda e: 1.0 if len(e.pt) > 1 else NAN,
    "jet_pt[Combinations(jet_pt, 3)[2][0]]": lambda e: at(e.pt, 2),
    # The greatest and the like, of nothing.
    "Max(lepton_pt)": lambda e: most(e.lepton),
    "Min(jet_pt)": lambda e: min(e.pt, default=NAN),
    "Max(lepton_charge)": lambda e: most(e.charge),
    "Max(jet_pt[jet_eta > 1])": lambda e: most([p for p, t in zip(e.pt, e.eta, strict=True) if t > 1]),
    "ArgMax(jet_eta)": lambda e: place(e.eta, max),
    "ArgMin(jet_eta) + 1": lambda e: place(e.eta, min) + 1,
    "jet_pt[ArgMax(jet_eta)]": lambda e: at(e.pt, place(e.eta, max)),
    "jet_pt[ArgMin(jet_eta)] - Max(jet_pt)": lambda e: at(e.pt, place(e.eta, min)) - most(e.pt),
    "Mean(jet_pt)": lambda e: total(e.pt) / len(e.pt) if e.pt else NAN,
    "StdDev(jet_eta)": lambda e: NAN if not e.eta else statistics.stdev(e.eta) if len(e.eta) > 1 else 0.0,
    "Var(jet_eta)": lambda e: NAN if not e.eta else statistics.variance(e.eta) if len(e.eta) > 1 else 0.0,
    "*std::max_element(jet_eta.begin(), jet_eta.end())": lambda e: most(e.eta),
    "*std::min_element(std::begin(Jet_pt), std::end(Jet_pt))": lambda e: min(e.raw, default=NAN),
    "1. * *std::max_element(Jet_jetId.begin(), Jet_jetId.end())": lambda e: most(e.ids),
    "*jet_pt.rbegin() + jet_pt.end()[-1]": lambda e: 2 * at(e.pt, len(e.pt) - 1),
    "*(jet_pt.begin() + 4)": lambda e: at(e.pt, 4),
    "jet_pt[std::max_element(jet_eta.begin(), jet_eta.end()) - jet_eta.begin()]": lambda e: at(e.pt, place(e.eta, max)),
    # By several indices.
    "Sum(Take(jet_pt, 2))": lambda e: at(e.pt, 0) + at(e.pt, 1),
    "Sum(Take(jet_pt, -2))": lambda e: at(e.pt[::-1], 0) + at(e.pt[::-1], 1),
    "Take(jet_pt, -3)[2]": lambda e: at(e.pt, len(e.pt) - 1),
    "Sum(Take(lepton_charge, 2))": lambda e: at(e.charge, 0) + at(e.charge, 1),
    "Take(jet_pt, 4, 0.)[3]": lambda e: at([*e.pt, 0, 0, 0, 0], 3),
    "Take(jet_pt, {1, 0, 6})[1]": lambda e: at(e.pt, 0),
    "Sum(Take(jet_pt, {1, 0, 2}))": lambda e: sum(at(e.pt, i) for i in (1, 0, 2)),
    "Take(jet_eta, Argsort(jet_eta))[1]": lambda e: at(sorted(e.eta), 1),
    "Take(jet_pt, lepton_charge)[0]": lambda e: at(e.pt, at(e.charge, 0)),
    "Max(Take(jet_pt, 3))": lambda e: NAN if len(e.pt) < 3 else e.pt[0],
    "Sort(Take(jet_eta, 3))[0]": lambda e: min(e.eta[:3], default=NAN),
    # Four-vectors.
    "jets[2].Pt()": lambda e: at(e.pt, 2),
    "jets.at(1).Eta()": lambda e: at(e.eta, 1),
    "jets.front().Pt() + jets.back().Pt()": lambda e: at(e.pt, 0) + at(e.pt, len(e.pt) - 1),
    "jets[jet_pt > 40][1].Pt()": lambda e: at([p for p in e.pt if p > 40], 1),
    "(jets[0] + jets[1]).Pt() * 0": lambda e: 0.0 if len(e.pt) > 1 else NAN,
    "Reverse(jets)[0].Pt()": lambda e: at(e.pt, len(e.pt) - 1),
    "Take(jets, 2)[1].Pt()": lambda e: at(e.pt, 1),
    "ROOT::Math::VectorUtil::DeltaR(jets[0], jets[1]) * 0": lambda e: 0.0 if len(e.pt) > 1 else NAN,
    "jets.begin()->Pt()": lambda e: at(e.pt, 0),
    # What users write in lambdas.
    "[&] { double s = 0; for (auto p : jet_pt) s += p; return s + jet_pt[2]; }()": lambda e: total(e.pt) + at(e.pt, 2),
    "[](const ROOT::RVec<double> &v) { return v[1]; }(jet_pt)": lambda e: at(e.pt, 1),
    "[&] { int n = 0; for (auto id : Jet_jetId) n += (id & 4) > 0; return n; }()": lambda e: sum(
        i & 4 > 0 for i in e.ids
    ),
    "[&] { auto v = jet_eta; std::sort(v.begin(), v.end()); return v[1]; }()": lambda e: at(sorted(e.eta), 1),
    # Nothing that is missing.
    "Sum(jet_pt)": lambda e: total(e.pt),
    "Sum(jet_pt[jet_eta > 9])": lambda _: 0.0,
    "jet_pt.size()": lambda e: len(e.pt),
    "jet_pt[jet_eta > 0].size()": lambda e: sum(t > 0 for t in e.eta),
    "Sum(Jet_jetId & 4) / 4": lambda e: sum(i & 4 for i in e.ids) // 4,
    "Any(jet_pt > 60) + 2 * All(jet_pt > 60)": lambda e: any(p > 60 for p in e.pt) + 2 * all(p > 60 for p in e.pt),
    "jet_pt.empty() ? -1. : jet_pt[0]": lambda e: e.pt[0] if e.pt else -1.0,
    "n_jets > 1 && jet_pt[1] > 40": lambda e: len(e.pt) > 1 and e.pt[1] > 40,
    "jet_pt[1] > 30": lambda e: len(e.pt) > 1,  # NaN is not above 30
    "Dot(jet_pt, jet_eta)": lambda e: total(p * t for p, t in zip(e.pt, e.eta, strict=True)),
    'std::string("jet_pt").size() + met_pt': lambda e: 6 + e.met,
}


LACKING = ("(jet_pt * 2)[1]", "Max(lepton_pt)")
"""Two of the cases that are taken for the features of the detectors."""


@dataclass(frozen=True)
class Computed:
    """Each of the expressions for each event, in the order of the file; events without it; and the cutflow."""

    values: dict[str, np.ndarray]
    not_finite: dict[str, int]
    cuts: list[Cut]


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> Computed:
    use_threads(1)
    path = write_ttree(tmp_path_factory.mktemp("nano") / "nano.root", "Events", nanoaod(EVENTS, SEED), NANOAOD_KINDS)
    schema = load_schema("cms_nanoaod")
    source = opened(path, schema)
    cases = dict.fromkeys((*LACKING, *CASES))
    names = {case: f"x{i}" for i, case in enumerate(cases)}
    definitions = {name: Definition(expression=case) for case, name in names.items()}
    columns = rounded(columns_of(source, schema, None, definitions), names.values())
    loop = EventLoop(source, (0, EVENTS))
    recorded = define_columns(loop.events, columns, ID_QUANTITIES, list(names.values()))
    counted = book_non_finite(recorded, list(names.values()), 1)
    cutflow = book_cutflow(select_finite(recorded, len(LACKING)))
    taken = {case: recorded.Take["float"](name) for case, name in names.items()}
    order = recorded.Take["ULong64_t"]("event")
    loop.run([counted.booked, cutflow.booked, order, *taken.values()])
    place = np.argsort(list(order.GetValue()))
    values = {case: np.array(list(found.GetValue()), dtype=np.float64)[place] for case, found in taken.items()}
    counts = counted.counts()
    return Computed(values, {case: counts[name] for case, name in names.items()}, cutflow.cuts())


@pytest.mark.parametrize("expression", CASES)
def test_an_element_that_an_event_does_not_have_is_nan(expression: str, computed: Computed) -> None:
    """In the first case RVec's own [] gives whatever lies there, in some events the value of another event."""
    wanted = np.array([float(CASES[expression](event)) for event in events()])
    np.testing.assert_allclose(computed.values[expression], wanted, rtol=1e-6, atol=1e-5)


def test_the_cases_are_of_both_kinds() -> None:
    counts = [len(event.pt) for event in events()]
    assert {0, 1, 2, 3, 4} <= set(counts)
    missing = [sum(math.isnan(float(of(event))) for event in events()) for of in CASES.values()]
    assert sum(0 < n < EVENTS for n in missing) > 60


def test_events_that_lack_an_element_are_dropped_and_counted(computed: Computed) -> None:
    lacking = [[len(e.pt) < 2 for e in events()], [not e.lepton for e in events()]]
    left = EVENTS - sum(map(max, *lacking))
    assert 0 < left < EVENTS
    assert [computed.not_finite[case] for case in LACKING] == [sum(flags) for flags in lacking]
    assert computed.not_finite["Sum(jet_pt)"] == 0
    assert computed.cuts == [Cut("all", EVENTS), Cut("finite", left)]


def table_schema(**parts: Any) -> Schema:
    return Schema.model_validate({"name": "table", "title": "", "tree": "t", "features": "razor", **parts})


def test_quantities_and_conditions_of_a_schema(tmp_path: Path) -> None:
    """Over the file's arrays, which lie one behind the other in memory, and over scalars, as in macros/README.md."""
    kinds = dict.fromkeys(("mets", "j_pt", "j_eta", "j_phi", "j_m", "tag"), "float32[]") | {"idx": "int32[]"}
    kinds |= {f"lep{i}_{part}": "float32" for i in (1, 2) for part in ("pt", "eta", "phi", "m")}
    kinds |= {f"lep{i}_{part}": "int32" for i in (1, 2) for part in ("q", "id")}
    columns: dict[str, Values] = {name: np.full(4, 1) for name in kinds}
    columns |= {
        "mets": [[10.0, 20.0], [30.0], [], [50.0, 60.0, 70.0]],
        "j_pt": [[40.0, 30.0], [20.0, 10.0], [70.0, 60.0], [50.0, 5.0]],
        **{f"j_{part}": [[0.0, 0.0]] * 4 for part in ("eta", "phi", "m")},
        "tag": [[0.9], [0.1, 0.8], [], [0.7]],
        "idx": [[0, -1], [1, 0], [0, 7], [1, 0]],
        "lep1_pt": np.array([20, 60, 80, 10]),
        "lep2_pt": np.array([32, 40, 16, 64]),
        "lep1_id": np.array([11, 13, -13, 11]),
        "lep2_id": np.array([-11, 13, 11, 11]),
    }
    parts = {"pt": "pt", "eta": "eta", "phi": "phi", "mass": "m"}
    schema = table_schema(
        columns=kinds,
        quantities={
            "met_pt": {"expression": "mets[1]"},
            **{f"jet_{part}": {"expression": f"j_{short}"} for part, short in parts.items()},
            **{
                f"lepton_{part}": {"expression": f"ROOT::RVec<double>{{lep1_{short}, lep2_{short}}}"}
                for part, short in (parts | {"charge": "q", "flavour": "id"}).items()
            },
        },
        objects={"jet": {"where": "Take(tag, idx) > 0.5"}},
        define={"of_tag": "tag[1] + mets[0]"},
    )
    source = opened(write_ttree(tmp_path / "t.root", "t", columns, kinds), schema)
    names = ["MET", "HT", "of_tag", "lepton1_pt", "lepton2_pt", "n_electrons", "n_muons"]
    found = arrays(graph_of(source, schema, names), names)
    np.testing.assert_array_equal(found["MET"], [20, NAN, NAN, 60])
    # The tags by index are [0.9, -], [0.8, 0.1], [-, -] and [-, 0.7].
    np.testing.assert_allclose(found["HT"], [40, 20, 0, 5])
    np.testing.assert_allclose(found["of_tag"], [NAN, np.float32(0.8) + np.float32(30), NAN, NAN])
    np.testing.assert_allclose(found["lepton1_pt"], [32, 60, 80, 64])
    np.testing.assert_allclose(found["lepton2_pt"], [20, 40, 16, 10])
    assert found["n_electrons"].tolist() == [2, 0, 1, 2]
    assert found["n_muons"].tolist() == [0, 2, 1, 0]


def leptons(ids: list[list[float]], charges: list[list[float]]) -> tuple[dict[str, Values], Schema]:
    """Events with leptons of 80, 50, 30 ... GeV, and a schema of theirs."""
    columns: dict[str, Values] = {"l_pt": [[80.0, 50.0, 30.0][: len(event)] for event in ids]}
    columns |= {f"l_{part}": [[0.1 * i for i in range(len(event))] for event in ids] for part in ("eta", "phi", "m")}
    columns |= {"l_id": ids, "l_q": charges}
    kinds = {name: "int32[]" if name in ("l_id", "l_q") else "float32[]" for name in columns}
    parts = {"pt": "l_pt", "eta": "l_eta", "phi": "l_phi", "mass": "l_m", "charge": "l_q", "flavour": "l_id"}
    quantities = {f"lepton_{part}": {"expression": column} for part, column in parts.items()}
    return columns, table_schema(columns=kinds, quantities=quantities, objects={"electron": {"pt": 60}})


OF_LEPTONS = ["n_electrons", "n_muons", "mz1", "all_electrons"]


def of_leptons(path: Path, ids: list[list[float]], charges: list[list[float]]) -> tuple[EventLoop, Any]:
    columns, schema = leptons(ids, charges)
    source = opened(write_ttree(path, "t", columns, schema.columns), schema)
    loop = EventLoop(source, (0, source.events))
    every = {"all_electrons": Definition(expression="Sum(abs(l_id) == 11)")}
    return loop, define_columns(loop.events, columns_of(source, schema, None, every), OF_LEPTONS)


def test_flavours_by_signed_numbers(tmp_path: Path) -> None:
    """Electrons above 60 GeV, and all muons."""
    ids = [[11.0, -11.0], [-13.0, 13.0], [-11.0, 13.0], [-11.0, 11.0, -13.0], []]
    _, events = of_leptons(tmp_path / "t.root", ids, [[-1.0, 1.0], [1.0, -1.0], [1.0, -1.0], [1.0, -1.0, 1.0], []])
    found = arrays(events, OF_LEPTONS)
    assert found["all_electrons"].tolist() == [2, 0, 1, 2, 0]
    assert found["n_electrons"].tolist() == [1, 0, 1, 1, 0]
    assert found["n_muons"].tolist() == [0, 2, 1, 1, 0]
    assert np.isfinite(found["mz1"]).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("ids", "charges", "reason"),
    [
        ([11.0, 15.0], [1.0, -1.0], "lepton_flavour 15 is neither an electron's, 11 or -11, nor a muon's"),
        ([11.0, 0.0], [1.0, -1.0], "lepton_flavour 0 is neither"),
        ([1000011.0, 11.0], [1.0, -1.0], "lepton_flavour 1000011 is neither"),
        ([1.0, 2.0], [1.0, -1.0], "lepton_flavour 1 is neither"),
        ([11.0, -11.0], [3.0, -3.0], "lepton_charge 3 is none of -1, 0 and 1; correct its expression in the schema"),
        ([11.0, -11.0], [1.0, 2.0], "lepton_charge 2 is none of -1, 0 and 1"),
    ],
)
def test_codes_that_are_none_of_those_known_are_refused(
    ids: list[float], charges: list[float], reason: str, tmp_path: Path
) -> None:
    loop, events = of_leptons(tmp_path / "t.root", [[11.0, -11.0], ids], [[1.0, -1.0], charges])
    with pytest.raises(EventLoopFailed, match=rf"t\.root broke off: {re.escape(reason)}") as caught:
        loop.run([events.Sum(name) for name in OF_LEPTONS])
    assert "damaged" not in str(caught.value)
