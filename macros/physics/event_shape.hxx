// Shape of an event's visible part: jets and leptons, or megajets where a sample has only these. GeV.
#pragma once

#include "physics/objects.hxx"

#include <TMatrixDSym.h>
#include <TMatrixDSymEigen.h>

#include <array>
#include <cmath>
#include <limits>

namespace event_shape {

using objects::Momenta;

// Visible objects of two kinds together.
inline Momenta make_visible(const Momenta &jets, const Momenta &leptons)
{
   return ROOT::VecOps::Concatenate(jets, leptons);
}

// ST = HT + sum of lepton pT + MET, the event's whole transverse activity (e.g. CMS, JHEP 07 (2013) 178,
// arXiv:1303.5338).
inline double compute_ST(double HT, double lepton_pt_sum, double met_pt)
{
   return HT + lepton_pt_sum + met_pt;
}

// Centrality = sum of pT / sum of E over the visible objects: 1 when all goes at right angles to the beam, towards 0
// when all goes along it (definition used by the Tevatron top analyses, e.g. D0, PRD 58 (1998) 052001). Not finite
// without energy. Of two kinds of objects, `more` are the others.
inline double compute_centrality(const Momenta &visible, const Momenta &more = {})
{
   double pt = 0, energy = 0;
   for (const auto *objects : {&visible, &more}) {
      for (const auto &p : *objects) {
         pt += p.Pt();
         energy += p.E();
      }
   }
   return pt / energy;
}

// What rounding makes of an eigenvalue 0 of a 3x3 matrix whose eigenvalues add up to 1, at most.
constexpr double kEigenvalueRounding = 32 * std::numeric_limits<double>::epsilon();

// Eigenvalues l1 >= l2 >= l3, of sum 1, of the momentum tensor sum(p_a p_b) / sum(p^2); NaN without momentum. Momenta in
// a plane have l3 = 0, momenta along a line l2 = l3 = 0: exactly, since rounding noise would be taken for a feature.
inline std::array<double, 3> momentum_tensor_eigenvalues(const Momenta &visible)
{
   TMatrixDSym tensor(3);
   double norm = 0;
   for (const auto &p : visible) {
      const double parts[] = {p.Px(), p.Py(), p.Pz()};
      for (int a = 0; a < 3; ++a)
         for (int b = 0; b < 3; ++b)
            tensor(a, b) += parts[a] * parts[b];
      norm += p.P2();
   }
   if (!(norm > 0) || !std::isfinite(norm))
      return {objects::kNaN, objects::kNaN, objects::kNaN};
   tensor *= 1 / norm;
   const TMatrixDSymEigen eigen(tensor);
   const auto &values = eigen.GetEigenValues(); // sorted, greatest first
   const auto exact = [](double value) { return value < kEigenvalueRounding ? 0. : value; };
   return {values[0], exact(values[1]), exact(values[2])};
}

// Sphericity = 3/2 (l2 + l3): 0 for two opposite jets, 1 for an isotropic event (Bjorken and Brodsky, PRD 1 (1970) 1416).
inline double compute_sphericity(const Momenta &visible)
{
   const auto values = momentum_tensor_eigenvalues(visible);
   return 1.5 * (values[1] + values[2]);
}

// Aplanarity = 3/2 l3: 0 when all momenta lie in a plane, 1/2 for an isotropic event; same reference.
inline double compute_aplanarity(const Momenta &visible)
{
   return 1.5 * momentum_tensor_eigenvalues(visible)[2];
}

// Ratio of the transverse momenta of the second and first object; not finite where the first has none.
inline double compute_pt_ratio(double pt1, double pt2)
{
   return pt2 / pt1;
}

} // namespace event_shape
