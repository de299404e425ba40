// A small generator of events like those of the CMS razor filter: two megajets of QCD jets, and a few per cent of pairs
// of heavy particles that each decay into a jet and something invisible. It stands in for the data where these cannot
// be had, so it is tuned by eye to their spectra and to nothing else.
#pragma once

#include "razor.hxx"

#include <Math/Boost.h>
#include <Math/Vector4D.h>
#include <TRandom3.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace multijet_simulation {

struct Event {
   bool heavy_pair; // the truth
   razor::Megajet megajet1, megajet2;
   double met_pt, met_phi; // [GeV], [rad]
   double HT;              // [GeV]
   int n_jets, n_bjets;
};

constexpr double kHeavyFraction = 0.03;
constexpr double kHeavyMass = 700, kInvisibleMass = 100; // [GeV]
constexpr double kMinJetPt = 60, kMaxJetEta = 3;         // the filter's cuts [GeV]
constexpr double kTurnOnHT = 180, kTurnOnWidth = 25;     // of the trigger [GeV]

inline razor::Megajet megajet(double pt, double eta, double phi, double mass)
{
   const ROOT::Math::PtEtaPhiMVector polar(pt, eta, phi, mass);
   return {polar.Px(), polar.Py(), polar.Pz(), polar.E()};
}

// Mass that radiation and a merged second jet give a megajet of this pT [GeV].
inline double megajet_mass(TRandom &random, double pt)
{
   return random.Rndm() < 0.2 ? pt * random.Uniform(0.3, 1.2) : pt * std::min(0.5, 0.08 + random.Exp(0.06));
}

// Two jets of falling pT, back to back but for a third one and the detector's resolution.
inline void make_multijet(TRandom &random, Event &event)
{
   const double pt = kMinJetPt * std::pow(1 - random.Rndm(), -1 / 4.2); // dN/dpT ~ pT^-5.2
   const double phi = random.Uniform(-M_PI, M_PI);
   const double boost = random.Gaus(0, 1.1), spread = random.Gaus(0, 1.0);
   const double radiated = random.Exp(0.2), turn = random.Gaus(0, 0.1 + 0.6 * radiated);
   const double pt1 = pt * (1 + random.Gaus(0, 0.06));
   const double pt2 = pt / (1 + radiated) * (1 + random.Gaus(0, 0.06));
   event.megajet1 = megajet(pt1, boost + spread, phi, megajet_mass(random, pt1));
   event.megajet2 = megajet(pt2, boost - spread, phi + M_PI + turn, megajet_mass(random, pt2));
   event.HT = (pt1 + pt2) * (1 + 0.5 * radiated);
   const double resolution = 0.75 * std::sqrt(event.HT); // of either component of MET
   const double x = random.Gaus(0, resolution), y = random.Gaus(0, resolution);
   event.met_pt = std::hypot(x, y);
   event.met_phi = std::atan2(y, x);
}

// A particle of mass kHeavyMass at rest in the frame of the pair decays isotropically into a jet and an invisible one.
inline ROOT::Math::PxPyPzEVector decay(TRandom &random)
{
   const double p = (kHeavyMass * kHeavyMass - kInvisibleMass * kInvisibleMass) / (2 * kHeavyMass);
   double x, y, z;
   random.Sphere(x, y, z, p);
   return {x, y, z, p};
}

inline void make_heavy_pair(TRandom &random, Event &event)
{
   const ROOT::Math::Boost along_beam(0, 0, std::tanh(random.Gaus(0, 0.6)));
   const auto jet1 = along_beam(decay(random)), jet2 = along_beam(decay(random));
   event.megajet1 = megajet(jet1.Pt(), jet1.Eta(), jet1.Phi(), megajet_mass(random, jet1.Pt()));
   event.megajet2 = megajet(jet2.Pt(), jet2.Eta(), jet2.Phi(), megajet_mass(random, jet2.Pt()));
   event.HT = jet1.Pt() + jet2.Pt();
   const double resolution = 0.75 * std::sqrt(event.HT);
   const double x = random.Gaus(-jet1.Px() - jet2.Px(), resolution);
   const double y = random.Gaus(-jet1.Py() - jet2.Py(), resolution);
   event.met_pt = std::hypot(x, y);
   event.met_phi = std::atan2(y, x);
}

inline bool passes_filter(TRandom &random, const Event &event)
{
   const auto is_jet = [](const razor::Megajet &jet) {
      return jet.Pt() > kMinJetPt && std::abs(jet.Eta()) < kMaxJetEta;
   };
   return is_jet(event.megajet1) && is_jet(event.megajet2) &&
          random.Rndm() < 0.5 * (1 + std::erf((event.HT - kTurnOnHT) / kTurnOnWidth));
}

// One event that passes the filter. The same seed and number give the same event, on any thread and in any order.
inline Event generate(unsigned int seed, unsigned long long number)
{
   // Spreads neighbouring numbers over all seeds (the finaliser of MurmurHash3); 0 would make TRandom3 pick its own.
   unsigned long long mixed = number + 0x9e3779b97f4a7c15ull * (seed + 1ull);
   mixed = (mixed ^ (mixed >> 33)) * 0xff51afd7ed558ccdull;
   mixed = (mixed ^ (mixed >> 33)) * 0xc4ceb9fe1a85ec53ull;
   TRandom3 random(static_cast<UInt_t>((mixed ^ (mixed >> 33)) % 0xffffffffull) + 1);

   Event event;
   event.heavy_pair = random.Rndm() < kHeavyFraction;
   do {
      event.heavy_pair ? make_heavy_pair(random, event) : make_multijet(random, event);
   } while (!passes_filter(random, event));
   if (event.megajet1.Pt() < event.megajet2.Pt())
      std::swap(event.megajet1, event.megajet2); // as in the data, the first is the harder
   event.n_jets = 2 + std::min<int>(5, random.Poisson(0.45));
   event.n_bjets = random.Binomial(2, event.heavy_pair ? 0.15 : 0.026);
   return event;
}

} // namespace multijet_simulation
