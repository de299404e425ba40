"""What the stages of an event loop took, on a clock that is looked at during one event of eight."""

from __future__ import annotations

import pytest

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("execution/stopwatch")
declare(
    """
#include <chrono>
namespace stopwatch_test {
using Clock = std::chrono::steady_clock;
void wait()
{
   const auto begun = Clock::now();
   while (Clock::now() - begun < std::chrono::microseconds(50)) {}
}
// 160 events, of which to read each takes 50 us and its columns 100 us.
void run(stopwatch::Stopwatch &watch)
{
   for (int event = 0; event < 160; ++event) {
      watch.begin(0);
      wait();
      watch.mark(0, stopwatch::kRead);
      wait();
      wait();
      watch.mark(0, stopwatch::kColumns);
   }
}
}
""",
    "the test's event loop",
)


def test_stages() -> None:
    watch = ROOT.stopwatch.Stopwatch(2)
    ROOT.stopwatch_test.run(watch)
    stages = ("kWriting", "kRead", "kColumns", "kHistograms", "kDetectors")
    seconds = {stage: float(watch.seconds(getattr(ROOT.stopwatch, stage))) for stage in stages}
    # A wait may take longer than it has to, but never less: what is counted of 20 events stands for all 160.
    assert seconds["kRead"] >= 0.99 * 160 * 50e-6
    assert seconds["kColumns"] >= 0.99 * 160 * 100e-6
    assert seconds["kHistograms"] == seconds["kDetectors"] == 0


def test_the_other_slot_has_done_nothing() -> None:
    watch = ROOT.stopwatch.Stopwatch(1)
    watch.mark(0, 1)  # before any event
    watch.begin(0)
    watch.mark(0, 1000)  # more detectors than there are stages for
    assert all(watch.seconds(stage) == 0 for stage in range(32))
