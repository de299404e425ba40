// Simulated pairs of muons of 4.5 to 17 GeV with much momentum across the beam, as a trigger on muons finds them: pairs
// of heavy flavour and of Drell-Yan, and a resonance among them. Lengths in cm, momenta in GeV.
//
// Neither the momentum of a pair nor the impact parameters and isolation of its muons depend on its mass. Shapes and
// shares are tuned by eye; rates are not simulated.
#pragma once

#include "simulation/collision_simulation.hxx"

#include <ROOT/RVec.hxx>
#include <TRandom.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace dimuon_simulation {

using objects::Momentum;

struct Muons : detector_simulation::Leptons {
   ROOT::RVec<float> isolation; // momentum of other particles in a cone of 0.4 around the muon, over the muon's pT
   ROOT::RVec<float> ip3d;      // distance of the track from the primary vertex, without sign
   ROOT::RVec<bool> tight;      // whether the muon passes the tight identification
};

// What is written of an event; muons by falling pT.
struct Event {
   Muons muons;
   float met_pt, met_phi;
   int label; // 1: resonance, 0: continuum
};

constexpr double kMinMass = 4.5, kMaxMass = 17, kMassScale = 6; // of the continuum, which falls exponentially
constexpr double kResonance = 9.4604;     // Upsilon(1S); PDG, PTEP 2022 (2022) 083C01
constexpr double kMassResolution = 0.009; // relative

constexpr double kMinPairPt = 40; // thresholds on muons then take about the same share of the pairs of any mass
constexpr double kContinuumPt = 15, kResonancePt = 30; // mean pT of a pair above that
constexpr double kMaxPairRapidity = 2.2;

// Shares of the continuum; the rest is heavy flavour of opposite sign.
constexpr double kSameSign = 0.25, kDrellYan = 0.1;

constexpr double kTight = 0.9;              // share of the muons of a pair that are tight
constexpr double kAntiIsolation = 0.55;     // beyond which a muon counts as anti-isolated
constexpr double kIsolationTail = 0.8;      // mean isolation of such a muon above that
constexpr double kFake = 0.1, kFakePt = 10; // share of events with a third muon, not tight; its mean pT above 5 GeV

// How far from the vertex muons start, and how often they are anti-isolated.
struct Origin {
   double ip3d, spread; // median, and standard deviation of the logarithm
   double anti_isolated;
};
constexpr Origin kHeavyFlavour{0.02, 1.0, 0.7}, kPrompt{0.002, 0.5, 0.35}, kResonant{0.002, 0.5, 0.7};

struct Muon {
   double pt, eta, phi;
   int charge;
   double isolation, ip3d;
   bool tight;
};

inline Muon make_muon(TRandom &random, const Momentum &momentum, int charge, const Origin &origin, bool tight)
{
   // The mass goes with the root of both momenta.
   const double response = random.Gaus(1, std::sqrt(2.) * kMassResolution);
   const double isolation = random.Rndm() < origin.anti_isolated ? kAntiIsolation + random.Exp(kIsolationTail)
                                                                 : random.Uniform(0, kAntiIsolation);
   const double ip3d = origin.ip3d * std::exp(random.Gaus(0, origin.spread));
   return {momentum.Pt() * response, momentum.Eta(), momentum.Phi(), charge, isolation, ip3d, tight};
}

// Mass of a pair of the continuum: exponential between two ends.
inline double continuum_mass(TRandom &random)
{
   const double beyond = std::exp((kMinMass - kMaxMass) / kMassScale);
   return kMinMass - kMassScale * std::log(1 - random.Rndm() * (1 - beyond));
}

class Dimuons {
   double fSignalFraction;

public:
   explicit Dimuons(double signal_fraction) : fSignalFraction(signal_fraction) {}

   Event operator()(TRandom &random) const
   {
      const bool resonant = random.Rndm() < fSignalFraction;
      const double kind = random.Rndm();
      const bool same_sign = !resonant && kind < kSameSign;
      const bool prompt = !resonant && !same_sign && kind < kSameSign + kDrellYan;
      const Origin &origin = resonant ? kResonant : prompt ? kPrompt : kHeavyFlavour;

      const double mass = resonant ? kResonance : continuum_mass(random);
      const double pt = kMinPairPt + random.Exp(resonant ? kResonancePt : kContinuumPt);
      const double phi = random.Uniform(-M_PI, M_PI), y = random.Uniform(-kMaxPairRapidity, kMaxPairRapidity);
      const auto pair = collision_simulation::system_momentum(mass, y, {pt * std::cos(phi), pt * std::sin(phi)});
      const auto [first, second] =
         collision_simulation::decay(random, pair, detector_simulation::kMuonMass, detector_simulation::kMuonMass);
      const int charge = random.Rndm() < 0.5 ? 1 : -1;

      std::vector<Muon> muons;
      muons.push_back(make_muon(random, first, charge, origin, random.Rndm() < kTight));
      muons.push_back(make_muon(random, second, same_sign ? charge : -charge, origin, random.Rndm() < kTight));
      if (random.Rndm() < kFake) {
         const ROOT::Math::PtEtaPhiMVector fake(detector_simulation::kMinLeptonPt + random.Exp(kFakePt),
                                                random.Uniform(-2.4, 2.4), random.Uniform(-M_PI, M_PI),
                                                detector_simulation::kMuonMass);
         muons.push_back(make_muon(random, Momentum(fake), random.Rndm() < 0.5 ? 1 : -1, kHeavyFlavour, false));
      }
      const double met_x = random.Gaus(0, detector_simulation::kUnclusteredResolution);
      const double met_y = random.Gaus(0, detector_simulation::kUnclusteredResolution);
      Event event{{}, static_cast<float>(std::hypot(met_x, met_y)), static_cast<float>(std::atan2(met_y, met_x)),
                  resonant};
      write(muons, event.muons);
      return event;
   }

private:
   // Write the muons that the chambers see.
   static void write(std::vector<Muon> &muons, Muons &columns)
   {
      std::sort(muons.begin(), muons.end(), [](const Muon &a, const Muon &b) { return a.pt > b.pt; });
      for (const auto &muon : muons) {
         if (muon.pt < detector_simulation::kMinLeptonPt || std::abs(muon.eta) > detector_simulation::kMaxMuonEta)
            continue;
         columns.pt.push_back(muon.pt);
         columns.eta.push_back(muon.eta);
         columns.phi.push_back(muon.phi);
         columns.mass.push_back(detector_simulation::kMuonMass);
         columns.charge.push_back(muon.charge);
         columns.isolation.push_back(muon.isolation);
         columns.ip3d.push_back(muon.ip3d);
         columns.tight.push_back(muon.tight);
      }
   }
};

} // namespace dimuon_simulation
