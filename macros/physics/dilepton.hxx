// Pairs of leptons. Leptons are sorted by falling pT; GeV and radians. An event without the leptons that a quantity is
// made of has NaN, and is counted out where that is a feature.
#pragma once

#include "physics/objects.hxx"

#include <Math/VectorUtil.h>

#include <cmath>
#include <cstddef>

namespace dilepton {

using objects::kNaN;
using objects::Momenta;
using objects::Momentum;

constexpr double kZMass = 91.1876; // [GeV], Particle Data Group, PTEP 2022 (2022) 083C01

// Four-momentum of the two leptons of highest pT.
inline Momentum pair(const Momenta &leptons)
{
   return leptons.size() < 2 ? Momentum(kNaN, kNaN, kNaN, kNaN) : leptons[0] + leptons[1];
}

// Invariant mass of the two leptons of highest pT.
inline double compute_mll(const Momenta &leptons)
{
   return objects::invariant_mass(pair(leptons));
}

// Transverse momentum of the two leptons of highest pT together.
inline double compute_pt_ll(const Momenta &leptons)
{
   return pair(leptons).Pt();
}

// Delta R = sqrt(delta eta^2 + delta phi^2) of the two leptons of highest pT, with pseudorapidities.
inline double compute_delta_r_ll(const Momenta &leptons)
{
   return leptons.size() < 2 ? kNaN
                             : std::hypot(leptons[0].Eta() - leptons[1].Eta(),
                                          objects::delta_phi(leptons[0].Phi(), leptons[1].Phi()));
}

// |Delta phi| of the two leptons of highest pT, 0 to pi.
inline double compute_delta_phi_ll(const Momenta &leptons)
{
   return leptons.size() < 2 ? kNaN : objects::delta_phi(leptons[0].Phi(), leptons[1].Phi());
}

// Mass of the pair of opposite charge and same flavour whose mass is closest to the Z's, out of all leptons.
inline double compute_mz1(const Momenta &leptons, const ROOT::RVec<int> &charges, const ROOT::RVec<int> &flavours)
{
   double closest = kNaN;
   for (std::size_t i = 0; i < leptons.size(); ++i) {
      for (std::size_t j = i + 1; j < leptons.size(); ++j) {
         if (charges[i] * charges[j] >= 0 || flavours[i] != flavours[j])
            continue;
         const double mass = objects::invariant_mass(leptons[i] + leptons[j]);
         if (std::isnan(mass))
            return kNaN; // a broken lepton: the event has no answer
         if (!(std::abs(mass - kZMass) >= std::abs(closest - kZMass)))
            closest = mass;
      }
   }
   return closest;
}

// Transverse mass of the lepton of highest pT and MET: sqrt(2 pT MET (1 - cos delta phi)), as for W -> l nu.
inline double compute_transverse_mass(const Momenta &leptons, double met_pt, double met_phi)
{
   if (leptons.empty())
      return kNaN;
   // 1 - cos x = 2 sin^2(x/2), in which no digits cancel.
   return 2 * std::sqrt(leptons[0].Pt() * met_pt) * std::abs(std::sin((leptons[0].Phi() - met_phi) / 2));
}

// Invariant mass of the four leptons of highest pT.
inline double compute_m4l(const Momenta &leptons)
{
   return leptons.size() < 4 ? kNaN : objects::invariant_mass(leptons[0] + leptons[1] + leptons[2] + leptons[3]);
}

} // namespace dilepton
