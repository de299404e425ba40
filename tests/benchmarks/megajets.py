"""What the best partition of n jets into megajets costs, against the rest of the razor columns of the same events."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rdf.code.interpreter import ROOT, declare, include_kernels
from tests.benchmarks.measure import Line, alternate, compare

EVENTS = 200  # made-up events, gone over again and again
MIN_SECONDS = 0.02  # that a measurement takes

CODE = """
#include <TRandom3.h>
#include <chrono>

namespace megajets_benchmark {

using Clock = std::chrono::steady_clock;

struct Event {
   objects::Reals pt, eta, phi, mass;
   objects::Momenta jets;
   razor::Megajets megajets;
   double met_pt, met_phi;
};

std::vector<Event> make_events(int events, int n_jets)
{
   TRandom3 random(n_jets);
   std::vector<Event> made(events);
   for (auto &event : made) {
      for (int i = 0; i < n_jets; ++i) {
         event.pt.push_back(30 + random.Exp(80));
         event.eta.push_back(random.Uniform(-2.4, 2.4));
         event.phi.push_back(random.Uniform(-M_PI, M_PI));
         event.mass.push_back(0.1 * event.pt.back());
      }
      const auto all = objects::by_falling_pt(event.pt, objects::passes(event.pt, event.eta, 30, 2.4));
      event.jets = objects::make_momenta(event.pt, event.eta, event.phi, event.mass, all);
      event.megajets = razor::compute_megajets(event.jets);
      event.met_pt = random.Exp(40);
      event.met_phi = random.Uniform(-M_PI, M_PI);
   }
   return made;
}

// Nanoseconds an event that a function takes, gone over until it has taken so many seconds.
template <typename Function>
double nanoseconds(const std::vector<Event> &events, double seconds, Function function)
{
   volatile double sink = 0;
   long done = 0;
   const auto started = Clock::now();
   double taken = 0;
   do {
      double sum = 0;
      for (const auto &event : events)
         sum += function(event);
      sink = sum;
      done += events.size();
      taken = std::chrono::duration<double>(Clock::now() - started).count();
   } while (taken < seconds);
   return 1e9 * taken / done;
}

double four_vectors(const std::vector<Event> &events, double seconds)
{
   return nanoseconds(events, seconds, [](const Event &e) {
      const auto order = objects::by_falling_pt(e.pt, objects::passes(e.pt, e.eta, 30, 2.4));
      return objects::make_momenta(e.pt, e.eta, e.phi, e.mass, order)[0].Px();
   });
}

double megajets(const std::vector<Event> &events, double seconds)
{
   return nanoseconds(events, seconds, [](const Event &e) { return razor::compute_megajets(e.jets).first.Px(); });
}

double razor_variables(const std::vector<Event> &events, double seconds)
{
   return nanoseconds(events, seconds, [](const Event &e) {
      const double mr = razor::compute_MR(e.megajets.first, e.megajets.second);
      const double mtr = razor::compute_MTR(e.megajets.first, e.megajets.second, e.met_pt, e.met_phi);
      return mr + mtr + razor::compute_Rsq(mtr, mr) + e.megajets.first.Pt() + e.megajets.second.Pt();
   });
}

} // namespace megajets_benchmark
"""


def measure(folder: Path) -> list[Line]:
    """Measure for 2 to 40 jets."""
    include_kernels("physics/razor")
    declare(CODE, "the benchmark of the megajets")
    benchmark = ROOT.megajets_benchmark
    lines = []
    for n_jets in (2, 4, 6, 8, 10, 12, 15, 20, 21, 40):
        events = benchmark.make_events(EVENTS, n_jets)

        def seconds(part: str, events: Any = events) -> float:
            """Return the seconds that all events take."""
            return float(getattr(benchmark, part)(events, MIN_SECONDS)) * EVENTS / 1e9

        parts = ("four_vectors", "megajets", "razor_variables")
        taken = alternate({part: partial(seconds, part) for part in parts})
        rest = [sum(both) for both in zip(taken["four_vectors"], taken["razor_variables"], strict=True)]
        what = f"{n_jets} jets: best partition / the other razor columns"
        lines.append(compare("megajets", what, taken["megajets"], rest, EVENTS))
    return lines
