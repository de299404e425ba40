// Removal of overlaps: what two reconstructions made of the same particle counts once. Distances are Delta R =
// sqrt(delta eta^2 + delta phi^2) with pseudorapidities; one that is NaN is far. Which objects give way to which, and
// within what distance, the schemas say (rdf/schema/schemas); the steps are those of ATLAS, EPJC 80 (2020) 1085,
// arXiv:2007.14858, and of CMS, where jets near leptons are dropped.
#pragma once

#include "physics/objects.hxx"

#include <cmath>
#include <cstddef>

namespace overlaps {

using objects::Mask;

// Delta R between two directions.
inline double delta_r(double eta1, double phi1, double eta2, double phi2)
{
   return std::hypot(eta1 - eta2, objects::delta_phi(phi1, phi2));
}

// The objects in a mask that lie within a distance of any object in the mask of others.
template <typename Eta, typename Phi, typename OtherEta, typename OtherPhi>
Mask find_near(const Mask &mask, const Eta &eta, const Phi &phi, const Mask &others, const OtherEta &other_eta,
               const OtherPhi &other_phi, double distance)
{
   Mask near(mask.size());
   for (std::size_t i = 0; i < mask.size(); ++i)
      for (std::size_t j = 0; mask[i] && !near[i] && j < others.size(); ++j)
         near[i] = others[j] && delta_r(eta[i], phi[i], other_eta[j], other_phi[j]) < distance;
   return near;
}

// Those of the objects in a mask that lie within a distance of one of higher pT, or of equal pT and before them, that is
// itself not among them.
template <typename Pt, typename Eta, typename Phi>
Mask find_softer(const Mask &mask, const Pt &pt, const Eta &eta, const Phi &phi, double distance)
{
   Mask softer(mask.size());
   const auto order = objects::by_falling_pt(pt, mask);
   for (std::size_t n = 0; n < order.size(); ++n) {
      const auto i = order[n];
      for (std::size_t m = 0; !softer[i] && m < n; ++m)
         softer[i] = !softer[order[m]] && delta_r(eta[i], phi[i], eta[order[m]], phi[order[m]]) < distance;
   }
   return softer;
}

} // namespace overlaps
