// Missing transverse momentum against the visible activity. All in GeV.
#pragma once

namespace missing_pt {

// MET / HT; not finite in an event without jets (HT = 0).
inline double compute_MET_over_HT(double met_pt, double HT)
{
   return met_pt / HT;
}

} // namespace missing_pt
