// Razor variables of two megajets.
//
// Reference: C. Rogan, "Kinematical variables towards new dynamics at the LHC", arXiv:1006.2727 (2010), and
// CMS, "Inclusive search for supersymmetry using razor variables in pp collisions at 7 TeV", PRL 111 (2013) 081802,
// arXiv:1212.6961, which gives MR in the form used since 2011. All momenta in GeV, angles in radians.
#pragma once

#include <Math/Vector4D.h>

#include <cmath>

namespace razor {

using Megajet = ROOT::Math::PxPyPzEVector;

// MR = sqrt((|p1| + |p2|)^2 - (pz1 + pz2)^2) [GeV]: the 2011 definition, in which a megajet's energy is the magnitude
// of its momentum. It does not change under boosts along the beam and estimates (M^2 - m^2)/M for a pair of particles
// of mass M that each decay into something visible and something invisible of mass m.
inline double compute_MR(const Megajet &megajet1, const Megajet &megajet2)
{
   const double energy = megajet1.P() + megajet2.P();
   const double pz = megajet1.Pz() + megajet2.Pz();
   // |pz1 + pz2| <= |p1| + |p2|, so the product of these factors is not negative, and no digits cancel in it.
   return std::sqrt((energy - pz) * (energy + pz));
}

// MTR = sqrt((MET (pT1 + pT2) - METvec . (pT1vec + pT2vec)) / 2) [GeV], the transverse razor mass.
inline double compute_MTR(const Megajet &megajet1, const Megajet &megajet2, double met_pt, double met_phi)
{
   const double pt_sum = megajet1.Pt() + megajet2.Pt();
   const double along_met = (megajet1.Px() + megajet2.Px()) * std::cos(met_phi) +
                            (megajet1.Py() + megajet2.Py()) * std::sin(met_phi);
   // Never negative but for rounding; written so that a NaN stays a NaN.
   const double off_met = pt_sum < along_met ? 0. : pt_sum - along_met;
   return std::sqrt(met_pt * off_met / 2);
}

// Rsq = (MTR / MR)^2; not finite where MR = 0.
inline double compute_Rsq(double mtr, double mr)
{
   return mtr * mtr / (mr * mr);
}

} // namespace razor
