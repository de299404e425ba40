// Jets and leptons of an event: from columns of a file to four-vectors, selected and sorted. GeV and radians.
#pragma once

#include "numerics/elementary.hxx"

#include <Math/Vector4D.h>
#include <ROOT/RVec.hxx>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace objects {

using Momentum = ROOT::Math::PxPyPzEVector;
using Momenta = ROOT::RVec<Momentum>;
using Reals = ROOT::RVec<double>;
using Mask = ROOT::RVec<int>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// The numbers of any container in float64, times a factor that brings them to GeV.
template <typename Container>
Reals as_reals(const Container &values, double factor)
{
   Reals converted(values.size());
   std::transform(values.begin(), values.end(), converted.begin(),
                  [factor](auto value) { return static_cast<double>(value) * factor; });
   return converted;
}

// The numbers of a container that lives elsewhere, as as_reals gives them, without a copy of it.
template <typename Container>
class RealsOf {
   static_assert(!std::is_arithmetic_v<Container>, "a number where there should be several");
   const Container *fValues;
   double fFactor;

public:
   using value_type = double;
   RealsOf(const Container &values, double factor) : fValues(&values), fFactor(factor) {}
   std::size_t size() const { return fValues->size(); }
   double operator[](std::size_t i) const { return static_cast<double>((*fValues)[i]) * fFactor; }
   operator Reals() const { return as_reals(*fValues, fFactor); }
};

template <typename Container>
RealsOf<Container> view_reals(const Container &values, double factor)
{
   return {values, factor};
}

// An expression's value lives no longer than the expression.
template <typename Container, typename = std::enable_if_t<!std::is_lvalue_reference_v<Container>>>
Reals view_reals(Container &&values, double factor)
{
   return as_reals(values, factor);
}

template <typename Container>
Reals operator*(const RealsOf<Container> &values, double scale)
{
   return static_cast<Reals>(values) * scale;
}

// The message for a number that is no code of a quantity.
inline std::runtime_error unknown_code(std::string_view quantity, double code, const char *remedy)
{
   const bool whole = std::abs(code) < 1e15 && code == std::trunc(code);
   const auto text = whole ? std::to_string(static_cast<long long>(code)) : std::to_string(code);
   return std::runtime_error(std::string(quantity) + " " + text + " " + remedy);
}

// Charges in units of the elementary charge: -1, 0 or 1. Throws for any other number.
template <typename Container>
ROOT::RVec<int> as_charges(const Container &values, std::string_view quantity)
{
   ROOT::RVec<int> charges;
   charges.reserve(values.size());
   for (const auto value : values) {
      const auto charge = static_cast<double>(value);
      if (!(charge == 1 || charge == -1 || charge == 0))
         throw unknown_code(quantity, charge, "is none of -1, 0 and 1; correct its expression in the schema, as in q / 3");
      charges.push_back(static_cast<int>(charge));
   }
   return charges;
}

// Flavours of leptons, 11 for electrons and 13 for muons, of their signed numbers in the Monte Carlo numbering scheme of
// the Particle Data Group. Throws for any other number.
template <typename Container>
ROOT::RVec<int> as_flavours(const Container &values, std::string_view quantity)
{
   ROOT::RVec<int> flavours;
   flavours.reserve(values.size());
   for (const auto value : values) {
      const double flavour = std::abs(static_cast<double>(value));
      if (flavour != 11 && flavour != 13)
         throw unknown_code(quantity, static_cast<double>(value),
                            "is neither an electron's, 11 or -11, nor a muon's, 13 or -13; choose these in the schema's "
                            "lepton_ expressions, as in pt[abs(id) == 11 || abs(id) == 13]");
      flavours.push_back(static_cast<int>(flavour));
   }
   return flavours;
}

template <typename Numbers, typename Values>
void check_sizes(const Numbers &pt, const Values &other, const char *what)
{
   if (other.size() != pt.size())
      throw std::runtime_error(std::to_string(other.size()) + " values of " + what + " for " +
                               std::to_string(pt.size()) + " of pt");
}

template <typename Function>
Reals map(const Reals &x, const Reals &y, Function function)
{
   check_sizes(x, y, "another component");
   Reals result(x.size());
   std::transform(x.begin(), x.end(), y.begin(), result.begin(), function);
   return result;
}

inline Reals compute_pt(const Reals &px, const Reals &py)
{
   return map(px, py, [](double x, double y) { return std::hypot(x, y); });
}

inline Reals compute_phi(const Reals &px, const Reals &py)
{
   return map(px, py, [](double x, double y) { return std::atan2(y, x); });
}

// Pseudorapidity; infinite along the beam.
inline Reals compute_eta(const Reals &pt, const Reals &pz)
{
   return map(pt, pz, [](double t, double z) { return std::asinh(z / t); });
}

// Mass of objects whose energy a file has, with ROOT's sign: -sqrt(p^2 - E^2) where rounding left E < |p|, so that the
// energy comes back as it was. NaN for a negative energy, which is no particle's.
inline Reals compute_mass(const Reals &energy, const Reals &pt, const Reals &eta)
{
   check_sizes(pt, energy, "energy");
   check_sizes(pt, eta, "eta");
   Reals result(pt.size());
   for (std::size_t i = 0; i < pt.size(); ++i) {
      const double p = pt[i] * std::cosh(eta[i]);
      const double squared = (energy[i] - p) * (energy[i] + p);
      result[i] = energy[i] < 0 ? kNaN : std::copysign(std::sqrt(std::abs(squared)), squared);
   }
   return result;
}

// Objects with pT > min_pt and |eta| < max_eta. One whose pT or eta is NaN stays: it makes the event's features NaN, and
// so the event is counted out, where dropping the object would make a different event of it.
template <typename Pt, typename Eta>
Mask passes(const Pt &pt, const Eta &eta, double min_pt, double max_eta)
{
   check_sizes(pt, eta, "eta");
   Mask mask(pt.size());
   for (std::size_t i = 0; i < pt.size(); ++i)
      mask[i] = !(pt[i] <= min_pt) && !(std::abs(eta[i]) >= max_eta);
   return mask;
}

// Indices of the objects that the mask lets through, by falling pT; equal ones in the order of the file, NaN first.
template <typename Numbers, typename Flags>
ROOT::RVec<std::size_t> by_falling_pt(const Numbers &pt, const Flags &mask)
{
   check_sizes(pt, mask, "the selection (`where`)");
   ROOT::RVec<std::size_t> indices;
   for (std::size_t i = 0; i < pt.size(); ++i)
      if (mask[i])
         indices.push_back(i);
   const auto key = [&pt](std::size_t i) { return std::isnan(pt[i]) ? HUGE_VAL : pt[i]; };
   // An insertion sort: stable, without allocation, and an event has few objects, mostly in order already.
   for (std::size_t i = 1; i < indices.size(); ++i) {
      if (pt[indices[i]] <= pt[indices[i - 1]])
         continue;
      for (std::size_t j = i; j > 0 && key(indices[j]) > key(indices[j - 1]); --j)
         std::swap(indices[j], indices[j - 1]);
   }
   return indices;
}

// E^2 = p^2 + m |m|. All NaN without a pT that is a length. slope: sinh(eta), which is pz / pT.
inline Momentum momentum(double pt, double slope, double cos_phi, double sin_phi, double mass)
{
   if (!(pt >= 0))
      return {kNaN, kNaN, kNaN, kNaN};
   const double pz = pt * slope;
   return {pt * cos_phi, pt * sin_phi, pz, std::sqrt(pt * pt + pz * pz + mass * std::abs(mass))};
}

inline Momentum momentum(double pt, double eta, double phi, double mass)
{
   return momentum(pt, std::sinh(eta), std::cos(phi), std::sin(phi), mass);
}

// The numbers at these indices.
template <typename Numbers>
auto take(const Numbers &numbers, const ROOT::RVec<std::size_t> &indices)
{
   ROOT::RVec<typename Numbers::value_type> taken;
   taken.reserve(indices.size());
   for (const auto i : indices)
      taken.push_back(numbers[i]);
   return taken;
}

// The numbers of one kind of object, followed by the numbers of another kind.
template <typename First, typename Second>
auto concatenate(const First &first, const Second &second)
{
   ROOT::RVec<typename First::value_type> all;
   all.reserve(first.size() + second.size());
   for (std::size_t i = 0; i < first.size(); ++i)
      all.push_back(first[i]);
   for (std::size_t i = 0; i < second.size(); ++i)
      all.push_back(second[i]);
   return all;
}

// Four-vectors of the objects at these indices.
template <typename Pt, typename Eta, typename Phi, typename Mass>
Momenta make_momenta(const Pt &pt, const Eta &eta, const Phi &phi, const Mass &mass,
                     const ROOT::RVec<std::size_t> &indices)
{
   check_sizes(pt, eta, "eta");
   check_sizes(pt, phi, "phi");
   check_sizes(pt, mass, "mass");
   Momenta result(indices.size());
   for (std::size_t done = 0; done < indices.size(); done += elementary::kLanes) {
      const std::size_t size = std::min(elementary::kLanes, indices.size() - done);
      double angles[elementary::kLanes] = {}, sines[elementary::kLanes], cosines[elementary::kLanes];
      double etas[elementary::kLanes] = {}, slopes[elementary::kLanes];
      for (std::size_t k = 0; k < size; ++k) {
         angles[k] = phi[indices[done + k]];
         etas[k] = eta[indices[done + k]];
      }
      elementary::sines_and_cosines(angles, sines, cosines);
      elementary::hyperbolic_sines(etas, slopes);
      for (std::size_t k = 0; k < size; ++k) {
         const auto i = indices[done + k];
         result[done + k] = momentum(pt[i], slopes[k], cosines[k], sines[k], mass[i]);
      }
   }
   return result;
}

inline bool is_finite(const Momentum &p)
{
   return std::isfinite(p.Px()) && std::isfinite(p.Py()) && std::isfinite(p.Pz()) && std::isfinite(p.E());
}

inline double compute_pt_sum(const Momenta &momenta)
{
   return std::accumulate(momenta.begin(), momenta.end(), 0., [](double sum, const auto &p) { return sum + p.Pt(); });
}

// pT of the i-th object; NaN where there is none.
inline double compute_pt_of(const Momenta &momenta, std::size_t i)
{
   return i < momenta.size() ? momenta[i].Pt() : kNaN;
}

// Angle between two directions in the transverse plane, 0 to pi.
inline double delta_phi(double phi1, double phi2)
{
   return std::abs(std::remainder(phi1 - phi2, 2 * M_PI));
}

// Invariant mass; 0 where rounding leaves a slightly space-like sum, and NaN stays NaN.
inline double invariant_mass(const Momentum &sum)
{
   const double squared = sum.M2();
   return squared < 0 ? 0. : std::sqrt(squared);
}

// A mask of the objects for which a condition, true where it is not 0, holds too.
template <typename Values>
Mask passes_also(const Mask &mask, const Values &condition)
{
   if (condition.size() != mask.size())
      throw std::runtime_error("the condition (`where`) has " + std::to_string(condition.size()) + " values for " +
                               std::to_string(mask.size()) + " objects; correct it");
   Mask both(mask.size());
   for (std::size_t i = 0; i < mask.size(); ++i)
      both[i] = mask[i] && condition[i] != 0;
   return both;
}

// A lepton mask with the mask of one flavour applied to its leptons only.
inline Mask where_flavour(const ROOT::RVec<int> &flavours, int flavour, const Mask &mask)
{
   return flavours != flavour || mask;
}

// Number of objects with a mark that is not 0; one whose mark is NaN has none.
inline int count_marked(const Reals &marks)
{
   return static_cast<int>(std::count_if(marks.begin(), marks.end(), [](double mark) { return std::abs(mark) > 0; }));
}

// Number of objects of a flavour: 11 for electrons, 13 for muons.
inline int count_flavour(const ROOT::RVec<int> &flavours, int flavour)
{
   return static_cast<int>(std::count(flavours.begin(), flavours.end(), flavour));
}

} // namespace objects
