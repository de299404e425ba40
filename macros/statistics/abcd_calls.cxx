// See abcd_calls.hxx.
#include "statistics/abcd_calls.hxx"

#include "statistics/abcd.hxx"
#include "statistics/toys.hxx"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <stdexcept>

namespace abcd_calls {

namespace {

abcd::Regions regions(const Numbers &counts, std::size_t place = 0, double measured = 0)
{
   const double *n = counts.data() + 4 * place;
   return {n[0], n[1], n[2], n[3], measured};
}

abcd::Regions thrown(const abcd::Regions &rates, double signal, std::mt19937_64 &random)
{
   abcd::Regions toy;
   toy.a = statistics::throw_poisson(rates.a + signal, random);
   toy.b = statistics::throw_poisson(rates.b, random);
   toy.c = statistics::throw_poisson(rates.c, random);
   toy.d = statistics::throw_poisson(rates.d, random);
   toy.measured = std::normal_distribution<double>(rates.measured, 1)(random);
   return toy;
}

std::vector<abcd::Regions> throw_all(const abcd::Regions &rates, double signal, std::uint64_t seed, std::uint64_t each)
{
   std::mt19937_64 random = statistics::stream(seed, 0);
   std::vector<abcd::Regions> toys;
   for (std::uint64_t i = 0; i < each; ++i)
      toys.push_back(thrown(rates, signal, random));
   return toys;
}

// q-tilde of toys, the largest first.
Numbers falling(const std::vector<abcd::Regions> &toys, double closure, double signal)
{
   Numbers found;
   for (const abcd::Regions &toy : toys)
      if (const double value = abcd::statistic(toy, closure, signal); std::isfinite(value))
         found.push_back(value);
   if (found.size() < 0.99 * toys.size())
      throw std::runtime_error("fits of more than 1 % of the toys do not come to an end");
   std::sort(found.begin(), found.end(), [](double a, double b) { return a > b; });
   return found;
}

// Fraction of toys that are at least as extreme; equal counts may differ by rounding.
double fraction(const Numbers &falling, double value)
{
   const auto place = std::partition_point(falling.begin(), falling.end(),
                                           [&](double toy) { return toy >= value - 1e-9 * (1 + value); });
   return (1. + (place - falling.begin())) / (1. + falling.size());
}

} // namespace

Numbers significances(const Numbers &counts, const Numbers &measured, double closure)
{
   Numbers found;
   for (std::size_t i = 0; i < measured.size(); ++i)
      found.push_back(abcd::significance(regions(counts, i, measured[i]), closure));
   return found;
}

Numbers rates(const Numbers &counts, double closure)
{
   const abcd::Regions found = abcd::profile(regions(counts), closure, 0);
   return {found.a, found.b, found.c, found.d, found.measured};
}

Numbers toys(const Numbers &counts, double closure, std::uint64_t seed, std::uint64_t first, std::uint64_t last)
{
   const abcd::Regions rates = abcd::profile(regions(counts), closure, 0);
   Numbers found;
   for (std::uint64_t i = first; i < last; ++i) {
      std::mt19937_64 random = statistics::stream(seed, i);
      found.push_back(abcd::significance(thrown(rates, 0, random), closure));
   }
   return found;
}

LimitNumbers limits(const Numbers &counts, double closure)
{
   const statistics::Limits found = abcd::find_limits(regions(counts), closure);
   return {found.observed, Numbers(found.expected.begin(), found.expected.end())};
}

LimitNumbers toy_limits(const Numbers &counts, double closure, std::uint64_t seed, std::uint64_t each)
{
   // CLs falls with the number of signal events, for the data and for what is expected at -2 to 2 standard deviations.
   // Between two steps its logarithm is nearly linear.
   constexpr double kLevel = 0.05, kStep = 1.08;
   constexpr std::size_t kMostSteps = 200;
   const abcd::Regions data = regions(counts), without = abcd::profile(data, closure, 0);
   const std::vector<abcd::Regions> background = throw_all(without, 0, ~seed, each);
   const statistics::Limits near = abcd::find_limits(data, closure);
   std::array<double, 6> found{}, before{};
   std::size_t left = found.size();
   double last = 0, signal = std::fmin(near.expected[0], near.observed) / 2;
   before.fill(1);
   for (std::size_t step = 0; left > 0; ++step, last = signal, signal *= kStep) {
      if (step == kMostSteps)
         throw std::runtime_error("no upper limit within 200 numbers of signal events");
      const double observed = abcd::statistic(data, closure, signal);
      // Where more signal fits better, the toys are thrown from the best fit's background.
      abcd::Regions source = data;
      source.a = abcd::prediction(data, closure);
      if (data.a - source.a < signal)
         source = abcd::profile(data, closure, signal);
      const Numbers with = falling(throw_all(source, signal, seed, each), closure, signal);
      const Numbers none = falling(background, closure, signal);
      const auto confidence = [&](double q) { return fraction(with, q) / fraction(none, q); };
      for (std::size_t curve = 0; curve < found.size(); ++curve) {
         if (found[curve] > 0)
            continue;
         const double share = curve == 0 ? 0 : signal_shape::normal_integral(static_cast<double>(curve) - 3);
         const std::size_t place = std::min<std::size_t>(share * none.size(), none.size() - 1);
         const double value = confidence(curve == 0 ? observed : none[place]);
         if (value <= kLevel) {
            const double part = std::log(before[curve] / kLevel) / std::log(before[curve] / value);
            found[curve] = last + part * (signal - last);
            --left;
         }
         before[curve] = value;
      }
   }
   return {found[0], Numbers(found.begin() + 1, found.end())};
}

} // namespace abcd_calls
