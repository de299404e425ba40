// See search.hxx.
#include "statistics/search.hxx"

#include "statistics/toy_limits.hxx"

#include <stdexcept>

namespace statistics {

struct Search::State {
   Functions functions;
   Scan scan;
   State(Family family, std::size_t first, std::size_t last, double scale, const Numbers &edges, const Numbers &shapes)
      : functions(family, first, last, scale, edges, Rule{}),
        scan(edges.size() - 1, functions.order(0).padded(), shapes)
   {
   }

   // Events that one of a signal adds to each bin, on average, with pulls that are thrown.
   Numbers thrown_shape(std::size_t mass, std::size_t bins, std::mt19937_64 &random) const
   {
      const Signal signal = scan.signal(mass);
      Numbers shape(signal.shape, signal.shape + bins);
      std::normal_distribution<double> normal;
      double exponent = 0;
      for (std::size_t k = 0; k < signal.nuisances; ++k) {
         const double pull = normal(random);
         exponent += pull * signal.yields[k];
         for (std::size_t i = 0; i < bins; ++i)
            shape[i] += pull * signal.shifts[k * functions.order(0).padded() + i];
      }
      for (double &share : shape)
         share = std::fmax(share * std::exp(exponent), 0);
      return shape;
   }

   Counts counts(const Numbers &events, const Numbers &used) const
   {
      Counts counts(functions.order(0).padded());
      for (std::size_t i = 0; i < events.size(); ++i)
         if (used[i] != 0)
            counts.use(i, events[i]);
      return counts;
   }
};

namespace {

Family family_of(const std::string &name)
{
   if (name == "dijet")
      return Family::kDijet;
   if (name == "exp-polynomial")
      return Family::kPolynomial;
   throw std::invalid_argument("unknown family " + name);
}

const double *or_none(const Numbers &spurious)
{
   return spurious.empty() ? nullptr : spurious.data();
}

} // namespace

Search::Search(const std::string &family, unsigned int first, unsigned int last, double scale, const Numbers &edges,
               const Numbers &shapes)
   : fState(std::make_shared<State>(family_of(family), first, last, scale, edges, shapes))
{
}

void Search::vary_signal(const Numbers &shifts, const Numbers &yields)
{
   fState->scan.vary(fState->functions.order(0).bins(), shifts, yields);
}

void Search::set_rule(double likelihood_ratio, double spurious, double spurious_limit)
{
   fState->functions.set_rule({likelihood_ratio, spurious, spurious_limit});
}

BackgroundNumbers Search::fit(unsigned int order, const Numbers &events, const Numbers &used) const
{
   const Background &background = fState->functions.order(order);
   Fitter fitter(background);
   const Fit fit = fitter.fit_background(fState->counts(events, used));
   const std::vector<double> &expected = fitter.expect(Signal{}, fit);
   return {background.family_parameters(fit.theta.data()),
           Numbers(expected.begin(), expected.begin() + background.bins()), fit.half_deviance, fit.converged};
}

TemplateNumbers Search::templates(unsigned int order, const Numbers &events, const Numbers &used, int mass) const
{
   const Background &background = fState->functions.order(order);
   Fitter fitter(background);
   const Counts counts = fState->counts(events, used);
   Fit fit = fitter.fit_background(counts);
   if (mass >= 0)
      fit = fitter.fit(counts, fState->scan.signal(mass), Hypothesis{}, fit);
   TemplateNumbers numbers;
   const std::vector<double> &expected = fitter.expect(Signal{}, fit);
   numbers.background.assign(expected.begin(), expected.begin() + background.bins());
   for (std::size_t j = 0; j < background.parameters(); ++j) {
      const auto row = fitter.derivatives().begin() + j * background.padded();
      numbers.derivatives.insert(numbers.derivatives.end(), row, row + background.bins());
   }
   numbers.signal = fit.signal;
   numbers.half_deviance = fit.half_deviance;
   numbers.converged = fit.converged;
   return numbers;
}

ScanNumbers Search::scan(unsigned int order, const Numbers &events, const Numbers &used, const Numbers &spurious) const
{
   Fitter fitter(fState->functions.order(order));
   const Counts counts = fState->counts(events, used);
   std::vector<Point> points;
   fState->scan.fit_all(fitter, counts, fitter.fit_background(counts), or_none(spurious), points);
   ScanNumbers numbers;
   for (const Point &point : points) {
      numbers.z.push_back(point.z);
      numbers.signal.push_back(point.signal);
      numbers.signal_error.push_back(point.signal_error);
      numbers.visible.push_back(point.visible);
      numbers.converged.push_back(point.converged);
   }
   return numbers;
}

ChoiceNumbers Search::choose(const Numbers &events, const Numbers &used, const Numbers &critical) const
{
   std::vector<Fitter> fitters = fState->functions.fitters();
   const Choice choice = fState->functions.choose(fitters, fState->counts(events, used), fState->scan, critical);
   ChoiceNumbers numbers;
   numbers.order = choice.found ? static_cast<int>(choice.order) : -1;
   numbers.with_spurious = choice.with_spurious;
   numbers.spurious_errors = Functions::spurious_errors(choice);
   for (const Verdict &verdict : choice.verdicts) {
      numbers.likelihood_ratio_p.push_back(verdict.likelihood_ratio_p);
      numbers.half_deviance.push_back(verdict.fit.half_deviance);
      numbers.spurious.push_back(verdict.spurious);
      numbers.describes.push_back(verdict.describes);
      numbers.converged.push_back(verdict.fit.converged);
   }
   return numbers;
}

LimitNumbers Search::limits(unsigned int order, const Numbers &events, const Numbers &used, const Numbers &spurious,
                            unsigned int first_mass, unsigned int last_mass) const
{
   Fitter fitter(fState->functions.order(order));
   const Counts counts = fState->counts(events, used);
   const Fit background = fitter.fit_background(counts);
   LimitNumbers numbers;
   for (unsigned int m = first_mass; m < last_mass; ++m) {
      const double error = spurious.empty() ? 0 : spurious[m];
      const Limits found = find_limits(fitter, counts, fState->scan.signal(m), background, error);
      numbers.observed.push_back(found.observed);
      numbers.expected.insert(numbers.expected.end(), found.expected.begin(), found.expected.end());
   }
   return numbers;
}

LimitNumbers Search::toy_limits(unsigned int order, const Numbers &events, const Numbers &used,
                                const Numbers &spurious, unsigned int mass, std::uint64_t seed, unsigned int toys,
                                unsigned int threads) const
{
   const Background &background = fState->functions.order(order);
   const Counts counts = fState->counts(events, used);
   const Fit without = Fitter(background).fit_background(counts);
   // Toys of one mass have numbers of their own.
   ToyLimits limits(background, counts, fState->scan.signal(mass), without, spurious.empty() ? 0 : spurious[mass], seed,
                    static_cast<std::uint64_t>(mass) << 32, toys, threads);
   const Limits found = limits.find();
   return {{found.observed}, Numbers(found.expected.begin(), found.expected.end()),
           static_cast<unsigned int>(limits.toys())};
}

Numbers Search::toy_deviances(unsigned int order, const Numbers &expected, const Numbers &used, std::uint64_t seed,
                              std::uint64_t first, std::uint64_t last) const
{
   Fitter fitter(fState->functions.order(order));
   Numbers deviances, events(expected.size());
   for (std::uint64_t toy = first; toy < last; ++toy) {
      std::mt19937_64 random = stream(seed, toy);
      for (std::size_t i = 0; i < events.size(); ++i)
         events[i] = throw_poisson(expected[i], random);
      const Counts counts = fState->counts(events, used);
      const Fit fit = largest_excess(fitter, counts, fitter.fit_background(counts), fState->scan).fit;
      deviances.push_back(fit.converged ? fit.half_deviance : kNoEstimate);
   }
   return deviances;
}

ScanNumbers Search::toys_at(unsigned int order, const Numbers &expected, const Numbers &used, unsigned int mass,
                            double signal, const Numbers &spurious, std::uint64_t seed, std::uint64_t first,
                            std::uint64_t last) const
{
   Fitter fitter(fState->functions.order(order));
   ScanNumbers numbers;
   Numbers events(expected.size());
   for (std::uint64_t toy = first; toy < last; ++toy) {
      std::mt19937_64 random = stream(seed, toy);
      const Numbers shape = fState->thrown_shape(mass, events.size(), random);
      for (std::size_t i = 0; i < events.size(); ++i)
         events[i] = throw_poisson(expected[i] + signal * shape[i], random);
      const Counts counts = fState->counts(events, used);
      const Fit background = fitter.fit_background(counts);
      const double error = spurious.empty() ? 0 : spurious[mass];
      const Point point =
         fState->scan.fit(fitter, counts, background, mass, error, error * throw_offset(seed, toy));
      const bool good = background.converged && point.converged;
      numbers.z.push_back(good ? point.z : kNoEstimate);
      numbers.signal.push_back(point.signal);
      numbers.signal_error.push_back(point.signal_error);
      numbers.visible.push_back(point.visible);
      numbers.converged.push_back(good);
   }
   return numbers;
}

ToyNumbers Search::toys(const std::vector<CutNumbers> &cuts, double level, std::uint64_t seed, std::uint64_t first,
                        std::uint64_t last, unsigned int threads) const
{
   ToyScans scans(fState->scan, level);
   for (const CutNumbers &cut : cuts) {
      Spectrum spectrum;
      spectrum.functions = &fState->functions;
      spectrum.expected = cut.expected;
      spectrum.used.assign(cut.used.begin(), cut.used.end());
      spectrum.sidebands.assign(cut.sidebands.begin(), cut.sidebands.end());
      spectrum.critical = cut.critical;
      spectrum.fixed_order = cut.fixed_order;
      spectrum.order = cut.order;
      spectrum.spurious = cut.spurious;
      scans.add(spectrum);
   }
   std::vector<ToyResult> results;
   scans.run(seed, first, last, threads, results);
   ToyNumbers numbers;
   for (const ToyResult &result : results) {
      numbers.z.push_back(result.z);
      numbers.mass.push_back(result.mass);
      numbers.cut.push_back(result.cut);
      numbers.order.push_back(result.order);
      numbers.crossings.push_back(result.crossings);
      numbers.failed.push_back(result.failed);
      numbers.refused.push_back(result.refused);
   }
   return numbers;
}

namespace {

template <typename Fraction>
Numbers shapes_of(const Numbers &edges, const Numbers &masses, const Fraction &fraction)
{
   Numbers shapes;
   for (std::size_t m = 0; m < masses.size(); ++m)
      for (std::size_t i = 0; i + 1 < edges.size(); ++i)
         shapes.push_back(fraction(m, edges[i], edges[i + 1]));
   return shapes;
}

} // namespace

Numbers gaussian_shapes(const Numbers &edges, const Numbers &masses, const Numbers &sigmas)
{
   return shapes_of(edges, masses, [&](std::size_t m, double low, double high) {
      return signal_shape::gaussian_fraction(low, high, masses[m], sigmas[m]);
   });
}

Numbers crystal_ball_shapes(const Numbers &edges, const Numbers &masses, const Numbers &sigmas, double alpha_low,
                            double power_low, double alpha_high, double power_high)
{
   return shapes_of(edges, masses, [&](std::size_t m, double low, double high) {
      return signal_shape::crystal_ball_fraction(
         low, high, {masses[m], sigmas[m], alpha_low, power_low, alpha_high, power_high});
   });
}

} // namespace statistics
