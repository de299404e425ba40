// Upper limits on a signal at 95 % confidence level: CLs from toys, where too few events are expected for the asymptotic
// distributions of q-tilde.
//
// As ATLAS and CMS do it (ATL-PHYS-PUB-2011-011, CMS NOTE-2011/005): toys with a number of signal events, and without
// any, are thrown from what data give with that number; where the signal has errors of its own, what was measured of
// them is thrown too. Expected limits are those of the toys without a signal.
//
// Toys of all numbers of signal events that were tried count for each of them, with the ratio of the probability of a toy
// there to its mean probability where toys were thrown (E. Veach and L. J. Guibas, Proc. SIGGRAPH 1995, 419: the balance
// heuristic). No weight is large, since the number that is asked for is always among those thrown. Some toys are thrown
// from the best fit to the data, so that many are as extreme as these, however rare that is without a signal.
#pragma once

#include "statistics/limits.hxx"
#include "statistics/toys.hxx"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace statistics {

// Limits on one signal.
class ToyLimits {
   static constexpr std::size_t kCurves = 6; // CLs of the data, and expected at -2, -1, 0, 1 and 2 standard deviations
   using Curves = std::array<double, kCurves>;

   // What is expected of each bin with a number of signal events.
   struct Source {
      std::vector<double> rates, logs;
      double sum = 0, offset = 0;
      std::array<double, kPullLimit> pulls{};
   };

   struct Toy {
      Counts counts;
      double offset = 0;
      std::array<double, kPullLimit> measured{}; // of the pulls
      std::unique_ptr<LimitTest> test;
      std::vector<double> densities; // logarithm of the probability, up to a constant, by each source
      double q = kNoEstimate;
      explicit Toy(std::size_t padded) : counts(padded) {}
   };

   std::vector<Fitter> fFitters; // one for each thread
   const Counts *fCounts;
   Signal fSignal;
   double fSpurious;
   std::uint64_t fSeed, fFirst;
   std::size_t fEach;
   LimitTest fData;
   double fStart = 1;
   std::vector<Source> fSources;
   std::vector<std::unique_ptr<Toy>> fToys;
   std::map<int, Curves> fFound; // by steps from the start

public:
   // seed: with the number of a toy it gives the toy; first: number of the first one. each: toys of each number of signal
   // events. threads: that share them; they change nothing.
   ToyLimits(const Background &background, const Counts &counts, const Signal &signal, const Fit &without,
             double spurious, std::uint64_t seed, std::uint64_t first, std::size_t each, unsigned int threads)
      : fFitters(std::max(threads, 1u), Fitter(background)), fCounts(&counts), fSignal(signal), fSpurious(spurious),
        fSeed(seed), fFirst(first), fEach(each), fData(fFitters[0], counts, signal, without, spurious)
   {
      if (!fData.without().converged)
         throw std::runtime_error("the fit without a signal does not come to an end");
      fStart = std::fmax(expected_error(), 1);
      add_source(fData.without(), 0);
      add_source(fData.best(), fData.best().signal);
   }

   std::size_t toys() const { return fToys.size(); }

   // Throws std::runtime_error where 60 numbers of signal events are not enough, or CLs is not a number.
   Limits find()
   {
      Limits found;
      found.observed = crossing(0);
      for (std::size_t band = 0; band < found.expected.size(); ++band)
         found.expected[band] = crossing(band + 1);
      return found;
   }

private:
   static constexpr int kOctave = 4; // steps in which a number of signal events doubles

   double events(int step) const { return fStart * std::pow(2., static_cast<double>(step) / kOctave); }

   // Where a curve is 0.05, between two neighbouring steps: a bracket grows by doubling, and is halved after that. The
   // logarithm of CLs is nearly linear in so short an interval.
   double crossing(std::size_t curve)
   {
      constexpr double kLevel = 0.05;
      int low = 0, high = 0;
      if (at(0)[curve] > kLevel) {
         for (high = kOctave; at(high)[curve] > kLevel; high += kOctave)
            low = high;
      } else {
         for (low = -kOctave; !(at(low)[curve] > kLevel); low -= kOctave)
            high = low;
      }
      while (high - low > 1) {
         const int middle = low + (high - low) / 2;
         (at(middle)[curve] > kLevel ? low : high) = middle;
      }
      const double above = at(low)[curve], below = at(high)[curve];
      const double share = below > 0 ? std::log(above / kLevel) / std::log(above / below) : (above - kLevel) / above;
      return events(low) + share * (events(high) - events(low));
   }

   const Curves &at(int step)
   {
      const auto known = fFound.find(step);
      if (known != fFound.end())
         return known->second;
      if (fFound.size() == 60)
         throw std::runtime_error("no upper limit within 60 numbers of signal events");
      return fFound[step] = curves(events(step));
   }

   // Error of a signal in what is expected without one.
   double expected_error()
   {
      Fitter &fitter = fFitters[0];
      Counts asimov(*fCounts);
      const std::vector<double> rates = fitter.expect(fSignal, fData.without());
      for (std::size_t i = 0; i < fitter.background().bins(); ++i)
         if (fCounts->used()[i] != 0)
            asimov.use(i, rates[i]);
      const double error = fitter.fit(asimov, fSignal, Hypothesis{}, fData.without()).signal_error;
      return std::isfinite(error) ? error : 1;
   }

   // Throw toys from a fit of the data with a number of signal events.
   void add_source(const Fit &fit, double events)
   {
      const std::size_t bins = fFitters[0].background().bins();
      Source source;
      source.offset = fit.signal - events;
      source.pulls = fit.pulls;
      source.rates = fFitters[0].expect(fSignal, fit);
      source.logs.assign(bins, 0.);
      for (std::size_t i = 0; i < bins; ++i) {
         if (fCounts->used()[i] == 0)
            continue;
         source.logs[i] = std::log(source.rates[i]);
         source.sum += source.rates[i];
      }
      fSources.push_back(source);
      const std::size_t before = fToys.size();
      fToys.resize(before + fEach);
      share([&, this](std::size_t i, Fitter &fitter) {
         if (i >= before)
            fToys[i] = thrown(i, fitter);
         Toy &toy = *fToys[i];
         while (toy.densities.size() < fSources.size())
            toy.densities.push_back(density(toy, fSources[toy.densities.size()]));
      });
   }

   std::unique_ptr<Toy> thrown(std::size_t number, Fitter &fitter) const
   {
      const Source &source = fSources.back();
      auto toy = std::make_unique<Toy>(fitter.background().padded());
      std::mt19937_64 random = stream(fSeed, fFirst + number);
      for (std::size_t i = 0; i < fitter.background().bins(); ++i)
         if (fCounts->used()[i] != 0)
            toy->counts.use(i, throw_poisson(source.rates[i], random));
      if (fSpurious > 0)
         toy->offset = std::normal_distribution<double>(source.offset, fSpurious)(random);
      Signal signal = fSignal;
      signal.measured = toy->measured.data();
      for (std::size_t k = 0; k < signal.nuisances; ++k)
         toy->measured[k] = std::normal_distribution<double>(source.pulls[k], 1)(random);
      const Fit without = fitter.fit_background(toy->counts);
      toy->test = std::make_unique<LimitTest>(fitter, toy->counts, signal, without, fSpurious, toy->offset);
      return toy;
   }

   double density(const Toy &toy, const Source &source) const
   {
      double sum = -source.sum;
      for (std::size_t i = 0; i < source.logs.size(); ++i)
         sum += toy.counts.events()[i] * source.logs[i];
      if (fSpurious > 0)
         sum -= 0.5 * std::pow((toy.offset - source.offset) / fSpurious, 2);
      for (std::size_t k = 0; k < fSignal.nuisances; ++k)
         sum -= 0.5 * std::pow(toy.measured[k] - source.pulls[k], 2);
      return sum;
   }

   // Each toy stays with one thread, whose fitter its test uses.
   template <typename Function>
   void share(const Function &work)
   {
      const auto some = [&, this](std::size_t thread) {
         for (std::size_t i = thread; i < fToys.size(); i += fFitters.size())
            work(i, fFitters[thread]);
      };
      std::vector<std::thread> others;
      for (std::size_t thread = 1; thread < fFitters.size(); ++thread)
         others.emplace_back(some, thread);
      some(0);
      for (std::thread &other : others)
         other.join();
   }

   // CLs of a number of signal events.
   Curves curves(double events)
   {
      constexpr double kSame = 1e-6; // of q, by which equal counts may differ where their fits end
      constexpr double kMostFailed = 0.01;
      constexpr std::size_t kFewest = 20; // toys; a data set more extreme than all but fewer counts as these, which is safe
      const double observed = fData.statistic(events);
      const Fit fit = fData.fit(events);
      if (!std::isfinite(observed) || !fit.converged)
         throw std::runtime_error("a fit of the data does not come to an end");
      add_source(fit, events);
      share([&, this](std::size_t i, Fitter &) { fToys[i]->q = fToys[i]->test->statistic(events); });
      std::vector<const Toy *> order;
      for (const auto &toy : fToys)
         if (std::isfinite(toy->q))
            order.push_back(toy.get());
      if (order.size() < (1 - kMostFailed) * fToys.size())
         throw std::runtime_error("fits of more than 1 % of the toys do not come to an end");
      std::stable_sort(order.begin(), order.end(), [](const Toy *a, const Toy *b) { return a->q > b->q; });
      std::vector<double> with, without; // sums over toys at least as extreme
      for (const Toy *toy : order) {
         const double largest = *std::max_element(toy->densities.begin(), toy->densities.end());
         double all = 0;
         for (const double density : toy->densities)
            all += std::exp(density - largest);
         with.push_back((with.empty() ? 0 : with.back()) + std::exp(toy->densities.back() - largest) / all);
         without.push_back((without.empty() ? 0 : without.back()) +
                           std::exp(toy->densities.front() - largest) / all);
      }
      const auto value = [&](double q) { // CLs of a data set with this q
         const auto place = std::partition_point(order.begin(), order.end(),
                                                 [&](const Toy *toy) { return toy->q >= q - kSame; });
         const std::size_t end = std::min(std::max<std::size_t>(place - order.begin(), kFewest), order.size());
         return (with[end - 1] / with.back()) / (without[end - 1] / without.back());
      };
      Curves found{value(observed)};
      if (!std::isfinite(found[0]))
         throw std::runtime_error("CLs is not a number");
      std::vector<std::pair<double, double>> expected; // CLs of each toy, and its weight without a signal
      for (std::size_t i = 0; i < order.size(); ++i)
         expected.emplace_back(value(order[i]->q), without[i] - (i ? without[i - 1] : 0));
      std::sort(expected.begin(), expected.end());
      double sum = 0;
      int sigma = -2;
      for (const auto &[confidence, weight] : expected)
         for (sum += weight; sigma <= 2 && sum >= signal_shape::normal_integral(sigma) * without.back(); ++sigma)
            found[sigma + 3] = confidence;
      return found;
   }
};

} // namespace statistics
