// Sums that come out the same in whatever order, and in however many parts, their terms are added, as long as these are
// not further apart than what 106 bits hold.
#pragma once

#include <cstddef>
#include <vector>

namespace exact_sums {

// What was computed, rounded to a double: a compiler may not make a product one with the sum that it becomes a term of.
inline double rounded(double computed)
{
   const volatile double kept = computed;
   return kept;
}

// Several sums at once. Each is kept as the unevaluated sum of two doubles, about 106 bits, so that what rounding leaves
// out of a sum is 2^53 times less than what a double can show (Dekker, Numer. Math. 18 (1971) 224). Terms are finite.
class Sums {
   std::vector<double> fHigh, fLow;

   // high + low + term, exactly but for the last bits of `low`. No products in here: with these a compiler may round
   // differently from one place to another.
   static void add(double &high, double &low, double term)
   {
      const double sum = high + term;
      const double added = sum - high;
      const double lost = (high - (sum - added)) + (term - added);
      const double rest = low + lost;
      high = sum + rest;
      low = rest - (high - sum);
   }

public:
   explicit Sums(std::size_t size = 0) : fHigh(size), fLow(size) {}

   std::size_t size() const { return fHigh.size(); }

   void add(std::size_t i, double term) { add(fHigh[i], fLow[i], term); }

   // A term to each sum from the first on.
   void add(const std::vector<double> &terms, std::size_t first = 0)
   {
      double *high = fHigh.data() + first, *low = fLow.data() + first;
      for (std::size_t i = 0; i < terms.size(); ++i)
         add(high[i], low[i], terms[i]);
   }

   void add(const Sums &other)
   {
      add(other.fHigh);
      add(other.fLow);
   }

   // The sum as a double, and what is to be added to it for the exact one.
   double value(std::size_t i) const { return fHigh[i]; }
   double remainder(std::size_t i) const { return fLow[i]; }
};

} // namespace exact_sums
