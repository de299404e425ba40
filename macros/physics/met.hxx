// Missing transverse momentum against what is visible. GeV and radians. Ratios are not finite where the denominator is 0.
#pragma once

#include "physics/leading.hxx"
#include "physics/objects.hxx"

#include <cmath>
#include <cstddef>

namespace missing_pt {

// MET / HT.
inline double compute_MET_over_HT(double met_pt, double HT)
{
   return met_pt / HT;
}

// MET / sqrt(HT) [sqrt(GeV)]: MET in units of its resolution, which grows with sqrt(HT) (MET significance, e.g. ATLAS,
// JHEP 07 (2012) 167, arXiv:1206.1760).
inline double compute_MET_over_sqrt_HT(double met_pt, double HT)
{
   return met_pt / std::sqrt(HT);
}

// MET / ST, the part of the event's transverse activity that is invisible: 0 to 1.
inline double compute_MET_over_ST(double met_pt, double ST)
{
   return met_pt / ST;
}

// MET / pT of the lepton pair.
inline double compute_MET_over_pt_ll(double met_pt, double pt_ll)
{
   return met_pt / pt_ll;
}

// |Delta phi| of MET and the jet of highest pT, 0 to pi; NaN without a jet.
inline double compute_delta_phi_met_jet(double met_phi, const objects::Momenta &jets)
{
   return jets.empty() ? objects::kNaN : objects::delta_phi(met_phi, jets[0].Phi());
}

// |Delta phi| of MET and the lepton of highest pT, 0 to pi; NaN without a lepton.
inline double compute_delta_phi_met_lepton(double met_phi, const objects::Momenta &leptons)
{
   return leptons.empty() ? objects::kNaN : objects::delta_phi(met_phi, leptons[0].Phi());
}

// |Delta phi| of MET and the two leptons of highest pT together, 0 to pi; NaN with fewer than two.
inline double compute_delta_phi_met_ll(double met_phi, const objects::Momenta &leptons)
{
   return objects::delta_phi(met_phi, leading::pair(leptons).Phi());
}

struct Missing {
   double pt, phi;
};

// MET after the jets' energy scale has changed by a factor: the vector sum of what the jets gained is taken from it, as
// in the type-I correction (CMS, JINST 14 (2019) P07004, arXiv:1903.06078), but for all jets of the file, whatever their
// pT and whether or not they are leptons too. A factor of 1 leaves every bit as it is.
// jet_pt, jet_phi: of all jets, before the change.
inline Missing with_jets_scaled(double met_pt, double met_phi, const objects::Reals &jet_pt,
                                const objects::Reals &jet_phi, double factor)
{
   if (factor == 1)
      return {met_pt, met_phi};
   double px = met_pt * std::cos(met_phi), py = met_pt * std::sin(met_phi);
   for (std::size_t i = 0; i < jet_pt.size(); ++i) {
      px -= (factor - 1) * jet_pt[i] * std::cos(jet_phi[i]);
      py -= (factor - 1) * jet_pt[i] * std::sin(jet_phi[i]);
   }
   return {std::hypot(px, py), std::atan2(py, px)};
}

} // namespace missing_pt
