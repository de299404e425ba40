// What Python calls: fits, scans, toys and limits of spectra over the same bins, compiled once.
//
// A row of numbers for the bins is a std::vector of as many doubles; `used` says with 1 or 0 which bins a fit looks at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace statistics {

using Numbers = std::vector<double>;

// A fit of a background alone.
struct BackgroundNumbers {
   Numbers parameters; // of the family itself
   Numbers expected;
   double half_deviance = 0;
   bool converged = false;
};

// A fit as templates, from which other programs build the same likelihood around its minimum.
struct TemplateNumbers {
   Numbers background;  // events of each bin, the signal left out
   Numbers derivatives; // [parameter][bin]
   double signal = 0;   // events
   double half_deviance = 0;
   bool converged = false;
};

// Fits at each mass.
struct ScanNumbers {
   Numbers z, signal, signal_error;
   std::vector<int> visible, converged;
};

// What the rule says of each function that was tried, and which it chooses; -1 for none.
struct ChoiceNumbers {
   int order = -1;
   bool with_spurious = false;
   Numbers likelihood_ratio_p, half_deviance, spurious, spurious_errors;
   std::vector<int> describes, converged;
};

// A row for each toy.
struct ToyNumbers {
   Numbers z;
   std::vector<unsigned int> mass, cut, order, crossings, failed;
   std::vector<int> refused;
};

// Observed limits, and those expected at -2, -1, 0, 1 and 2 standard deviations, one mass after the other [events].
// toys: that were thrown; 0 for the asymptotic formula.
struct LimitNumbers {
   Numbers observed, expected;
   unsigned int toys = 0;
};

// One declared cut as toys are thrown of it.
struct CutNumbers {
   Numbers expected, used, sidebands, critical;
   bool fixed_order = false;
   unsigned int order = 0;
   Numbers spurious;
};

class Search {
   struct State;
   std::shared_ptr<State> fState;

public:
   // family: "dijet" or "exp-polynomial". first, last: numbers of parameters. scale: see Background. shapes: fractions of a
   // signal in the bins, one mass after the other. Throws std::invalid_argument.
   Search(const std::string &family, unsigned int first, unsigned int last, double scale, const Numbers &edges,
          const Numbers &shapes);

   // Give the signal nuisance parameters: see Scan::vary. shifts: [nuisance][mass][bin]. Throws std::invalid_argument.
   void vary_signal(const Numbers &shifts, const Numbers &yields);

   // Limits of the rule.
   void set_rule(double likelihood_ratio, double spurious, double spurious_limit);

   BackgroundNumbers fit(unsigned int order, const Numbers &events, const Numbers &used) const;

   // A fit without a signal where `mass` is negative, else with one at that mass.
   TemplateNumbers templates(unsigned int order, const Numbers &events, const Numbers &used, int mass) const;

   ScanNumbers scan(unsigned int order, const Numbers &events, const Numbers &used, const Numbers &spurious) const;
   // critical: half the deviance that a good fit does not exceed, for each function but the last.
   ChoiceNumbers choose(const Numbers &events, const Numbers &used, const Numbers &critical) const;

   // Limits at the masses of a half-open range. Throws std::runtime_error.
   LimitNumbers limits(unsigned int order, const Numbers &events, const Numbers &used, const Numbers &spurious,
                       unsigned int first_mass, unsigned int last_mass) const;

   // Limits at one mass by toys. toys: number of toys that are thrown for each number of signal events that is tried. Throws
   // std::runtime_error.
   LimitNumbers toy_limits(unsigned int order, const Numbers &events, const Numbers &used, const Numbers &spurious,
                           unsigned int mass, std::uint64_t seed, unsigned int toys, unsigned int threads) const;

   // Half the deviance of toys of a half-open range of numbers, each fitted again with a signal at its largest excess.
   Numbers toy_deviances(unsigned int order, const Numbers &expected, const Numbers &used, std::uint64_t seed,
                         std::uint64_t first, std::uint64_t last) const;

   // Signed roots at one mass of toys, each fitted again; NaN where a fit does not converge. signal: events of it that are
   // thrown as well, with nuisance parameters that are thrown anew for each toy.
   ScanNumbers toys_at(unsigned int order, const Numbers &expected, const Numbers &used, unsigned int mass,
                       double signal, const Numbers &spurious, std::uint64_t seed, std::uint64_t first,
                       std::uint64_t last) const;

   // The whole procedure on toys of nested cuts, the loosest first. level: of the crossings that are counted.
   ToyNumbers toys(const std::vector<CutNumbers> &cuts, double level, std::uint64_t seed, std::uint64_t first,
                   std::uint64_t last, unsigned int threads) const;
};

// Fractions of a signal in the bins, one mass after the other; sigmas: for each mass.
Numbers gaussian_shapes(const Numbers &edges, const Numbers &masses, const Numbers &sigmas);
Numbers crystal_ball_shapes(const Numbers &edges, const Numbers &masses, const Numbers &sigmas, double alpha_low,
                            double power_low, double alpha_high, double power_high);

} // namespace statistics
