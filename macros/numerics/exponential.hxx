// exp(x) in a form that compilers turn into vector code, which they cannot do with a call of the library's.
#pragma once

#include <cstdint>
#include <cstring>
#include <limits>

namespace exponential {

// exp(x) within 1.01 units in the last place, infinity where it is larger than a float32 can be, NaN of NaN; and 0 where
// it is smaller than a normal float32, below -87.3365.
//
// x = n ln 2 + r, exp(x) = 2^n exp(r), with a polynomial for exp(r) in |r| <= ln(2) / 2 (that of S. L. Moshier's
// Cephes, expf). Flags that let the compiler reassociate would break it: they make n the unrounded x / ln 2.
inline float exp(float x)
{
   constexpr float to_integer = 12582912.f; // 1.5 * 2^23: a sum with it is rounded to an integer, in its low bits
   const float shifted = x * 1.44269504f + to_integer;
   const float n = shifted - to_integer;
   const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
   float p = 1.9875691500e-4f;
   p = p * r + 1.3981999507e-3f;
   p = p * r + 8.3334519073e-3f;
   p = p * r + 4.1665795894e-2f;
   p = p * r + 1.6666665459e-1f;
   p = p * r + 5.0000001201e-1f;
   p = (p * r) * r + r + 1.f;
   // Times 2^n: n is added to the exponent of p.
   std::uint32_t exponent, bits;
   std::memcpy(&exponent, &shifted, sizeof(exponent));
   std::memcpy(&bits, &p, sizeof(bits));
   bits += exponent << 23;
   float y;
   std::memcpy(&y, &bits, sizeof(y));
   y = x < -87.3365f ? 0.f : y;
   return x <= 88.72283f ? y : x + std::numeric_limits<float>::infinity(); // which is NaN of NaN
}

// exp(x) of doubles within 2 units in the last place; 0 below -700, infinity above 709, NaN of NaN.
//
// x = n ln 2 + r as above, with the Taylor series for exp(r).
inline double exp(double x)
{
   constexpr double to_integer = 6755399441055744.; // 1.5 * 2^52
   const double shifted = x * 1.44269504088896338700 + to_integer;
   const double n = shifted - to_integer;
   const double r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
   const double p =
      1 + r * (1 + r * (1. / 2 + r * (1. / 6 + r * (1. / 24 + r * (1. / 120 + r * (1. / 720 + r * (1. / 5040 +
          r * (1. / 40320 + r * (1. / 362880 + r * (1. / 3628800 + r * (1. / 39916800 + r * (1. / 479001600. +
          r * (1. / 6227020800.)))))))))))));
   std::uint64_t exponent, bits;
   std::memcpy(&exponent, &shifted, sizeof(exponent));
   std::memcpy(&bits, &p, sizeof(bits));
   bits += exponent << 52;
   double y;
   std::memcpy(&y, &bits, sizeof(y));
   y = x < -700 ? 0. : y;
   return x <= 709 ? y : x + std::numeric_limits<double>::infinity(); // which is NaN of NaN
}

} // namespace exponential
