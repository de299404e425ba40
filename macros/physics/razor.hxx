// Razor variables: an event's jets merged into two megajets, and what follows from these.
//
// Reference: C. Rogan, "Kinematical variables towards new dynamics at the LHC", arXiv:1006.2727 (2010), and
// CMS, "Inclusive search for supersymmetry using razor variables in pp collisions at 7 TeV", PRL 111 (2013) 081802,
// arXiv:1212.6961, which gives MR in the form used since 2011. All momenta in GeV, angles in radians.
#pragma once

#include "physics/objects.hxx"

#include <Math/Vector4D.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace razor {

using objects::kNaN;
using objects::Momenta;
using Megajet = ROOT::Math::PxPyPzEVector;

struct Megajets {
   Megajet first, second; // the first has the larger pT
};

constexpr std::size_t kMaxExhaustive = 20; // jets: half a million partitions

// Of all ways to part n jets into two groups that are not empty, the one whose megajets have the least sum of squared
// masses (arXiv:1006.2727; CMS, PRD 85 (2012) 012004, arXiv:1107.1279). With P the sum of all jets and p that of one
// group, this sum is P^2 - 2 p.(P - p), so the product p.(P - p) is made as large as possible. Returns the first group
// as bits; the last jet is always in the second.
//
// The sums t of all groups of the first few jets are put in a table. To each group g of the other jets, of which the
// next differs from the last by one jet (a Gray code), they are added all at once, in a loop that the compiler turns
// into vector instructions: (g + t).(P - g - t) = g.(P - g) + t.(P - 2 g) - t.t. Each place of the table keeps its best.
inline std::uint32_t best_partition(const Momenta &jets, const Megajet &total)
{
   constexpr std::size_t kTableJets = 5, kPlaces = 1u << kTableJets;
   const std::size_t n = jets.size() - 1; // jets that are free to choose their side
   const std::size_t inner = n < kTableJets ? n : kTableJets;
   const std::uint32_t width = 1u << inner;
   double x[kPlaces], y[kPlaces], z[kPlaces], e[kPlaces], squared[kPlaces], greatest[kPlaces];
   std::int64_t with[kPlaces]; // the group of the other jets that goes with the greatest
   x[0] = y[0] = z[0] = e[0] = 0; // the group without any of these jets
   for (std::size_t k = 0; k < inner; ++k) {
      const std::uint32_t half = 1u << k;
      for (std::uint32_t i = 0; i < half; ++i) {
         x[half + i] = x[i] + jets[k].Px();
         y[half + i] = y[i] + jets[k].Py();
         z[half + i] = z[i] + jets[k].Pz();
         e[half + i] = e[i] + jets[k].E();
      }
   }
   for (std::uint32_t i = 0; i < width; ++i) {
      squared[i] = e[i] * e[i] - x[i] * x[i] - y[i] * y[i] - z[i] * z[i];
      greatest[i] = e[i] * total.E() - x[i] * total.Px() - y[i] * total.Py() - z[i] * total.Pz() - squared[i];
      with[i] = 0;
   }
   greatest[0] = -HUGE_VAL; // an empty group
   Megajet group;
   std::int64_t outer = 0;
   for (std::uint32_t step = 1; step < 1u << (n - inner); ++step) {
      const auto changed = __builtin_ctz(step);
      outer ^= std::int64_t(1) << changed;
      const auto &jet = jets[inner + changed];
      group = (outer >> changed) & 1 ? group + jet : group - jet;
      const double alone = group.Dot(total - group);
      const double dx = total.Px() - 2 * group.Px(), dy = total.Py() - 2 * group.Py();
      const double dz = total.Pz() - 2 * group.Pz(), de = total.E() - 2 * group.E();
      for (std::uint32_t i = 0; i < width; ++i) {
         const double product = alone - squared[i] + e[i] * de - x[i] * dx - y[i] * dy - z[i] * dz;
         with[i] = product > greatest[i] ? outer : with[i];
         greatest[i] = product > greatest[i] ? product : greatest[i];
      }
   }
   std::uint32_t best = 0;
   double best_product = -HUGE_VAL;
   for (std::uint32_t i = 0; i < width; ++i) {
      if (greatest[i] > best_product) {
         best_product = greatest[i];
         best = i;
      }
   }
   return (static_cast<std::uint32_t>(with[best]) << inner) | best;
}

// The sum of the first group for more jets than all partitions can be tried for. From each pair of jets as the two
// megajets, jets change sides one by one as long as that lowers the sum of squared masses; the best end is taken. It is
// the optimum nearly always, and has no better neighbour ever.
inline Megajet descend_to_partition(const Momenta &jets, const Megajet &total)
{
   const auto product = [&total](const Megajet &group) { return group.Dot(total - group); };
   // A gain smaller than this is rounding, by which a jet could move to and fro for ever.
   const double least_gain = 1e-12 * total.E() * total.E();
   double greatest = -HUGE_VAL;
   Megajet best;
   std::vector<bool> in_group(jets.size());
   for (std::size_t seed = 0; seed < jets.size(); ++seed) {
      for (std::size_t other = seed + 1; other < jets.size(); ++other) {
         Megajet group = jets[seed];
         std::size_t size = 1;
         for (std::size_t i = 0; i < jets.size(); ++i) {
            // The product with a jet of no mass is the squared mass that it would add.
            in_group[i] = i == seed || (i != other && jets[i].Dot(jets[seed]) < jets[i].Dot(jets[other]));
            if (in_group[i] && i != seed) {
               group += jets[i];
               ++size;
            }
         }
         double now = product(group);
         for (bool moved = true; moved;) {
            moved = false;
            for (std::size_t i = 0; i < jets.size(); ++i) {
               if (in_group[i] ? size == 1 : size + 1 == jets.size())
                  continue; // neither group may be empty
               const Megajet changed = in_group[i] ? group - jets[i] : group + jets[i];
               const double then = product(changed);
               if (then > now + least_gain) {
                  group = changed;
                  now = then;
                  size += in_group[i] ? -1 : 1;
                  in_group[i] = !in_group[i];
                  moved = true;
               }
            }
         }
         if (now > greatest) {
            greatest = now;
            best = group;
         }
      }
   }
   return best;
}

// The megajets of an event; all NaN with fewer than two jets, or with one that is not finite.
inline Megajets compute_megajets(const Momenta &jets)
{
   const Megajet broken(kNaN, kNaN, kNaN, kNaN);
   if (jets.size() < 2)
      return {broken, broken};
   Megajet total, first;
   for (const auto &jet : jets) {
      if (!objects::is_finite(jet))
         return {broken, broken};
      total += jet;
   }
   if (jets.size() <= kMaxExhaustive) {
      // Added up anew: along the Gray code rounding errors pile up.
      const auto group = best_partition(jets, total);
      for (std::size_t i = 0; i + 1 < jets.size(); ++i)
         if ((group >> i) & 1u)
            first += jets[i];
   } else {
      first = descend_to_partition(jets, total);
   }
   const Megajet second = total - first;
   return first.Pt() < second.Pt() ? Megajets{second, first} : Megajets{first, second};
}

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

// MR of 2010 [GeV], with megajets of the energies E = |p| (arXiv:1006.2727): twice the momentum of either megajet
// in the frame, along the beam, in which both have the same; NaN where no boost slower than light leads there.
inline double compute_MR_2010(const Megajet &megajet1, const Megajet &megajet2)
{
   const double e1 = megajet1.P(), e2 = megajet2.P(), pz1 = megajet1.Pz(), pz2 = megajet2.Pz();
   const double numerator = e1 * pz2 - e2 * pz1;
   return 2 * std::sqrt(numerator * numerator / ((pz1 - pz2) * (pz1 - pz2) - (e1 - e2) * (e1 - e2)));
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
