// Which function describes a spectrum: the rule, applied to data and to each toy alike.
#pragma once

#include "statistics/scan.hxx"

#include <cmath>
#include <cstddef>
#include <vector>

namespace statistics {

// Limits of the rule. A function of one parameter more has to be no better than chance (likelihood ratio), the deviance
// has to be one that toys of the function itself reach (goodness of fit), and the signals that the function sees in what
// the next one describes have to be small against a signal's error (spurious signal). What the next function describes
// has an error of its own, which is taken off such a signal once (as in the relaxed criterion of ATLAS,
// ATL-PHYS-PUB-2020-028): both functions differ by one parameter, whose value in units of its error is the root of the
// likelihood ratio.
//
// A signal in the spectrum is no fault of a function: likelihood ratio and deviance are those of fits that have a signal
// where the function alone sees its largest excess, and so are those of the toys.
struct Rule {
   double likelihood_ratio = 0.05; // least p-value
   double spurious = 0.2;          // largest spurious signal in units of its error that counts as none
   double spurious_limit = 0.5;    // largest that is taken as an error of the signal; beyond it the function is refused
};

// What the rule says of one function.
struct Verdict {
   Fit fit;                         // to the spectrum, of this function, with a signal at its largest excess
   double likelihood_ratio_p = kNoEstimate;
   bool describes = false;          // goodness of fit
   double spurious = kNoEstimate;   // largest over the masses, in units of its error
   std::vector<double> errors;      // of a signal at each mass [events]
};

struct Choice {
   bool found = false;
   std::size_t order = 0;        // index into the functions
   bool with_spurious = false;   // whether the spurious signal is an error of the signal
   std::vector<Verdict> verdicts; // of the functions that were tried, from the first on
};

// Chi-squared probability of one degree of freedom.
inline double chi2_probability_1(double chi2)
{
   return chi2 > 0 ? std::erfc(std::sqrt(0.5 * chi2)) : 1;
}

// Functions of rising order over the same bins, and the rule that chooses among all but the last, which only tests the one
// before it.
class Functions {
   std::vector<Background> fOrders;
   Rule fRule;

public:
   Functions(Family family, std::size_t first, std::size_t last, double scale, const std::vector<double> &edges,
             const Rule &rule)
      : fRule(rule)
   {
      for (std::size_t parameters = first; parameters <= last; ++parameters)
         fOrders.emplace_back(family, parameters, scale, edges);
   }

   std::size_t size() const { return fOrders.size(); }
   const Background &order(std::size_t i) const { return fOrders[i]; }
   void set_rule(const Rule &rule) { fRule = rule; }
   std::vector<Fitter> fitters() const { return {fOrders.begin(), fOrders.end()}; }

   // Judge one function. fitters: from `fitters`, one for each function. critical: half the deviance that a good fit does
   // not exceed.
   Verdict judge(std::vector<Fitter> &fitters, const Counts &counts, const Scan &scan, std::size_t i,
                 double critical) const
   {
      Verdict verdict;
      const Excess excess = largest_excess(fitters[i], counts, fitters[i].fit_background(counts), scan);
      verdict.fit = excess.fit;
      verdict.describes = verdict.fit.half_deviance <= critical;
      Fit next = fitters[i + 1].fit_background(counts);
      if (excess.found)
         next = fitters[i + 1].fit(counts, scan.signal(excess.mass), Hypothesis{}, next);
      if (!verdict.fit.converged || !next.converged)
         return verdict;
      const double chi2 = 2 * (verdict.fit.half_deviance - next.half_deviance);
      verdict.likelihood_ratio_p = chi2_probability_1(chi2);
      const double beyond_error = chi2 > 1 ? 1 - 1 / std::sqrt(chi2) : 0;
      // In all bins: a bias shows in the window that the choice does not look at.
      Counts asimov(fOrders[i].padded());
      const std::vector<double> &expected = fitters[i + 1].expect(Signal{}, next);
      for (std::size_t bin = 0; bin < fOrders[i].bins(); ++bin)
         asimov.use(bin, expected[bin]);
      const Fit flat = fitters[i].fit_background(asimov);
      verdict.spurious = 0;
      for (std::size_t m = 0; m < scan.masses(); m += kStride) {
         const Point point = scan.fit(fitters[i], asimov, flat, m, 0);
         verdict.errors.insert(verdict.errors.end(), std::min(kStride, scan.masses() - m), point.signal_error);
         verdict.spurious = std::fmax(verdict.spurious, beyond_error * std::fabs(point.signal) / point.signal_error);
      }
      return verdict;
   }

   // The first function that passes without a spurious signal; where there is none, the first that passes with one that
   // can be taken as an error. critical: as in `judge`, for each function but the last.
   Choice choose(std::vector<Fitter> &fitters, const Counts &counts, const Scan &scan,
                 const std::vector<double> &critical) const
   {
      Choice choice;
      for (std::size_t i = 0; i + 1 < fOrders.size(); ++i) {
         choice.verdicts.push_back(judge(fitters, counts, scan, i, critical[i]));
         const Verdict &verdict = choice.verdicts.back();
         if (!(verdict.likelihood_ratio_p > fRule.likelihood_ratio) || !verdict.describes)
            continue;
         if (verdict.spurious <= fRule.spurious) {
            choice.found = true;
            choice.with_spurious = false;
            choice.order = i;
            return choice;
         }
         if (!choice.found && verdict.spurious <= fRule.spurious_limit) {
            choice.found = choice.with_spurious = true;
            choice.order = i;
         }
      }
      return choice;
   }

   // Errors of a signal at all masses by the spurious signal of the chosen function; empty where there is none.
   static std::vector<double> spurious_errors(const Choice &choice)
   {
      if (!choice.with_spurious)
         return {};
      const Verdict &verdict = choice.verdicts[choice.order];
      std::vector<double> errors(verdict.errors);
      for (double &error : errors)
         error *= verdict.spurious;
      return errors;
   }
};

} // namespace statistics
