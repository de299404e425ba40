// What the leading objects of a kind are, one and two of them, be they jets, leptons, photons or taus. Objects are sorted
// by falling pT; GeV and radians. An event without the objects that a quantity is made of has NaN.
#pragma once

#include "physics/objects.hxx"

#include <cmath>
#include <cstddef>

namespace leading {

using objects::kNaN;
using objects::Momenta;
using objects::Momentum;

// Four-momentum of the two objects of highest pT.
inline Momentum pair(const Momenta &momenta)
{
   return momenta.size() < 2 ? Momentum(kNaN, kNaN, kNaN, kNaN) : momenta[0] + momenta[1];
}

// Invariant mass of the two objects of highest pT.
inline double compute_pair_mass(const Momenta &momenta)
{
   return objects::invariant_mass(pair(momenta));
}

// Transverse momentum of the two objects of highest pT together.
inline double compute_pair_pt(const Momenta &momenta)
{
   return pair(momenta).Pt();
}

// Delta R = sqrt(delta eta^2 + delta phi^2) of two directions, with pseudorapidities.
inline double compute_delta_r(const Momentum &first, const Momentum &second)
{
   return std::hypot(first.Eta() - second.Eta(), objects::delta_phi(first.Phi(), second.Phi()));
}

// Delta R of the two objects of highest pT.
inline double compute_pair_delta_r(const Momenta &momenta)
{
   return momenta.size() < 2 ? kNaN : compute_delta_r(momenta[0], momenta[1]);
}

// |Delta phi| of the two objects of highest pT, 0 to pi.
inline double compute_pair_delta_phi(const Momenta &momenta)
{
   return momenta.size() < 2 ? kNaN : objects::delta_phi(momenta[0].Phi(), momenta[1].Phi());
}

// |Delta eta| of the two objects of highest pT.
inline double compute_pair_delta_eta(const Momenta &momenta)
{
   return momenta.size() < 2 ? kNaN : std::abs(momenta[0].Eta() - momenta[1].Eta());
}

// Delta R of the object of highest pT of one kind and that of another.
inline double compute_delta_r_of_two_kinds(const Momenta &momenta, const Momenta &others)
{
   return momenta.empty() || others.empty() ? kNaN : compute_delta_r(momenta[0], others[0]);
}

// Mass of the object of highest pT.
inline double compute_mass_of_first(const Momenta &momenta)
{
   return momenta.empty() ? kNaN : objects::invariant_mass(momenta[0]);
}

// What an attribute is of the object of highest pT.
inline double compute_first_of(const objects::Reals &attribute)
{
   return attribute.empty() ? kNaN : attribute[0];
}

// Pseudorapidity and azimuth of the four-vector of highest pT out of all kinds, each of which is sorted by falling pT.
struct Direction {
   float eta = static_cast<float>(kNaN), phi = static_cast<float>(kNaN);
};

template <typename... Kinds>
Direction compute_direction(const Kinds &...kinds)
{
   Direction direction;
   double highest = 0;
   const auto look_at = [&](const auto &momenta) {
      if (momenta.empty() || !(momenta[0].Pt() > highest))
         return;
      highest = momenta[0].Pt();
      direction = {static_cast<float>(momenta[0].Eta()), static_cast<float>(momenta[0].Phi())};
   };
   (look_at(kinds), ...);
   return direction;
}

} // namespace leading
