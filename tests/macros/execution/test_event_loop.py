"""The event loop in its own thread, without the Python around it."""

from __future__ import annotations

from typing import Any

import pytest

from rdf.code.interpreter import ROOT, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("execution/event_loop")


def ticking(loop: Any, events: int) -> Any:
    return ROOT.RDataFrame(events).Filter(
        f"reinterpret_cast<event_loop::EventLoop *>({ROOT.addressof(loop)}ull)->tick(rdfslot_)"
    )


def handles(*results: Any) -> Any:
    collected = ROOT.std.vector["ROOT::RDF::RResultHandle"]()
    for result in results:
        collected.push_back(ROOT.RDF.RResultHandle(result))
    return collected


def finish(loop: Any) -> None:
    while not loop.wait(1000):
        pass


def test_events_of_all_slots_are_counted() -> None:
    loop = ROOT.event_loop.EventLoop(3)
    assert loop.events() == 0
    for slot, events in enumerate((5, 0, 7)):
        for _ in range(events):
            assert loop.tick(slot)
    assert loop.events() == 12


def test_a_stopped_loop_throws_at_the_next_event() -> None:
    loop = ROOT.event_loop.EventLoop(1)
    loop.tick(0)
    loop.stop()
    with pytest.raises(Exception, match="the event loop was interrupted"):
        loop.tick(0)
    assert loop.events() == 1


def test_a_graph_runs_to_its_end_and_an_error_in_it_comes_out_of_wait() -> None:
    ROOT.DisableImplicitMT()
    loop = ROOT.event_loop.EventLoop(1)
    count = ticking(loop, 37).Count()
    loop.start(handles(count))
    finish(loop)
    assert loop.events() == count.GetValue() == 37
    assert 0 <= loop.seconds_before_first_event() <= loop.seconds_in_all()

    loop = ROOT.event_loop.EventLoop(1)
    failing = ticking(loop, 37).Filter('if (rdfentry_ == 30) throw std::runtime_error("thirty"); return true;').Count()
    loop.start(handles(failing))
    with pytest.raises(Exception, match="thirty"):
        finish(loop)
    assert loop.events() == 31
    assert loop.wait(0)  # told once
