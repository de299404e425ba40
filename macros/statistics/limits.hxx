// Upper limits on a signal at 95 % confidence level: CLs from the asymptotic distributions of q-tilde.
//
// G. Cowan, K. Cranmer, E. Gross and O. Vitells, Eur. Phys. J. C 71 (2011) 1554, arXiv:1007.1727, equations 16, 64-66;
// CLs: A. L. Read, J. Phys. G 28 (2002) 2693.
#pragma once

#include "statistics/scan.hxx"
#include "statistics/signal_shape.hxx"

#include <array>
#include <cmath>
#include <cstddef>
#include <stdexcept>

namespace statistics {

// Test of a number of signal events against fewer of them.
class LimitTest {
   Fitter *fFitter;
   const Counts *fCounts;
   Signal fSignal;
   Fit fWithout, fBest, fZero; // without a signal, the best fit, and the best one that is not below 0
   double fSpurious, fOffset;

public:
   // spurious: standard deviation of the spurious signal, in events; 0 without one. offset: the measured value of the
   // spurious signal, in events; it is 0 in data, and thrown in toys.
   LimitTest(Fitter &fitter, const Counts &counts, const Signal &signal, const Fit &background, double spurious,
             double offset = 0)
      : fFitter(&fitter), fCounts(&counts), fSignal(signal), fSpurious(spurious), fOffset(offset)
   {
      fWithout = fit(0, background);
      fBest = fitter.fit(counts, signal, Hypothesis{}, background);
      fZero = fBest.signal > fOffset ? fBest : fWithout;
   }

   const Fit &best() const { return fBest; }
   const Fit &without() const { return fWithout; }

   // The fit with a number of signal events. Its `signal` includes the fitted spurious signal.
   Fit fit(double events) const { return fit(events, fZero); }

   // q-tilde of a number of signal events: 0 where more of them fit better, NaN where a fit does not come to an end. A best
   // fit that is as negative as the rates allow has no minimum there, and is not asked for.
   double statistic(double events) const
   {
      if (!fZero.converged)
         return kNoEstimate;
      if (fBest.signal - fOffset > events)
         return 0;
      const Fit with = fit(events);
      return with.converged ? std::fmax(2 * (with.half_deviance - fZero.half_deviance), 0) : kNoEstimate;
   }

private:
   Fit fit(double events, const Fit &near) const
   {
      return fFitter->fit(*fCounts, fSignal, Hypothesis{false, events + fOffset, fSpurious}, near);
   }
};

// CLs of a number of events, from q-tilde in data and in the data set that is expected without a signal.
inline double cls(double observed, double asimov)
{
   const double root = std::sqrt(observed), root_a = std::sqrt(asimov);
   const double with = observed <= asimov || asimov == 0 ? root : (observed + asimov) / (2 * root_a);
   const double without = observed <= asimov || asimov == 0 ? root - root_a : (observed - asimov) / (2 * root_a);
   return signal_shape::normal_integral(-with) / signal_shape::normal_integral(-without);
}

// CLs that is expected without a signal, for data that are `sigma` standard deviations above the median.
inline double expected_cls(double asimov, double sigma)
{
   return signal_shape::normal_integral(sigma - std::sqrt(asimov)) / signal_shape::normal_integral(sigma);
}

// Where a function that falls with the number of events is 0.05. The bracket grows by doubling from `start`.
// Throws std::runtime_error if 60 values are not enough.
template <typename Function>
double limit(const Function &confidence, double start)
{
   constexpr double kLevel = 0.05;
   unsigned int left = 60;
   const auto at = [&](double events) {
      if (left-- == 0)
         throw std::runtime_error("no upper limit within 60 fits");
      const double value = confidence(events);
      if (!std::isfinite(value))
         throw std::runtime_error("CLs is not a number");
      return value;
   };
   double low = 0, high = start;
   double at_low = 1, at_high = at(high);
   while (at_high > kLevel) {
      low = high;
      at_low = at_high;
      high *= 2;
      at_high = at(high);
   }
   // CLs falls about as a Gaussian does, so that its logarithm is smooth: a secant in it, with a bisection where that is slow.
   bool halve = false;
   while (high - low > 1e-5 * high) {
      double middle = 0.5 * (low + high);
      if (!halve && at_high > 0) {
         const double share = std::log(at_low / kLevel) / std::log(at_low / at_high);
         middle = low + std::fmin(std::fmax(share, 0.01), 0.99) * (high - low);
      }
      const double before = high - low, value = at(middle);
      (value > kLevel ? low : high) = middle;
      (value > kLevel ? at_low : at_high) = value;
      halve = high - low > 0.5 * before;
   }
   return 0.5 * (low + high);
}

// Observed limit, and those expected without a signal at -2, -1, 0, 1 and 2 standard deviations [events].
struct Limits {
   double observed = kNoEstimate;
   std::array<double, 5> expected{};
};

inline Limits find_limits(Fitter &fitter, const Counts &counts, const Signal &signal, const Fit &background,
                          double spurious)
{
   const LimitTest data(fitter, counts, signal, background, spurious);
   Counts asimov(counts);
   const std::vector<double> rates = fitter.expect(signal, data.without());
   for (std::size_t i = 0; i < fitter.background().bins(); ++i)
      if (counts.used()[i] != 0)
         asimov.use(i, rates[i]);
   const LimitTest median(fitter, asimov, signal, data.without(), spurious);
   const double start = std::fmax(median.best().signal_error, 1.);
   Limits found;
   found.observed = limit([&](double s) { return cls(data.statistic(s), median.statistic(s)); },
                          start + std::fmax(data.best().signal, 0));
   for (int sigma = -2; sigma <= 2; ++sigma)
      found.expected[sigma + 2] = limit([&](double s) { return expected_cls(median.statistic(s), sigma); }, start);
   return found;
}

} // namespace statistics
