// Sine, cosine and hyperbolic sine of several angles at once, in loops that the compiler turns into vector instructions.
//
// The functions of the C library take one number at a time and cost more than all else that a four-vector needs.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace elementary {

constexpr std::size_t kLanes = 8;

// x rounded to a whole number, for |x| < 2^51: the sum has no room for anything after the point.
inline double whole(double x)
{
   constexpr double shift = 6755399441055744.; // 1.5 * 2^52
   return (x + shift) - shift;
}

// Sine and cosine, to 2 units in the last place of 1, of angles below 1e5; those beyond, and what is not finite, are left
// to the C library. The angle is brought to within pi/4 of 0 by quarters of the circle, of which pi/2 is taken in three
// parts, and the Taylor series takes it from there.
inline void sines_and_cosines(const double *angles, double *sines, double *cosines)
{
   bool all_small = true;
   for (std::size_t i = 0; i < kLanes; ++i)
      all_small &= std::abs(angles[i]) < 1e5;
   if (!all_small) {
      for (std::size_t i = 0; i < kLanes; ++i) {
         sines[i] = std::sin(angles[i]);
         cosines[i] = std::cos(angles[i]);
      }
      return;
   }
   for (std::size_t i = 0; i < kLanes; ++i) {
      const double quarters = whole(angles[i] * 0.63661977236758134308);
      double r = angles[i] - quarters * 1.57079632673412561417;
      r -= quarters * 6.07710050630396597660e-11;
      r -= quarters * 2.02226624871116645580e-21;
      const double z = r * r;
      const double sine =
         r +
         r * z * (-1. / 6 + z * (1. / 120 + z * (-1. / 5040 + z * (1. / 362880 + z * (-1. / 39916800 +
                  z * (1. / 6227020800. + z * (-1. / 1307674368000.)))))));
      const double cosine =
         1 - z * 0.5 +
         z * z * (1. / 24 + z * (-1. / 720 + z * (1. / 40320 + z * (-1. / 3628800 + z * (1. / 479001600. +
                  z * (-1. / 87178291200. + z * (1. / 20922789888000.)))))));
      const auto quarter = static_cast<std::int64_t>(quarters);
      const bool swapped = quarter & 1;
      const double s = swapped ? cosine : sine, c = swapped ? sine : cosine;
      sines[i] = quarter & 2 ? -s : s;
      cosines[i] = (quarter + 1) & 2 ? -c : c;
   }
}

// Hyperbolic sine, to a few units in the last place; those beyond 700, and what is not finite, are left to the C library.
inline void hyperbolic_sines(const double *x, double *results)
{
   bool all_small = true;
   for (std::size_t i = 0; i < kLanes; ++i)
      all_small &= std::abs(x[i]) < 700;
   if (!all_small) {
      for (std::size_t i = 0; i < kLanes; ++i)
         results[i] = std::sinh(x[i]);
      return;
   }
   for (std::size_t i = 0; i < kLanes; ++i) {
      // exp(x) = 2^n exp(r), |r| < 0.35, by the Taylor series.
      const double n = whole(x[i] * 1.44269504088896338700);
      double r = x[i] - n * 6.93147180369123816490e-01;
      r -= n * 1.90821492927058770002e-10;
      const double p =
         1 + r * (1 + r * (1. / 2 + r * (1. / 6 + r * (1. / 24 + r * (1. / 120 + r * (1. / 720 + r * (1. / 5040 +
             r * (1. / 40320 + r * (1. / 362880 + r * (1. / 3628800 + r * (1. / 39916800 + r * (1. / 479001600. +
             r * (1. / 6227020800.)))))))))))));
      const std::int64_t exponent = (static_cast<std::int64_t>(n) + 1023) << 52;
      double power;
      std::memcpy(&power, &exponent, sizeof power);
      const double grown = p * power;
      // Close to 0 the two exponentials would cancel.
      const double z = x[i] * x[i];
      const double series =
         x[i] + x[i] * z * (1. / 6 + z * (1. / 120 + z * (1. / 5040 + z * (1. / 362880 + z * (1. / 39916800 +
                            z * (1. / 6227020800.))))));
      results[i] = z < 0.0625 ? series : 0.5 * (grown - 1 / grown);
   }
}

} // namespace elementary
