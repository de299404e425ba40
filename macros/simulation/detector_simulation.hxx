// What a detector like CMS makes of the particles of a collision: resolution, acceptance, b tagging and missing momentum.
// Parametrised, for events that look like real ones; no detector's own simulation. GeV and radians.
#pragma once

#include "physics/objects.hxx"

#include <Math/Vector4D.h>
#include <ROOT/RVec.hxx>
#include <TRandom.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace detector_simulation {

using objects::Momentum;

constexpr double kElectronMass = 0.000510998950, kMuonMass = 0.1056583755; // PDG, PTEP 2022 (2022) 083C01

// Particles of a collision that can be seen, jets taken for particles.
struct Particles {
   struct Jet {
      Momentum momentum;
      bool bottom;
   };
   struct Lepton {
      Momentum momentum;
      int flavour; // 11: electron, 13: muon
      int charge;
   };
   std::vector<Jet> jets;
   std::vector<Lepton> leptons;
   double unclustered_px = 0, unclustered_py = 0; // of what is too soft for a jet
};

struct Jets {
   ROOT::RVec<float> pt, eta, phi, mass, btag;
};

struct Leptons {
   ROOT::RVec<float> pt, eta, phi, mass;
   ROOT::RVec<int> charge;
};

// What is written of an event; objects by falling pT.
struct Event {
   Jets jets;
   Leptons muons, electrons;
   float met_pt = 0, met_phi = 0;
   int label = 0; // 1: signal, 0: background
};

// What is written: jets as in NanoAOD, leptons where a tracker and muon chambers are.
constexpr double kMinJetPt = 15, kMinLeptonPt = 5;
constexpr double kMaxJetEta = 5, kMaxMuonEta = 2.4, kMaxElectronEta = 2.5, kMaxTrackerEta = 2.5;

// Relative resolution of a jet's pT: 15 % at 30 GeV, 9 % at 100 GeV, 5 % at 1 TeV, about that of CMS, JINST 12 (2017)
// P02014, arXiv:1607.03663.
inline double jet_resolution(double pt)
{
   return std::hypot(0.8 / std::sqrt(pt), 0.045);
}

// Of a muon's pT: 1 % up to 100 GeV, 5 % at 1 TeV; CMS, JINST 13 (2018) P06015, arXiv:1804.04528.
inline double muon_resolution(double pt)
{
   return std::hypot(0.01, 5e-5 * pt);
}

// Of an electron's energy: 2 to 3 % below 50 GeV, 1.5 % above; CMS, JINST 16 (2021) P05014, arXiv:2012.06888.
inline double electron_resolution(double pt)
{
   return std::hypot(0.1 / std::sqrt(pt), 0.015);
}

constexpr double kUnclusteredResolution = 8; // [GeV], of either component of the momentum of all that is in no jet

// One jet in 200 loses up to half its momentum, in dead channels and to neutrinos.
constexpr double kPunchThrough = 0.005;
// A third of the b jets have a neutrino in them, which takes 12 % of the momentum in the mean.
constexpr double kNeutrinoProbability = 0.35, kNeutrinoFraction = 0.12;

inline double jet_response(TRandom &random, double pt, bool bottom)
{
   double response = std::max(0.1, random.Gaus(1, jet_resolution(pt)));
   if (random.Rndm() < kPunchThrough)
      response *= random.Uniform(0.5, 1);
   if (bottom && random.Rndm() < kNeutrinoProbability)
      response *= 1 - std::min(0.8, random.Exp(kNeutrinoFraction));
   return response;
}

// b discriminator in [0, 1]. Its log-odds are Gaussian, such that at 0.049 and 0.2783, the loose and medium working
// points of DeepJet in 2018, 93 % and 80 % of the b jets pass and 10 % and 1 % of the light ones, as CMS quotes of them
// (CMS-DP-2018-058).
inline double btag(TRandom &random, bool bottom)
{
   const double log_odds = bottom ? random.Gaus(1.715, 3.175) : random.Gaus(-5.435, 1.927);
   return 1 / (1 + std::exp(-log_odds));
}

// One object as measured; `extra` is a jet's discriminator or a lepton's charge.
struct Measured {
   double pt, eta, phi, mass, extra;
};

inline Measured measured(const Momentum &momentum, double response, double extra)
{
   return {momentum.Pt() * response, momentum.Eta(), momentum.Phi(), momentum.M() * response, extra};
}

// Write objects by falling pT to columns of which the fifth is `extra`.
template <typename Columns, typename Extra>
void write_sorted(std::vector<Measured> &objects, Columns &columns, Extra &extra)
{
   std::sort(objects.begin(), objects.end(), [](const auto &a, const auto &b) { return a.pt > b.pt; });
   for (const auto &object : objects) {
      columns.pt.push_back(object.pt);
      columns.eta.push_back(object.eta);
      columns.phi.push_back(object.phi);
      columns.mass.push_back(object.mass);
      extra.push_back(object.extra);
   }
}

// Measure the particles. Missing momentum is the opposite of the sum of all that is seen, whether it is written or not;
// muons outside their chambers and what is nearer to the beam than |eta| = 5 are not seen.
inline Event detect(TRandom &random, const Particles &particles, int label)
{
   Event event;
   event.label = label;
   double seen_px = particles.unclustered_px + random.Gaus(0, kUnclusteredResolution);
   double seen_py = particles.unclustered_py + random.Gaus(0, kUnclusteredResolution);
   const auto see = [&](const Momentum &momentum, double response) {
      seen_px += momentum.Px() * response;
      seen_py += momentum.Py() * response;
   };

   std::vector<Measured> jets, muons, electrons;
   for (const auto &[momentum, bottom] : particles.jets) {
      const double response = jet_response(random, momentum.Pt(), bottom);
      const double eta = std::abs(momentum.Eta());
      const double discriminator = eta < kMaxTrackerEta ? btag(random, bottom) : 0; // no tracks, no tag
      if (eta > kMaxJetEta)
         continue;
      see(momentum, response);
      if (momentum.Pt() * response > kMinJetPt)
         jets.push_back(measured(momentum, response, discriminator));
   }
   for (const auto &[momentum, flavour, charge] : particles.leptons) {
      const bool is_muon = flavour == 13;
      const double resolution = is_muon ? muon_resolution(momentum.Pt()) : electron_resolution(momentum.Pt());
      const double response = std::max(0.1, random.Gaus(1, resolution));
      const double eta = std::abs(momentum.Eta());
      if (eta > (is_muon ? kMaxMuonEta : kMaxJetEta))
         continue;
      see(momentum, response);
      auto lepton = measured(momentum, response, charge);
      lepton.mass = is_muon ? kMuonMass : kElectronMass;
      if (lepton.pt > kMinLeptonPt && (is_muon || eta < kMaxElectronEta))
         (is_muon ? muons : electrons).push_back(lepton);
   }
   write_sorted(jets, event.jets, event.jets.btag);
   write_sorted(muons, event.muons, event.muons.charge);
   write_sorted(electrons, event.electrons, event.electrons.charge);
   event.met_pt = std::hypot(seen_px, seen_py);
   event.met_phi = std::atan2(-seen_py, -seen_px);
   return event;
}

// Energies of objects.
template <typename Columns>
ROOT::RVec<float> compute_energy(const Columns &objects)
{
   ROOT::RVec<float> energy;
   for (std::size_t i = 0; i < objects.pt.size(); ++i)
      energy.push_back(std::hypot(objects.pt[i] * std::cosh(objects.eta[i]), objects.mass[i]));
   return energy;
}

// Electrons and muons together, by falling pT, as ATLAS writes them.
struct AllLeptons : Leptons {
   ROOT::RVec<int> flavour;
};

inline AllLeptons compute_all_leptons(const Event &event)
{
   AllLeptons all;
   const auto add = [&all](const Leptons &from, std::size_t i, int flavour) {
      all.pt.push_back(from.pt[i]);
      all.eta.push_back(from.eta[i]);
      all.phi.push_back(from.phi[i]);
      all.mass.push_back(from.mass[i]);
      all.charge.push_back(from.charge[i]);
      all.flavour.push_back(flavour);
   };
   const auto &electrons = event.electrons, &muons = event.muons;
   for (std::size_t e = 0, m = 0; e < electrons.pt.size() || m < muons.pt.size();) {
      if (m == muons.pt.size() || (e < electrons.pt.size() && electrons.pt[e] > muons.pt[m]))
         add(electrons, e++, 11);
      else
         add(muons, m++, 13);
   }
   return all;
}

// 1 to 5: how many of the cuts that 85, 77, 70 and 60 % of the b jets pass a jet passes, as ATLAS writes them, and one.
inline ROOT::RVec<int> compute_btag_quantile(const ROOT::RVec<float> &btag)
{
   ROOT::RVec<int> quantile;
   for (const float value : btag)
      quantile.push_back(1 + (value > 0.171) + (value > 0.347) + (value > 0.5125) + (value > 0.713));
   return quantile;
}

} // namespace detector_simulation
