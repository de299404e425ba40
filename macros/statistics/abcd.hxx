// Four regions of a plane: the events of A, where both of two observables are large, against what B, C and D say.
//
// Where the observables are independent, A = B C / D is expected. Each region is a Poisson count, the rates of B, C and D
// are free, and a signal lies in A alone. The prediction is off by a factor exp(closure * pull), of which the pull is
// measured with the error 1. ATLAS and CMS call this the ABCD method; the likelihood is that of W. Buttinger, "Background
// estimation with the ABCD method" (2018), with an error of the closure.
#pragma once

#include "statistics/limits.hxx"

#include <algorithm>
#include <cmath>
#include <limits>

namespace abcd {

// Events of the regions, and the measured value of the pull, which is 0 in data and thrown in toys.
struct Regions {
   double a = 0, b = 0, c = 0, d = 0, measured = 0;
};

// Events that are expected in A from the other regions; infinite where D is empty.
inline double prediction(const Regions &n, double closure)
{
   return n.b * n.c / n.d * std::exp(closure * n.measured);
}

// Error of the number of signal events, which is A less the prediction [events].
inline double signal_error(const Regions &n, double closure)
{
   const double expected = prediction(n, closure);
   return std::sqrt(n.a + expected * expected * (1 / n.b + 1 / n.c + 1 / n.d + closure * closure));
}

// The fit with a number of signal events, of which `measured` is the fitted pull and `a` the background in A.
//
// With g = (n_A / (s + a) - 1) a the derivatives of the likelihood vanish at b = n_B + g, c = n_C + g, d = n_D - g and
// pull = measured + closure * g, and one equation for g is left. It has one solution for s = 0, where its left side
// falls throughout, and for s of at least the best fit, where g is not above 0; other s are not to be asked for.
inline Regions profile(const Regions &n, double closure, double signal)
{
   const auto at = [&](double g) {
      const double pull = n.measured + closure * g;
      const double a = (n.b + g) * (n.c + g) / (n.d - g) * std::exp(closure * pull);
      return Regions{a, n.b + g, n.c + g, n.d - g, pull};
   };
   const auto left = [&](const Regions &rates, double g) {
      const double all = signal + rates.a;
      return (all > 0 ? n.a - n.a * signal / all : n.a) - rates.a - g;
   };
   double low = -std::min(n.b, n.c), high = std::min(n.d, n.a); // n_A less the background in A, which is above 0
   if (n.d > 0)
      (left(at(0), 0) > 0 ? low : high) = 0;
   double g = 0.5 * (low + high);
   Regions rates = at(g);
   double before = std::numeric_limits<double>::infinity();
   for (int step = 0; step < 200; ++step) {
      const double value = left(rates, g);
      (value > 0 ? low : high) = g;
      const bool slow = !(std::fabs(value) < 0.5 * before);
      before = std::fabs(value);
      // Newton's step; a bisection where that leaves the interval, or hardly came nearer: far from the solution the
      // exponential grows so fast that each step takes one from its exponent.
      const double all = signal + rates.a;
      const double rise = rates.a * (1 / rates.b + 1 / rates.c + 1 / rates.d + closure * closure);
      const double slope = rise * (n.a * signal / (all * all) - 1) - 1;
      double next = g - value / slope;
      if (slow || !(next > low && next < high))
         next = 0.5 * (low + high);
      const bool ends = std::fabs(next - g) <= 1e-13 * std::max(1., std::fabs(g)) || high <= low;
      g = next;
      rates = at(g);
      if (ends)
         break;
   }
   return rates;
}

// Half the deviance of one count.
inline double half_deviance(double count, double rate)
{
   if (count == 0)
      return rate;
   return rate > 0 ? rate - count + count * std::log(count / rate) : std::numeric_limits<double>::infinity();
}

// Half of twice the logarithm of the likelihood ratio to the best fit of any, also negative, signal, which describes all
// four counts. The signal has to be one that `profile` takes.
inline double half_deviance(const Regions &n, double closure, double signal)
{
   const Regions rates = profile(n, closure, signal);
   const double pull = rates.measured - n.measured;
   return half_deviance(n.a, signal + rates.a) + half_deviance(n.b, rates.b) + half_deviance(n.c, rates.c) +
          half_deviance(n.d, rates.d) + 0.5 * pull * pull;
}

// Signed root of the likelihood ratio, negative for a deficit.
inline double significance(const Regions &n, double closure)
{
   const double root = std::sqrt(std::fmax(2 * half_deviance(n, closure, 0), 0));
   return n.a >= prediction(n, closure) ? root : -root;
}

// q-tilde of a number of signal events: 0 where more of them fit better.
inline double statistic(const Regions &n, double closure, double signal)
{
   const double best = n.a - prediction(n, closure);
   if (best >= signal)
      return 0;
   const double zero = best > 0 ? 0 : half_deviance(n, closure, 0);
   return std::fmax(2 * (half_deviance(n, closure, signal) - zero), 0);
}

// Upper limits by the asymptotic formulas, as those of a spectrum are. What is expected without a signal is what the fit
// without one gives.
inline statistics::Limits find_limits(const Regions &n, double closure)
{
   const Regions asimov = profile(n, closure, 0);
   const double start = std::fmax(signal_error(asimov, closure), 1.);
   statistics::Limits found;
   found.observed = statistics::limit(
      [&](double s) { return statistics::cls(statistic(n, closure, s), statistic(asimov, closure, s)); },
      start + std::fmax(n.a - prediction(n, closure), 0));
   for (int sigma = -2; sigma <= 2; ++sigma)
      found.expected[sigma + 2] =
         statistics::limit([&](double s) { return statistics::expected_cls(statistic(asimov, closure, s), sigma); },
                           start);
   return found;
}

} // namespace abcd
