// Four leptons as two Z bosons. Leptons are sorted by falling pT; GeV. An event without the leptons that a quantity is made
// of has NaN, and is counted out where that is a feature.
#pragma once

#include "physics/dilepton.hxx"
#include "physics/objects.hxx"

#include <cmath>
#include <cstddef>

namespace four_leptons {

using objects::kNaN;
using objects::Momenta;
using objects::Momentum;

// Four-momentum of the four leptons of highest pT.
inline Momentum four(const Momenta &leptons)
{
   return leptons.size() < 4 ? Momentum(kNaN, kNaN, kNaN, kNaN) : leptons[0] + leptons[1] + leptons[2] + leptons[3];
}

// Invariant mass of the four leptons of highest pT.
inline double compute_m4l(const Momenta &leptons)
{
   return objects::invariant_mass(four(leptons));
}

// Transverse momentum of the four leptons of highest pT together.
inline double compute_pt_4l(const Momenta &leptons)
{
   return four(leptons).Pt();
}

// Mass of the second Z, where the first is the pair of opposite charge and same flavour whose mass is closest to the Z's
// (dilepton::find_z): that of the other such pair; if there are several, as there can be with more than four leptons, of
// the one of highest scalar pT sum (CMS, JHEP 11 (2017) 047, arXiv:1706.09936).
inline double compute_mz2(const Momenta &leptons, const ROOT::RVec<int> &charges, const ROOT::RVec<int> &flavours)
{
   const auto first = dilepton::find_z(leptons, charges, flavours);
   if (std::isnan(first.mass))
      return kNaN;
   double mass = kNaN, highest = -1;
   for (std::size_t i = 0; i < leptons.size(); ++i) {
      for (std::size_t j = i + 1; j < leptons.size(); ++j) {
         const bool apart = i != first.one && i != first.other && j != first.one && j != first.other;
         const double sum = leptons[i].Pt() + leptons[j].Pt();
         if (!apart || charges[i] * charges[j] >= 0 || flavours[i] != flavours[j] || sum <= highest)
            continue;
         highest = sum;
         mass = objects::invariant_mass(leptons[i] + leptons[j]);
      }
   }
   return mass;
}

} // namespace four_leptons
