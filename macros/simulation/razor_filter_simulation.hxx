// Simulated events as the CMS razor filter of 2010 leaves them (CERN Open Data record 554): two jets of pT > 60 GeV and
// |eta| < 3, the jets merged into two megajets. GeV and radians.
#pragma once

#include "simulation/collision_simulation.hxx"
#include "physics/razor.hxx"

#include <Math/Vector4D.h>
#include <TRandom.h>

#include <cmath>
#include <cstddef>
#include <utility>

namespace razor_filter_simulation {

using collision_simulation::Process;

constexpr double kMinHardPt = 60, kMinJetPt = 40, kMaxJetEta = 3; // [GeV]
constexpr double kTurnOnHT = 180, kTurnOnWidth = 25;              // of the trigger [GeV], by eye
constexpr double kTag = 0.2783;                                   // of a b jet, medium working point

// The jets that the filter counts.
struct Jets {
   objects::Momenta momenta;
   double HT = 0;
   int hard = 0, tagged = 0;
};

inline Jets count_jets(const detector_simulation::Jets &jets)
{
   Jets counted;
   for (std::size_t i = 0; i < jets.pt.size(); ++i) {
      if (jets.pt[i] < kMinJetPt || std::abs(jets.eta[i]) > kMaxJetEta)
         continue;
      counted.momenta.emplace_back(ROOT::Math::PtEtaPhiMVector(jets.pt[i], jets.eta[i], jets.phi[i], jets.mass[i]));
      counted.HT += jets.pt[i];
      counted.hard += jets.pt[i] > kMinHardPt;
      counted.tagged += jets.btag[i] > kTag;
   }
   return counted;
}

// The events of a process that pass the filter and its trigger.
inline Process passing(Process process)
{
   return {[=](TRandom &random) {
      for (;;) {
         auto event = process(random);
         const auto jets = count_jets(event.jets);
         const double efficiency = 0.5 * (1 + std::erf((jets.HT - kTurnOnHT) / kTurnOnWidth));
         if (jets.hard >= 2 && random.Rndm() < efficiency)
            return event;
      }
   }};
}

struct Event {
   razor::Megajets megajets;
   double MR, Rsq, HT, met_pt;
   int n_jets, n_bjets;
   int label;
};

// What the filter writes of the events of a process.
class RazorFilter {
   Process fProcess;

public:
   explicit RazorFilter(Process process) : fProcess(std::move(process)) {}

   Event operator()(TRandom &random) const
   {
      const auto event = fProcess(random);
      const auto jets = count_jets(event.jets);
      const auto megajets = razor::compute_megajets(jets.momenta);
      const double MR = razor::compute_MR(megajets.first, megajets.second);
      const double MTR = razor::compute_MTR(megajets.first, megajets.second, event.met_pt, event.met_phi);
      const int n_jets = static_cast<int>(jets.momenta.size());
      return {megajets, MR, razor::compute_Rsq(MTR, MR), jets.HT, event.met_pt, n_jets, jets.tagged, event.label};
   }
};

} // namespace razor_filter_simulation
