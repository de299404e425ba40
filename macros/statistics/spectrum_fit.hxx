// Extended binned likelihood fits of a smooth background and a signal.
//
// Events of a bin follow a Poisson distribution around b(theta) + S exp(sum of pull times yield) (g + sum of pull times
// shift). Half the deviance,
// sum of mu - n + n log(n / mu), is minimised by Fisher scoring: Newton's method with the expected second derivatives,
// whose equations always have a solution that leads downhill. Steps that lead uphill, hardly downhill, or to a rate below 0,
// are halved.
#pragma once

#include "statistics/background.hxx"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace statistics {

constexpr std::size_t kPullLimit = 8;                            // nuisance parameters of a signal, at most
constexpr std::size_t kLimit = kShapeLimit + 1 + kPullLimit;     // all parameters of a fit, at most
constexpr double kLeastRate = 1e-100; // expected events of a bin, which a function may let fall to 0 where a spectrum ends
constexpr double kNoEstimate = std::numeric_limits<double>::quiet_NaN();

// The counts of a spectrum, and which bins a fit looks at. Arrays are filled up with unused bins.
class Counts {
   std::vector<double> fEvents, fUsed;
   double fTotal = 0;

public:
   explicit Counts(std::size_t padded) : fEvents(padded, 0.), fUsed(padded, 0.) {}

   // Counts that are not whole numbers are expectations.
   void use(std::size_t bin, double events)
   {
      fTotal += events - fEvents[bin];
      fEvents[bin] = events;
      fUsed[bin] = 1;
   }
   void mask(std::size_t bin)
   {
      fTotal -= fEvents[bin];
      fEvents[bin] = fUsed[bin] = 0;
   }

   double total() const { return fTotal; }

   const double *events() const { return fEvents.data(); }
   const double *used() const { return fUsed.data(); }
};

// What one event of signal adds to each bin, and how that changes with a pull of one standard deviation.
struct Signal {
   const double *shape = nullptr;  // [bin], filled up with 0
   std::size_t nuisances = 0;
   const double *shifts = nullptr; // [nuisance][bin]
   const double *yields = nullptr; // [nuisance], logarithm of the factor on all events
   const double *measured = nullptr; // [nuisance], where the constraints have their centres; at 0 by default
   double centre(std::size_t nuisance) const { return measured ? measured[nuisance] : 0; }
};

// What a fit assumes of the number of signal events: any, or this value up to a normal error of this width.
struct Hypothesis {
   bool free = true;
   double value = 0;
   double width = 0;
};

struct Fit {
   std::array<double, kShapeLimit> theta{};
   double signal = 0;               // events, those of an error around a hypothesis included
   double signal_error = kNoEstimate; // from the expected second derivatives
   std::array<double, kPullLimit> pulls{};
   double half_deviance = std::numeric_limits<double>::infinity(); // constraints included
   unsigned int steps = 0;
   bool converged = false;
};

// Solve A x = y for a symmetric positive matrix of n rows; A is left as its Cholesky factor. False if it is not positive.
inline bool solve_positive(double (&A)[kLimit][kLimit], double *y, std::size_t n)
{
   for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < j; ++k)
         for (std::size_t i = j; i < n; ++i)
            A[i][j] -= A[i][k] * A[j][k];
      if (!(A[j][j] > 0))
         return false;
      const double root = std::sqrt(A[j][j]);
      for (std::size_t i = j; i < n; ++i)
         A[i][j] /= root;
   }
   for (std::size_t j = 0; j < n; ++j) {
      for (std::size_t k = 0; k < j; ++k)
         y[j] -= A[j][k] * y[k];
      y[j] /= A[j][j];
   }
   for (std::size_t j = n; j-- > 0;) {
      for (std::size_t k = j + 1; k < n; ++k)
         y[j] -= A[k][j] * y[k];
      y[j] /= A[j][j];
   }
   return true;
}

// Sum of the products of three rows, in lanes, since a compiler may not change the order of a sum by itself.
inline double triple_product(const double *a, const double *b, const double *c, std::size_t padded)
{
   double sums[kLanes] = {};
   for (std::size_t first = 0; first < padded; first += kLanes)
      for (std::size_t l = 0; l < kLanes; ++l)
         sums[l] += a[first + l] * b[first + l] * c[first + l];
   double sum = 0;
   for (const double part : sums)
      sum += part;
   return sum;
}

// Fits spectra with one background and one binning. It has room for its numbers, so that each thread needs one.
class Fitter {
   const Background *fBackground;
   std::vector<double> fRates, fRows, fExpected, fInverse, fResidual;

public:
   explicit Fitter(const Background &background)
      : fBackground(&background), fRates(background.padded()), fRows(kLimit * background.padded()),
        fExpected(background.padded()), fInverse(background.padded()), fResidual(background.padded())
   {
   }

   const Background &background() const { return *fBackground; }

   // Change of the expected events of each bin with each parameter of the background, [parameter][bin], as the last fit
   // or `expect` left it.
   const std::vector<double> &derivatives() const { return fRows; }

   // The background alone.
   Fit fit_background(const Counts &counts)
   {
      Fit start;
      start_from(counts, start);
      return minimise(counts, Signal{}, Hypothesis{false}, start);
   }

   // Background and signal, from parameters that are near.
   Fit fit(const Counts &counts, const Signal &signal, const Hypothesis &hypothesis, const Fit &near)
   {
      Fit start = near;
      start.steps = 0;
      start.converged = false;
      if (!hypothesis.free && hypothesis.width == 0)
         start.signal = hypothesis.value;
      return minimise(counts, signal, hypothesis, start);
   }

   // Compute expected events at given parameters.
   const std::vector<double> &expect(const Signal &signal, const Fit &at)
   {
      fBackground->compute(at.theta.data(), fRates.data(), fRows.data());
      add_signal(signal, at);
      return fExpected;
   }

private:
   // One step of weighted least squares on the logarithms, as for any generalised linear model.
   void start_from(const Counts &counts, Fit &start) const
   {
      const std::size_t n = fBackground->parameters();
      double A[kLimit][kLimit] = {}, y[kLimit] = {};
      for (std::size_t i = 0; i < fBackground->bins(); ++i) {
         const double events = counts.events()[i] + 0.5;
         const double weight = counts.used()[i] * events, value = std::log(events) - fBackground->log_width(i);
         for (std::size_t j = 0; j < n; ++j) {
            const double term = fBackground->central_term(j, i);
            y[j] += weight * term * value;
            for (std::size_t k = 0; k <= j; ++k)
               A[j][k] += weight * term * fBackground->central_term(k, i);
         }
      }
      if (solve_positive(A, y, n))
         std::copy(y, y + n, start.theta.begin());
   }

   void add_signal(const Signal &signal, const Fit &at)
   {
      const std::size_t padded = fBackground->padded();
      for (std::size_t i = 0; i < padded; ++i)
         fExpected[i] = fRates[i] + kLeastRate;
      if (!signal.shape)
         return;
      // The row of the signal is how the expected events change with it.
      double *row = &fRows[fBackground->parameters() * padded];
      for (std::size_t i = 0; i < padded; ++i)
         row[i] = signal.shape[i];
      if (signal.nuisances)
         vary_signal(signal, at, row);
      for (std::size_t i = 0; i < padded; ++i)
         fExpected[i] += at.signal * row[i];
   }

   // The row of a signal whose pulls are not 0, and after it those of the pulls.
   void vary_signal(const Signal &signal, const Fit &at, double *row) const
   {
      const std::size_t padded = fBackground->padded();
      double exponent = 0;
      for (std::size_t k = 0; k < signal.nuisances; ++k) {
         exponent += at.pulls[k] * signal.yields[k];
         for (std::size_t i = 0; i < padded; ++i)
            row[i] += at.pulls[k] * signal.shifts[k * padded + i];
      }
      const double factor = std::exp(exponent);
      for (std::size_t i = 0; i < padded; ++i)
         row[i] *= factor;
      for (std::size_t k = 0; k < signal.nuisances; ++k)
         for (std::size_t i = 0; i < padded; ++i)
            row[(k + 1) * padded + i] = at.signal * (factor * signal.shifts[k * padded + i] + signal.yields[k] * row[i]);
   }

   // Half the deviance at some parameters; infinite where a bin would expect less than nothing.
   double evaluate(const Counts &counts, const Signal &signal, const Hypothesis &hypothesis, const Fit &at)
   {
      expect(signal, at);
      const double *n = counts.events(), *used = counts.used();
      double sum = 0;
      for (std::size_t i = 0; i < fBackground->bins(); ++i) {
         if (used[i] == 0)
            continue;
         if (!(fExpected[i] > 0))
            return std::numeric_limits<double>::infinity();
         sum += fExpected[i] - n[i];
         if (n[i] > 0)
            sum += n[i] * std::log(n[i] / fExpected[i]);
      }
      for (std::size_t k = 0; k < signal.nuisances; ++k)
         sum += 0.5 * std::pow(at.pulls[k] - signal.centre(k), 2);
      if (!hypothesis.free && hypothesis.width > 0)
         sum += 0.5 * std::pow((at.signal - hypothesis.value) / hypothesis.width, 2);
      return sum;
   }

   Fit minimise(const Counts &counts, const Signal &signal, const Hypothesis &hypothesis, Fit at)
   {
      constexpr unsigned int kSteps = 100, kHalvings = 30;
      constexpr double kEnough = 1e-9;    // of half the deviance, as the next step would lower it
      constexpr double kShare = 0.1;      // fraction of the expected decrease that a step has to reach, or it is halved
      constexpr double kRounding = 1e-15; // of the events, by which rounding moves half the deviance
      const std::size_t padded = fBackground->padded(), shape = fBackground->parameters();
      const bool moves = signal.shape && (hypothesis.free || hypothesis.width > 0);
      const std::size_t first_pull = shape + moves, n = first_pull + signal.nuisances;
      const auto row = [&](std::size_t j) { return &fRows[(j < shape ? j : j + !moves) * padded]; };
      at.half_deviance = evaluate(counts, signal, hypothesis, at);
      while (at.steps < kSteps && std::isfinite(at.half_deviance)) {
         for (std::size_t i = 0; i < padded; ++i) {
            fInverse[i] = counts.used()[i] == 0 ? 0 : 1 / fExpected[i];
            fResidual[i] = counts.events()[i] * fInverse[i] - counts.used()[i];
         }
         double A[kLimit][kLimit] = {}, step[kLimit] = {};
         for (std::size_t j = 0; j < n; ++j) {
            step[j] = triple_product(row(j), fResidual.data(), counts.used(), padded);
            for (std::size_t k = 0; k <= j; ++k)
               A[j][k] = triple_product(row(j), row(k), fInverse.data(), padded);
         }
         if (moves && !hypothesis.free) {
            const double precision = 1 / (hypothesis.width * hypothesis.width);
            A[shape][shape] += precision;
            step[shape] -= precision * (at.signal - hypothesis.value);
         }
         for (std::size_t k = 0; k < signal.nuisances; ++k) {
            A[first_pull + k][first_pull + k] += 1;
            step[first_pull + k] -= at.pulls[k] - signal.centre(k);
         }
         double slope[kLimit];
         std::copy(step, step + n, slope);
         if (!solve_positive(A, step, n))
            return at;
         double gain = 0;
         for (std::size_t j = 0; j < n; ++j)
            gain += 0.5 * step[j] * slope[j];
         if (moves)
            at.signal_error = signal_error(A, shape, n);
         if (gain < kEnough) {
            at.converged = true;
            return at;
         }
         ++at.steps;
         Fit next = at;
         double length = 1;
         for (unsigned int halvings = 0;; ++halvings, length *= 0.5) {
            if (halvings == kHalvings) { // the fit ends here: a rate has reached 0
               evaluate(counts, signal, hypothesis, at);
               return at;
            }
            for (std::size_t j = 0; j < shape; ++j)
               next.theta[j] = at.theta[j] + length * step[j];
            if (moves)
               next.signal = at.signal + length * step[shape];
            for (std::size_t k = 0; k < signal.nuisances; ++k)
               next.pulls[k] = at.pulls[k] + length * step[first_pull + k];
            next.half_deviance = evaluate(counts, signal, hypothesis, next);
            if (next.half_deviance <= at.half_deviance - kShare * length * gain + kRounding * counts.total())
               break;
         }
         at = next;
      }
      return at;
   }

   // Standard deviation of the signal, from the Cholesky factor of the second derivatives.
   static double signal_error(const double (&factor)[kLimit][kLimit], std::size_t signal, std::size_t n)
   {
      double column[kLimit] = {};
      column[signal] = 1;
      double variance = 0;
      for (std::size_t j = signal; j < n; ++j) {
         for (std::size_t k = signal; k < j; ++k)
            column[j] -= factor[j][k] * column[k];
         column[j] /= factor[j][j];
         variance += column[j] * column[j];
      }
      return std::sqrt(variance);
   }
};

} // namespace statistics
