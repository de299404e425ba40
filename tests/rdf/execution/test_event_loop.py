"""Event loops: counted, part by part, interrupted and broken off."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, define
from rdf.errors import EventLoopFailed, Interrupted, LostEvents
from rdf.execution.event_loop import EventLoop, use_threads

pytestmark = pytest.mark.compiler

EVENTS = 2000


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    use_threads(1)


@pytest.fixture
def heeds_ctrl_c() -> Iterator[None]:
    """Python's own handling of Ctrl-C, also where the tests were started in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def sum_of_events(loop: EventLoop) -> Any:
    return loop.events.Sum("source_row")


def test_threads() -> None:
    assert use_threads(2) == 2
    assert ROOT.IsImplicitMTEnabled()
    assert use_threads(1) == 1
    assert not ROOT.IsImplicitMTEnabled()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_full_loop_counts_every_event(threads: int, made_up: Any) -> None:
    use_threads(threads)
    loop = EventLoop(made_up.source, (0, EVENTS))
    total, report = sum_of_events(loop), loop.events.Report()
    seen: list[tuple[int, int]] = []
    took = loop.run([total, report], lambda done, all_events: seen.append((done, all_events)))
    assert loop.expected == took.events == EVENTS
    assert total.GetValue() == EVENTS * (EVENTS - 1) / 2  # 0 + 1 + ... + 1999
    assert [(cut.GetName(), cut.GetAll(), cut.GetPass()) for cut in report.GetValue()] == [("all", EVENTS, EVENTS)]
    assert seen == sorted(seen)
    assert seen[-1] == (EVENTS, EVENTS)
    assert took.jit_seconds >= 0
    assert took.loop_seconds >= 0


@pytest.mark.parametrize("entries", [(0, 10), (700, 1300), (1999, 2000)])
def test_a_part_of_a_sample(entries: tuple[int, int], made_up: Any) -> None:
    use_threads(1)
    loop = EventLoop(made_up.source, entries)
    rows = loop.events.Take["ULong64_t"]("source_row")
    assert loop.run([rows]).events == entries[1] - entries[0]
    assert list(rows.GetValue()) == list(range(*entries))


def test_parts_add_up_to_the_whole(made_up: Any) -> None:
    use_threads(1)
    sums = []
    for entries in ((0, 1234), (1234, EVENTS)):
        loop = EventLoop(made_up.source, entries)
        total = loop.events.Sum("nJets")
        loop.run([total])
        sums.append(total.GetValue())
    assert sum(sums) == made_up.columns["nJets"].sum()


@pytest.mark.parametrize("threads", [1, 2])
def test_lost_events(threads: int, made_up: Any) -> None:
    use_threads(threads)
    promised = replace(made_up.source, entries=(EVENTS + 5,))
    loop = EventLoop(promised, (0, EVENTS + 5))
    with pytest.raises(LostEvents, match=r"made_up-\w+\.root: 2000 events processed, 2005 expected; .*run again"):
        loop.run([sum_of_events(loop)])


def test_a_long_list_of_files_is_named_by_its_ends(made_up: Any) -> None:
    use_threads(1)
    (file,) = made_up.source.files
    promised = replace(made_up.source, files=(file,) * 5, entries=(EVENTS,) * 4 + (EVENTS + 1,))
    loop = EventLoop(promised, (0, promised.events))
    with pytest.raises(LostEvents, match=r"\.root \.\.\. .*\.root \(5 files\): 10000 events processed, 10001 expected"):
        loop.run([sum_of_events(loop)])


def interrupting(number: int) -> Callable[[int, int], None]:
    """Progress that, once events flow, has another thread send the signal to this process, as a terminal does."""
    timer = threading.Timer(0.05, os.kill, (os.getpid(), number))

    def progress(done: int, total: int) -> None:
        if done and not timer.ident:
            timer.start()

    return progress


@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_the_loop_and_the_session_stays_usable(threads: int, made_up: Any, heeds_ctrl_c: None) -> None:
    use_threads(threads)
    loop = EventLoop(made_up.source, (0, EVENTS))
    # 20 ms an event, 40 s in all on one thread: the loop is still far from its end when the signal comes.
    slow = define(loop.events, "slow", "std::this_thread::sleep_for(std::chrono::milliseconds(20)); return source_row;")
    with pytest.raises(Interrupted, match="the event loop was interrupted"):
        loop.run([slow.Sum("slow")], interrupting(signal.SIGINT))
    assert 0 < loop._loop.events() < EVENTS

    again = EventLoop(made_up.source, (0, EVENTS))
    total = sum_of_events(again)
    assert again.run([total]).events == EVENTS
    assert total.GetValue() == EVENTS * (EVENTS - 1) / 2


def test_an_exception_of_the_progress_ends_the_loop_and_comes_out_as_it_is(made_up: Any) -> None:
    use_threads(1)
    loop = EventLoop(made_up.source, (0, EVENTS))
    slow = define(loop.events, "slow", "std::this_thread::sleep_for(std::chrono::milliseconds(20)); return source_row;")

    def full_disk(done: int, total: int) -> None:
        if done:
            raise OSError("no space is left")

    with pytest.raises(OSError, match="no space is left"):
        loop.run([slow.Sum("slow")], full_disk)
    assert 0 < loop._loop.events() < EVENTS


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_the_loop_names_the_file_and_the_reason(threads: int, made_up: Any) -> None:
    use_threads(threads)
    loop = EventLoop(made_up.source, (0, EVENTS))
    broken = define(
        loop.events, "broken", 'if (source_row == 1500) throw std::runtime_error("event 1500 is bad"); return 1.;'
    )
    with pytest.raises(EventLoopFailed, match=r"made_up-\w+\.root broke off: .*event 1500 is bad.*disk full") as caught:
        loop.run([broken.Sum("broken")])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_damaged_after_it_was_opened_names_the_file(threads: int, made_up: Any, tmp_path: Any) -> None:
    import uproot

    (whole,) = made_up.source.files
    with uproot.open(whole) as file:
        page = file["events"].page_link_list[0][0].pages[0].locator
    content = bytearray(Path(whole).read_bytes())
    content[page.offset + page.num_bytes // 2] ^= 4
    damaged = tmp_path / "damaged.root"
    damaged.write_bytes(content)
    use_threads(threads)
    loop = EventLoop(replace(made_up.source, files=(str(damaged),)), (0, EVENTS))
    with pytest.raises(EventLoopFailed, match=r"damaged\.root broke off: .*a file may be damaged \(get it again\)"):
        loop.run([loop.events.Sum("Run"), loop.events.Sum("Px1")])


def test_results_of_two_loops_do_not_mix(made_up: Any) -> None:
    use_threads(1)
    first, second = (EventLoop(made_up.source, (0, EVENTS)) for _ in range(2))
    total = np.array([loop.run([sum_of_events(loop)]).events for loop in (first, second)])
    assert total.tolist() == [EVENTS, EVENTS]
