// Pairs of leptons. Leptons are sorted by falling pT; GeV and radians. An event without the leptons that a quantity is
// made of has NaN, and is counted out where that is a feature.
#pragma once

#include "physics/leading.hxx"
#include "physics/objects.hxx"

#include <cmath>
#include <cstddef>

namespace dilepton {

using objects::kNaN;
using objects::Momenta;

constexpr double kZMass = 91.1876; // [GeV], Particle Data Group, PTEP 2022 (2022) 083C01

// A pair of leptons: their places, and the invariant mass, NaN if there is none.
struct Pair {
   std::size_t one = 0, other = 0;
   double mass = kNaN;
};

// The pair of opposite charge and same flavour whose mass is closest to the Z's, out of all leptons.
inline Pair find_z(const Momenta &leptons, const ROOT::RVec<int> &charges, const ROOT::RVec<int> &flavours)
{
   Pair closest;
   for (std::size_t i = 0; i < leptons.size(); ++i) {
      for (std::size_t j = i + 1; j < leptons.size(); ++j) {
         if (charges[i] * charges[j] >= 0 || flavours[i] != flavours[j])
            continue;
         const double mass = objects::invariant_mass(leptons[i] + leptons[j]);
         if (std::isnan(mass))
            return {}; // a broken lepton: the event has no answer
         if (!(std::abs(mass - kZMass) >= std::abs(closest.mass - kZMass)))
            closest = {i, j, mass};
      }
   }
   return closest;
}

// Mass of that pair.
inline double compute_mz1(const Momenta &leptons, const ROOT::RVec<int> &charges, const ROOT::RVec<int> &flavours)
{
   return find_z(leptons, charges, flavours).mass;
}

// Transverse mass of the lepton of highest pT and MET: sqrt(2 pT MET (1 - cos delta phi)), as for W -> l nu.
inline double compute_transverse_mass(const Momenta &leptons, double met_pt, double met_phi)
{
   if (leptons.empty())
      return kNaN;
   // 1 - cos x = 2 sin^2(x/2), in which no digits cancel.
   return 2 * std::sqrt(leptons[0].Pt() * met_pt) * std::abs(std::sin((leptons[0].Phi() - met_phi) / 2));
}

} // namespace dilepton
