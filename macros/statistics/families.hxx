// Families of functions that a smooth background follows: each is the exponential of a sum of terms, linear in its
// parameters, so that the fit of a background alone is convex and has one solution.
#pragma once

#include <cmath>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace families {

// Terms of log f(m) for the dijet family f3 to f6: 1, log(1 - x), log x, log^2 x, ..., with x = m / sqrt(s). The number of
// parameters is that of terms. CMS, "Search for dijet resonances in 7 TeV pp collisions at CMS", PRL 105 (2010) 211801,
// arXiv:1010.0203, has four; further powers of the logarithm as in ATLAS, arXiv:1910.08447.
inline double dijet_term(std::size_t term, double mass, double sqrt_s)
{
   const double x = mass / sqrt_s;
   return term == 0 ? 1 : term == 1 ? std::log1p(-x) : std::pow(std::log(x), static_cast<double>(term - 1));
}

// Terms of log f(m) for an exponential of a polynomial: 1, t, t^2, ..., with t = m / scale. The order is the highest power.
inline double polynomial_term(std::size_t term, double mass, double scale)
{
   return std::pow(mass / scale, static_cast<double>(term));
}

} // namespace families
