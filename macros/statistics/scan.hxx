// Significance of a signal at each mass of a grid.
#pragma once

#include "statistics/spectrum_fit.hxx"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace statistics {

// Signed root of the likelihood ratio: sqrt(q0), negative where the fitted signal is (G. Cowan, K. Cranmer, E. Gross and
// O. Vitells, Eur. Phys. J. C 71 (2011) 1554, arXiv:1007.1727, section 3).
inline double signed_root(const Fit &without, const Fit &with, double offset)
{
   const double q0 = 2 * (without.half_deviance - with.half_deviance);
   return std::copysign(std::sqrt(std::fmax(q0, 0)), with.signal - offset);
}

struct Point {
   bool visible = false; // whether the fit looks at half of the signal at least
   double z = kNoEstimate;
   double signal = kNoEstimate;       // events
   double signal_error = kNoEstimate; // events
   bool converged = false;
};

// The shapes of a signal at all masses of a grid, and the fits of a spectrum there.
class Scan {
   std::size_t fPadded, fMasses;
   std::vector<double> fShapes; // [mass][bin]
   std::vector<double> fShifts; // [mass][nuisance][bin]
   std::vector<double> fYields; // [nuisance]

public:
   // shapes: fraction of a signal in each bin, one mass after the other.
   Scan(std::size_t bins, std::size_t padded, const std::vector<double> &shapes)
      : fPadded(padded), fMasses(shapes.size() / bins), fShapes(fMasses * padded, 0.)
   {
      for (std::size_t m = 0; m < fMasses; ++m)
         for (std::size_t i = 0; i < bins; ++i)
            fShapes[m * padded + i] = shapes[m * bins + i];
   }

   // Give the signal nuisance parameters. shifts: of the shape by one standard deviation, [nuisance][mass][bin]. yields:
   // logarithm of the factor on all events, [nuisance]. Throws std::invalid_argument.
   void vary(std::size_t bins, const std::vector<double> &shifts, const std::vector<double> &yields)
   {
      if (yields.size() > kPullLimit)
         throw std::invalid_argument("a signal has too many nuisance parameters");
      fYields = yields;
      fShifts.assign(fMasses * yields.size() * fPadded, 0.);
      for (std::size_t m = 0; m < fMasses; ++m)
         for (std::size_t k = 0; k < yields.size(); ++k)
            for (std::size_t i = 0; i < bins; ++i)
               fShifts[(m * yields.size() + k) * fPadded + i] = shifts[(k * fMasses + m) * bins + i];
   }

   std::size_t masses() const { return fMasses; }
   Signal signal(std::size_t mass) const
   {
      const std::size_t nuisances = fYields.size();
      if (nuisances == 0)
         return {&fShapes[mass * fPadded]};
      return {&fShapes[mass * fPadded], nuisances, &fShifts[mass * nuisances * fPadded], fYields.data()};
   }

   // Whether the bins that a fit looks at hold half of a signal at least.
   bool visible(const Counts &counts, std::size_t mass) const
   {
      double all = 0, seen = 0;
      for (std::size_t i = 0; i < fPadded; ++i) {
         all += fShapes[mass * fPadded + i];
         seen += fShapes[mass * fPadded + i] * counts.used()[i];
      }
      return seen > 0.5 * all;
   }

   // One mass. spurious: events by which a signal may be off, as a normal error of this width, since the function cannot
   // follow the spectrum better; 0 for none. offset: the measured value of the spurious signal of a toy, in events; 0 for data.
   Point fit(Fitter &fitter, const Counts &counts, const Fit &background, std::size_t mass, double spurious,
             double offset = 0) const
   {
      Point point;
      point.visible = visible(counts, mass);
      if (!point.visible)
         return point;
      const Signal shape = signal(mass);
      const Fit with = fitter.fit(counts, shape, Hypothesis{}, background);
      Fit without = background;
      if (spurious > 0)
         without = fitter.fit(counts, shape, Hypothesis{false, offset, spurious}, background);
      point.z = signed_root(without, with, offset);
      point.signal = with.signal - offset;
      point.signal_error = std::hypot(with.signal_error, spurious);
      // A signal that is as negative as the rates allow has no minimum there, and no significance that could mislead.
      point.converged = without.converged && (with.converged || with.signal <= 0);
      return point;
   }

   // All masses. spurious: the error by a spurious signal at each mass, in events; null without one. off: the offset of a
   // toy in units of that error; 0 for data.
   void fit_all(Fitter &fitter, const Counts &counts, const Fit &background, const double *spurious,
                std::vector<Point> &points, double off = 0) const
   {
      points.resize(fMasses);
      for (std::size_t m = 0; m < fMasses; ++m) {
         const double error = spurious ? spurious[m] : 0;
         points[m] = fit(fitter, counts, background, m, error, off * error);
      }
   }
};

// Masses of a scan, of which each one this number further is looked at by the choice of a function: a scan steps by a
// quarter of a signal's width, and what a function cannot describe is not narrower.
constexpr std::size_t kStride = 4;

// A background with a signal where it fits best, if that is an excess.
struct Excess {
   Fit fit;
   bool found = false;
   std::size_t mass = 0;
};

inline Excess largest_excess(Fitter &fitter, const Counts &counts, const Fit &background, const Scan &scan)
{
   Excess excess{background};
   for (std::size_t m = 0; m < scan.masses(); m += kStride) {
      if (!scan.visible(counts, m))
         continue;
      const Fit with = fitter.fit(counts, scan.signal(m), Hypothesis{}, background);
      if (with.converged && with.signal > 0 && with.half_deviance < excess.fit.half_deviance)
         excess = {with, true, m};
   }
   return excess;
}

// How often a scan crosses a level upwards: what Gross and Vitells count (Eur. Phys. J. C 70 (2010) 525,
// arXiv:1005.1891).
inline unsigned int upcrossings(const std::vector<Point> &points, double level)
{
   unsigned int crossings = 0;
   for (std::size_t m = 1; m < points.size(); ++m)
      crossings += points[m - 1].z < level && points[m].z >= level;
   return crossings;
}

} // namespace statistics
