// Shape of an event's visible part. Momenta and energies in GeV.
#pragma once

#include <Math/Vector4D.h>

#include <cmath>

namespace event_shape {

// Centrality = sum of pT / sum of E over the visible objects: 1 when all goes at right angles to the beam, towards 0
// when all goes along it (definition used by the Tevatron top analyses, e.g. D0, PRD 58 (1998) 052001). Not finite
// without energy.
inline double compute_centrality(double pt_sum, double energy_sum)
{
   return pt_sum / energy_sum;
}

// Invariant mass [GeV] of two objects; 0 where rounding leaves a slightly space-like sum.
inline double compute_dijet_mass(const ROOT::Math::PxPyPzEVector &jet1, const ROOT::Math::PxPyPzEVector &jet2)
{
   // Not std::fmax, which would turn the NaN of a broken event into a mass of 0.
   const double mass_squared = (jet1 + jet2).M2();
   return mass_squared < 0 ? 0. : std::sqrt(mass_squared);
}

// Ratio of the transverse momenta of the second and first object; not finite where the first has none.
inline double compute_pt_ratio(double pt1, double pt2)
{
   return pt2 / pt1;
}

} // namespace event_shape
