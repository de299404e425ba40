// Fractions of a signal that fall into the bins of a spectrum.
#pragma once

#include <cmath>

namespace signal_shape {

// Integral of the normal distribution from minus infinity to t standard deviations.
inline double normal_integral(double t)
{
   return 0.5 * std::erfc(-t * 0.70710678118654752440);
}

// Fraction of a Gaussian between two masses. The difference is taken on the side where the integrals are small, since
// two numbers close to 1 would cancel.
inline double gaussian_fraction(double low, double high, double mean, double sigma)
{
   const double a = (low - mean) / sigma, b = (high - mean) / sigma;
   return a > 0 ? normal_integral(-a) - normal_integral(-b) : normal_integral(b) - normal_integral(a);
}

// A Gaussian core whose tails are powers beyond `alpha` standard deviations, on the lower and on the upper side: the
// two-sided Crystal Ball (M. Oreglia, SLAC-R-236 (1980), appendix D; RooCrystalBall is the same function). The function
// is not normalised: its core is exp(-t^2 / 2).
struct CrystalBall {
   double mean, sigma, alpha_low, power_low, alpha_high, power_high;
};

// Integral of the power tail from minus infinity to t < -alpha: A (B - t)^-n, which meets the core at -alpha.
inline double tail_integral(double t, double alpha, double power)
{
   const double scale = std::exp(-0.5 * alpha * alpha) * power / alpha / (power - 1);
   return scale * std::pow(power / alpha / (power / alpha - alpha - t), power - 1);
}

// Integral of the function from minus infinity to a mass, in standard deviations.
inline double crystal_ball_integral(double mass, const CrystalBall &shape)
{
   constexpr double kRoot = 2.50662827463100050242; // of 2 pi
   const double t = (mass - shape.mean) / shape.sigma;
   if (t < -shape.alpha_low)
      return tail_integral(t, shape.alpha_low, shape.power_low);
   const double lower = tail_integral(-shape.alpha_low, shape.alpha_low, shape.power_low);
   const double core = kRoot * (normal_integral(std::fmin(t, shape.alpha_high)) - normal_integral(-shape.alpha_low));
   if (t <= shape.alpha_high)
      return lower + core;
   return lower + core + tail_integral(-shape.alpha_high, shape.alpha_high, shape.power_high) -
          tail_integral(-t, shape.alpha_high, shape.power_high);
}

// Fraction of a two-sided Crystal Ball between two masses. Both powers have to be above 1, else there is no integral.
inline double crystal_ball_fraction(double low, double high, const CrystalBall &shape)
{
   const double all = crystal_ball_integral(shape.mean + shape.alpha_high * shape.sigma, shape) +
                      tail_integral(-shape.alpha_high, shape.alpha_high, shape.power_high);
   return (crystal_ball_integral(high, shape) - crystal_ball_integral(low, shape)) / all;
}

} // namespace signal_shape
