// The smooth background of a spectrum: expected events of each bin, and how they change with the parameters.
#pragma once

#include "numerics/exponential.hxx"
#include "statistics/families.hxx"

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace statistics {

constexpr std::size_t kLanes = 8;      // bins that are worked on at a time; arrays of bins are filled up to a multiple
constexpr std::size_t kShapeLimit = 8; // parameters of a background, at most

enum class Family { kDijet, kPolynomial };

// exp(sum of parameter times term), integrated over each bin by three Gauss-Legendre points, which is exact to 1e-7 where
// a bin is no wider than half the resolution. A function at the centre of a bin, divided by its integral over the range,
// is not the same: it moves a signal's significance by several per cent.
//
// The terms are made orthonormal over the bins. Their sums are the same functions, and the equations of a fit are then
// well conditioned whatever the range.
class Background {
   static constexpr std::size_t kPoints = 3;
   std::size_t fBins, fPadded, fParameters;
   std::vector<double> fTerms;   // [parameter][point][bin]
   std::vector<double> fWeights; // [point][bin]: of an integral over the bin; 0 beyond the last bin
   std::vector<double> fRaw;     // [parameter][term]: the orthonormal terms in those of the family
   std::vector<double> fLogWidths;

public:
   // edges: of the bins, rising. scale: sqrt(s) of the dijet family, any mass of the range for the other one.
   Background(Family family, std::size_t parameters, double scale, const std::vector<double> &edges)
      : fBins(edges.size() - 1), fPadded((fBins + kLanes - 1) / kLanes * kLanes), fParameters(parameters),
        fTerms(parameters * kPoints * fPadded, 0.), fWeights(kPoints * fPadded, 0.), fRaw(parameters * parameters, 0.),
        fLogWidths(fPadded, 0.)
   {
      if (parameters > kShapeLimit || parameters > fBins)
         throw std::invalid_argument("a background has too many parameters for its bins");
      constexpr double places[kPoints] = {-0.77459666924148337704, 0, 0.77459666924148337704};
      constexpr double shares[kPoints] = {5. / 18, 8. / 18, 5. / 18};
      const auto term = family == Family::kDijet ? families::dijet_term : families::polynomial_term;
      for (std::size_t i = 0; i < fBins; ++i) {
         const double width = edges[i + 1] - edges[i], centre = 0.5 * (edges[i + 1] + edges[i]);
         fLogWidths[i] = std::log(width);
         for (std::size_t q = 0; q < kPoints; ++q) {
            fWeights[q * fPadded + i] = shares[q] * width;
            for (std::size_t j = 0; j < fParameters; ++j)
               fTerms[(j * kPoints + q) * fPadded + i] = term(j, centre + 0.5 * width * places[q], scale);
         }
      }
      orthonormalise();
   }

   std::size_t bins() const { return fBins; }
   std::size_t padded() const { return fPadded; }
   std::size_t parameters() const { return fParameters; }

   // rates: expected events of each bin. derivatives: [parameter][bin]. Both have `padded` numbers a row.
   void compute(const double *theta, double *rates, double *derivatives) const
   {
      for (std::size_t i = 0; i < fPadded; ++i)
         rates[i] = 0;
      for (std::size_t i = 0; i < fParameters * fPadded; ++i)
         derivatives[i] = 0;
      for (std::size_t q = 0; q < kPoints; ++q) {
         for (std::size_t first = 0; first < fPadded; first += kLanes) {
            double exponent[kLanes] = {}, value[kLanes];
            for (std::size_t j = 0; j < fParameters; ++j) {
               const double *terms = &fTerms[(j * kPoints + q) * fPadded + first];
               for (std::size_t l = 0; l < kLanes; ++l)
                  exponent[l] += theta[j] * terms[l];
            }
            for (std::size_t l = 0; l < kLanes; ++l)
               value[l] = fWeights[q * fPadded + first + l] * exponential::exp(exponent[l]);
            for (std::size_t l = 0; l < kLanes; ++l)
               rates[first + l] += value[l];
            for (std::size_t j = 0; j < fParameters; ++j) {
               const double *terms = &fTerms[(j * kPoints + q) * fPadded + first];
               double *derivative = derivatives + j * fPadded + first;
               for (std::size_t l = 0; l < kLanes; ++l)
                  derivative[l] += value[l] * terms[l];
            }
         }
      }
   }

   // The term of a parameter in the middle of a bin, and the logarithm of the bin's width: a fit starts from these.
   double central_term(std::size_t parameter, std::size_t bin) const
   {
      return fTerms[(parameter * kPoints + 1) * fPadded + bin];
   }
   double log_width(std::size_t bin) const { return fLogWidths[bin]; }

   // The parameters of the family itself, in the order of its terms.
   std::vector<double> family_parameters(const double *theta) const
   {
      std::vector<double> raw(fParameters, 0.);
      for (std::size_t j = 0; j < fParameters; ++j)
         for (std::size_t k = 0; k < fParameters; ++k)
            raw[k] += theta[j] * fRaw[j * fParameters + k];
      return raw;
   }

private:
   // Gram-Schmidt, each term twice so that rounding leaves nothing. A bin counts as one, however wide it is.
   void orthonormalise()
   {
      constexpr double shares[kPoints] = {5. / 18, 8. / 18, 5. / 18};
      const std::size_t row = kPoints * fPadded;
      const auto product = [&](std::size_t a, std::size_t b) {
         double sum = 0;
         for (std::size_t q = 0; q < kPoints; ++q)
            for (std::size_t i = 0; i < fBins; ++i)
               sum += shares[q] * fTerms[a * row + q * fPadded + i] * fTerms[b * row + q * fPadded + i];
         return sum / fBins;
      };
      for (std::size_t j = 0; j < fParameters; ++j) {
         fRaw[j * fParameters + j] = 1;
         for (std::size_t k = 0; k < 2 * j; ++k)
            subtract(j, k % j, product(j, k % j));
         const double norm = std::sqrt(product(j, j));
         if (!(norm > 1e-12))
            throw std::invalid_argument("two terms of the background are the same over these bins");
         for (std::size_t i = 0; i < row; ++i)
            fTerms[j * row + i] /= norm;
         for (std::size_t k = 0; k < fParameters; ++k)
            fRaw[j * fParameters + k] /= norm;
      }
   }

   void subtract(std::size_t from, std::size_t what, double times)
   {
      const std::size_t row = kPoints * fPadded;
      for (std::size_t i = 0; i < row; ++i)
         fTerms[from * row + i] -= times * fTerms[what * row + i];
      for (std::size_t k = 0; k < fParameters; ++k)
         fRaw[from * fParameters + k] -= times * fRaw[what * fParameters + k];
   }
};

} // namespace statistics
