// Toy experiments: spectra thrown from expected events, each of which goes through the whole procedure.
#pragma once

#include "statistics/choice.hxx"

#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

namespace statistics {

// The random numbers of one toy, which depend on the seed and the toy's number alone: toys are the same in however many
// threads and jobs they are thrown.
inline std::mt19937_64 stream(std::uint64_t seed, std::uint64_t toy)
{
   std::seed_seq words{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                       static_cast<std::uint32_t>(toy), static_cast<std::uint32_t>(toy >> 32)};
   return std::mt19937_64(words);
}

inline double throw_poisson(double mean, std::mt19937_64 &random)
{
   return mean > 0 ? static_cast<double>(std::poisson_distribution<long long>(mean)(random)) : 0;
}

// The measured value of the spurious signal of a toy, in units of its error: as of every nuisance parameter, the measurement
// is thrown anew for each toy. Without that the error would lower the significances of data and toys alike, and no
// probability would depend on it.
inline double throw_offset(std::uint64_t seed, std::uint64_t toy)
{
   std::mt19937_64 random = stream(~seed, toy);
   return std::normal_distribution<double>()(random);
}

inline double throw_binomial(double tries, double probability, std::mt19937_64 &random)
{
   const double p = std::fmin(std::fmax(probability, 0), 1);
   return static_cast<double>(std::binomial_distribution<long long>(static_cast<long long>(tries), p)(random));
}

// One declared cut: the functions by which its spectrum may be described, and what is expected of each bin.
struct Spectrum {
   const Functions *functions = nullptr;
   std::vector<double> expected;
   std::vector<bool> used;      // by the scan
   std::vector<bool> sidebands; // by the choice of the function
   std::vector<double> critical; // half the deviance that a good fit does not exceed, for each function but the last
   bool fixed_order = false;  // whether the order is that of the data for each toy
   std::size_t order = 0;
   std::vector<double> spurious; // errors of the signal at all masses where the order is fixed
};

// What a scan of a toy found, over all masses and cuts.
struct ToyResult {
   double z = kNoEstimate;       // largest signed root
   std::uint32_t mass = 0, cut = 0;
   std::uint32_t order = 0;      // of the first cut
   std::uint32_t crossings = 0;  // of the level, upwards, in all cuts
   std::uint32_t failed = 0;     // fits that did not converge
   bool refused = false;         // no function passes the rule in some cut
};

// Throws toys of nested cuts, the loosest first: a cut keeps events of the one before it.
class ToyScans {
   std::vector<Spectrum> fSpectra;
   Scan fScan;
   double fLevel;

public:
   ToyScans(const Scan &scan, double level) : fScan(scan), fLevel(level) {}

   void add(const Spectrum &spectrum) { fSpectra.push_back(spectrum); }

   // Counts of all cuts of one toy.
   std::vector<std::vector<double>> throw_counts(std::uint64_t seed, std::uint64_t toy) const
   {
      std::mt19937_64 random = stream(seed, toy);
      std::vector<std::vector<double>> thrown;
      for (std::size_t c = 0; c < fSpectra.size(); ++c) {
         const std::vector<double> &expected = fSpectra[c].expected;
         std::vector<double> counts(expected.size(), 0.);
         for (std::size_t i = 0; i < counts.size(); ++i) {
            const double looser = c ? fSpectra[c - 1].expected[i] : 0;
            counts[i] = c == 0       ? throw_poisson(expected[i], random)
                        : looser > 0 ? throw_binomial(thrown[c - 1][i], expected[i] / looser, random)
                                     : 0;
         }
         thrown.push_back(counts);
      }
      return thrown;
   }

   // Toys of a half-open range of numbers; a result for each.
   void run(std::uint64_t seed, std::uint64_t first, std::uint64_t last, unsigned int threads,
            std::vector<ToyResult> &results) const
   {
      results.assign(last - first, ToyResult{});
      const auto some = [&, this](unsigned int thread) {
         std::vector<std::vector<Fitter>> fitters;
         for (const Spectrum &spectrum : fSpectra)
            fitters.push_back(spectrum.functions->fitters());
         for (std::uint64_t toy = first + thread; toy < last; toy += threads)
            results[toy - first] = scan_toy(fitters, seed, toy);
      };
      std::vector<std::thread> others;
      for (unsigned int thread = 1; thread < threads; ++thread)
         others.emplace_back(some, thread);
      some(0);
      for (std::thread &other : others)
         other.join();
   }

private:
   ToyResult scan_toy(std::vector<std::vector<Fitter>> &fitters, std::uint64_t seed, std::uint64_t toy) const
   {
      ToyResult result;
      result.z = -std::numeric_limits<double>::infinity();
      const auto thrown = throw_counts(seed, toy);
      const double off = throw_offset(seed, toy);
      std::vector<Point> points;
      for (std::size_t c = 0; c < fSpectra.size(); ++c) {
         const Spectrum &spectrum = fSpectra[c];
         Counts counts(spectrum.functions->order(0).padded()), sidebands(counts);
         for (std::size_t i = 0; i < thrown[c].size(); ++i) {
            if (spectrum.used[i])
               counts.use(i, thrown[c][i]);
            if (spectrum.sidebands[i])
               sidebands.use(i, thrown[c][i]);
         }
         std::size_t order = spectrum.order;
         std::vector<double> spurious = spectrum.spurious;
         if (!spectrum.fixed_order) {
            const Choice choice = spectrum.functions->choose(fitters[c], sidebands, fScan, spectrum.critical);
            if (!choice.found) {
               result.refused = true;
               continue;
            }
            order = choice.order;
            spurious = Functions::spurious_errors(choice);
         }
         const Fit background = fitters[c][order].fit_background(counts);
         result.failed += !background.converged;
         fScan.fit_all(fitters[c][order], counts, background, spurious.empty() ? nullptr : spurious.data(), points, off);
         if (c == 0)
            result.order = static_cast<std::uint32_t>(order);
         result.crossings += upcrossings(points, fLevel);
         for (std::size_t m = 0; m < points.size(); ++m) {
            result.failed += points[m].visible && !points[m].converged;
            if (points[m].converged && points[m].z > result.z) {
               result.z = points[m].z;
               result.mass = static_cast<std::uint32_t>(m);
               result.cut = static_cast<std::uint32_t>(c);
            }
         }
      }
      return result;
   }
};

} // namespace statistics
