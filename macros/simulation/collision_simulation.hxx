// Simulated proton collisions: hard processes with the radiation around them, for labelled events to train on and to test
// with. Two-body decays are TGenPhaseSpace's; spectra and radiation follow the leading behaviour of QCD, written down
// where they are used, and are tuned by eye. Rates are not simulated: each process is its own sample. GeV and radians.
#pragma once

#include "simulation/detector_simulation.hxx"

#include <Math/Vector4D.h>
#include <TGenPhaseSpace.h>
#include <TLorentzVector.h>
#include <TRandom.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace collision_simulation {

using detector_simulation::Event;
using detector_simulation::Particles;
using objects::Momentum;

// Makes one event after the other from random numbers. A class, since cppyy cannot name this std::function by itself.
struct Process {
   std::function<Event(TRandom &)> make;
   Event operator()(TRandom &random) const { return make(random); }
};

// Masses and widths: Particle Data Group, PTEP 2022 (2022) 083C01.
constexpr double kZMass = 91.1876, kZWidth = 2.4952;
constexpr double kWMass = 80.377, kWWidth = 2.085;
constexpr double kTopMass = 172.69, kTopWidth = 1.42;
constexpr double kBottomMass = 4.78;
constexpr double kZPrimeRelativeWidth = 0.03; // of a Z' with the couplings of the Z

// Two-body decay, isotropic in the rest frame of the mother.
inline std::pair<Momentum, Momentum> decay(TRandom &random, const Momentum &mother, double mass1, double mass2)
{
   // TGenPhaseSpace draws from gRandom and from nothing else.
   struct GlobalRandom {
      TRandom *const saved = gRandom;
      explicit GlobalRandom(TRandom &own) { gRandom = &own; }
      ~GlobalRandom() { gRandom = saved; }
   } own(random);
   TLorentzVector momentum(mother.Px(), mother.Py(), mother.Pz(), mother.E());
   const double masses[2] = {mass1, mass2};
   TGenPhaseSpace phase_space;
   phase_space.SetDecay(momentum, 2, masses);
   phase_space.Generate();
   const auto product = [&phase_space](int i) {
      const auto &p = *phase_space.GetDecay(i);
      return Momentum(p.Px(), p.Py(), p.Pz(), p.E());
   };
   return {product(0), product(1)};
}

// Mass of a resonance: a Breit-Wigner, cut ten widths from its middle.
inline double breit_wigner(TRandom &random, double mass, double width)
{
   for (;;) {
      const double drawn = random.BreitWigner(mass, width);
      if (std::abs(drawn - mass) < 10 * width)
         return drawn;
   }
}

// Product of two parton densities of the form x f(x) ~ (1 - x)^4; 0 beyond the energy of the beams.
inline double parton_luminosity(double x1, double x2)
{
   if (x1 >= 1 || x2 >= 1)
      return 0;
   const double square = (1 - x1) * (1 - x2) * (1 - x1) * (1 - x2);
   return square * square;
}

// Rapidity of a system of this mass that two partons make.
inline double rapidity(TRandom &random, double sqrt_s, double mass)
{
   const double root_tau = mass / sqrt_s, max_y = -std::log(root_tau);
   const double greatest = parton_luminosity(root_tau, root_tau);
   for (;;) {
      const double y = random.Uniform(-max_y, max_y), boost = std::exp(y);
      if (random.Rndm() * greatest < parton_luminosity(root_tau * boost, root_tau / boost))
         return y;
   }
}

// Mass and rapidity of a pair of heavy particles, dN/dM dy ~ M^-6 times the parton densities, times the velocity beta of
// the particles: top pairs and, from two quarks or two gluons, squark pairs come without angular momentum.
inline std::pair<double, double> heavy_pair(TRandom &random, double sqrt_s, double threshold)
{
   const double least = threshold / sqrt_s, max_y = -std::log(least);
   const double greatest = parton_luminosity(least, least);
   for (;;) {
      const double root_tau = least * std::pow(1 - random.Rndm(), -1 / 5.);
      const double y = random.Uniform(-max_y, max_y), boost = std::exp(y);
      const double density = parton_luminosity(root_tau * boost, root_tau / boost);
      const double beta_squared = 1 - least * least / (root_tau * root_tau);
      if (random.Rndm() * greatest < density * std::sqrt(beta_squared))
         return {root_tau * sqrt_s, y};
   }
}

constexpr double kMinRadiatedPt = 15; // softer radiation is no jet

// Initial-state radiation of both beams, 4 alpha_s C_F / pi for a soft alpha_s of 0.15, which the parton densities damp:
// a system that already takes the fraction x of the beams' energy leaves (1 - x)^8. And the probability for each factor
// of e in pT that a parton splits into two jets, of the order of 2 alpha_s C_F / pi log(1 / 0.4).
constexpr double kInitialRadiation = 0.25, kDamping = 8, kFinalRadiation = 0.1;

constexpr double kIntrinsicPt = 4; // [GeV], of either component; the peak of the pT spectrum of the Z

// Mass of a jet of this pT: a tenth of it, with a tail.
inline double jet_mass(TRandom &random, double pt)
{
   return pt * std::min(0.4, 0.04 + random.Exp(0.06));
}

inline void add_jet(TRandom &random, Particles &particles, double px, double py, double pz, bool bottom)
{
   const double mass = jet_mass(random, std::hypot(px, py));
   particles.jets.push_back({{px, py, pz, std::sqrt(px * px + py * py + pz * pz + mass * mass)}, bottom});
}

// The jet of a parton, or the two that it splits into, more than 0.4 apart; their three-momenta add up to the parton's.
inline void add_parton(TRandom &random, Particles &particles, const Momentum &parton, bool bottom)
{
   const double pt = parton.Pt();
   const double range = pt > 2 * kMinRadiatedPt ? std::log(pt / 2 / kMinRadiatedPt) : 0; // in log pT
   if (random.Rndm() < kFinalRadiation * range) {
      const double radiated_pt = kMinRadiatedPt * std::exp(range * random.Rndm());
      const double distance = 0.4 * std::pow(3., random.Rndm()); // 0.4 to 1.2
      const double angle = random.Uniform(-M_PI, M_PI);
      const double eta = parton.Eta() + distance * std::cos(angle), phi = parton.Phi() + distance * std::sin(angle);
      const double px = radiated_pt * std::cos(phi), py = radiated_pt * std::sin(phi), pz = radiated_pt * std::sinh(eta);
      add_jet(random, particles, px, py, pz, false);
      add_jet(random, particles, parton.Px() - px, parton.Py() - py, parton.Pz() - pz, bottom);
   } else {
      add_jet(random, particles, parton.Px(), parton.Py(), parton.Pz(), bottom);
   }
}

struct Recoil {
   double px, py;
};

// Initial-state radiation of a process at this scale: jets of dN/d(log pT) ~ log(scale / pT), spread in rapidity around
// the system, and something softer. Returns the transverse momentum that the system gets.
// energy_fraction: mass of the system over the energy of the collisions.
inline Recoil radiate(TRandom &random, Particles &particles, double scale, double energy_fraction,
                      double system_rapidity)
{
   Recoil recoil{random.Gaus(0, kIntrinsicPt), random.Gaus(0, kIntrinsicPt)};
   particles.unclustered_px = -recoil.px;
   particles.unclustered_py = -recoil.py;
   const double range = scale > kMinRadiatedPt ? std::log(scale / kMinRadiatedPt) : 0;
   const double strength = kInitialRadiation * std::pow(1 - energy_fraction, kDamping);
   const int jets = random.Poisson(strength * range * range / 2);
   for (int i = 0; i < jets; ++i) {
      const double pt = scale * std::exp(-range * std::sqrt(random.Rndm()));
      const double phi = random.Uniform(-M_PI, M_PI);
      const double px = pt * std::cos(phi), py = pt * std::sin(phi);
      add_jet(random, particles, px, py, pt * std::sinh(random.Gaus(system_rapidity, 2)), false);
      recoil.px -= px;
      recoil.py -= py;
   }
   return recoil;
}

inline Momentum system_momentum(double mass, double y, const Recoil &recoil)
{
   const double transverse_mass = std::sqrt(mass * mass + recoil.px * recoil.px + recoil.py * recoil.py);
   return {recoil.px, recoil.py, transverse_mass * std::sinh(y), transverse_mass * std::cosh(y)};
}

inline int lepton_flavour(TRandom &random)
{
   return random.Rndm() < 0.5 ? 11 : 13;
}

inline double lepton_mass(int flavour)
{
   return flavour == 13 ? detector_simulation::kMuonMass : detector_simulation::kElectronMass;
}

// QCD multijets from the scattering of two partons: dN/dpT ~ pT^-5 above min_pt, flat in the rapidities of both but for
// the parton densities. That is t-channel exchange at a given pT, d(sigma)/dt ~ 1/t^2.
inline Event make_multijet(TRandom &random, double sqrt_s, double min_pt)
{
   constexpr double kMaxRapidity = 5, kBottomFraction = 0.03;
   double pt, y1, y2;
   do {
      pt = min_pt * std::pow(1 - random.Rndm(), -1 / 4.);
      y1 = random.Uniform(-kMaxRapidity, kMaxRapidity);
      y2 = random.Uniform(-kMaxRapidity, kMaxRapidity);
   } while (random.Rndm() >= parton_luminosity(pt / sqrt_s * (std::exp(y1) + std::exp(y2)),
                                               pt / sqrt_s * (std::exp(-y1) + std::exp(-y2))));
   Particles particles;
   const auto recoil = radiate(random, particles, 2 * pt, 2 * pt * std::cosh((y1 - y2) / 2) / sqrt_s, (y1 + y2) / 2);
   const double phi = random.Uniform(-M_PI, M_PI);
   const bool bottom = random.Rndm() < kBottomFraction;
   for (const auto &[sign, y] : {std::pair{1, y1}, std::pair{-1, y2}}) {
      const double px = sign * pt * std::cos(phi) + recoil.px / 2, py = sign * pt * std::sin(phi) + recoil.py / 2;
      const double recoiled_pt = std::hypot(px, py);
      add_parton(random, particles, {px, py, recoiled_pt * std::sinh(y), recoiled_pt * std::cosh(y)}, bottom);
   }
   return detector_simulation::detect(random, particles, 0);
}

// A resonance of this mass that decays to two electrons or two muons.
inline Event make_dilepton(TRandom &random, double sqrt_s, double pole, double width, int label)
{
   Particles particles;
   const double mass = breit_wigner(random, pole, width);
   const double y = rapidity(random, sqrt_s, mass);
   const auto recoil = radiate(random, particles, mass, mass / sqrt_s, y);
   const int flavour = lepton_flavour(random);
   const auto leptons = decay(random, system_momentum(mass, y, recoil), lepton_mass(flavour), lepton_mass(flavour));
   particles.leptons.push_back({leptons.first, flavour, +1});
   particles.leptons.push_back({leptons.second, flavour, -1});
   return detector_simulation::detect(random, particles, label);
}

// t -> W b, W -> lepton and neutrino, which is not seen.
inline void decay_top(TRandom &random, Particles &particles, const Momentum &top, int charge)
{
   const auto [w, bottom] = decay(random, top, breit_wigner(random, kWMass, kWWidth), kBottomMass);
   const int flavour = lepton_flavour(random);
   particles.leptons.push_back({decay(random, w, lepton_mass(flavour), 0).first, flavour, charge});
   add_parton(random, particles, bottom, true);
}

// Top pairs with two leptons, electrons or muons each.
inline Event make_top_pair(TRandom &random, double sqrt_s)
{
   Particles particles;
   const double mass1 = breit_wigner(random, kTopMass, kTopWidth), mass2 = breit_wigner(random, kTopMass, kTopWidth);
   const auto [mass, y] = heavy_pair(random, sqrt_s, mass1 + mass2);
   const auto recoil = radiate(random, particles, kTopMass, mass / sqrt_s, y);
   const auto [top, antitop] = decay(random, system_momentum(mass, y, recoil), mass1, mass2);
   decay_top(random, particles, top, +1);
   decay_top(random, particles, antitop, -1);
   return detector_simulation::detect(random, particles, 0);
}

// Pairs of squarks, each of which decays into a quark and a lightest supersymmetric particle (LSP), which is not seen.
inline Event make_squark_pair(TRandom &random, double sqrt_s, double squark_mass, double lsp_mass)
{
   Particles particles;
   const auto [mass, y] = heavy_pair(random, sqrt_s, 2 * squark_mass);
   const auto recoil = radiate(random, particles, squark_mass, mass / sqrt_s, y);
   const auto squarks = decay(random, system_momentum(mass, y, recoil), squark_mass, squark_mass);
   for (const auto &squark : {squarks.first, squarks.second})
      add_parton(random, particles, decay(random, squark, 0, lsp_mass).first, false);
   return detector_simulation::detect(random, particles, 1);
}

// The processes. sqrt_s: energy of the collisions [GeV]; min_pt of the two partons.
inline Process multijet(double sqrt_s, double min_pt)
{
   return {[=](TRandom &random) { return make_multijet(random, sqrt_s, min_pt); }};
}

inline Process z_boson(double sqrt_s)
{
   return {[=](TRandom &random) { return make_dilepton(random, sqrt_s, kZMass, kZWidth, 0); }};
}

inline Process top_pair(double sqrt_s)
{
   return {[=](TRandom &random) { return make_top_pair(random, sqrt_s); }};
}

inline Process squark_pair(double sqrt_s, double squark_mass, double lsp_mass)
{
   return {[=](TRandom &random) { return make_squark_pair(random, sqrt_s, squark_mass, lsp_mass); }};
}

inline Process z_prime(double sqrt_s, double mass)
{
   return {[=](TRandom &random) { return make_dilepton(random, sqrt_s, mass, kZPrimeRelativeWidth * mass, 1); }};
}

// A share of one process, the rest of another.
inline Process mixture(double share, Process first, Process second)
{
   return {[=](TRandom &random) { return random.Rndm() < share ? first(random) : second(random); }};
}

// Only the events with two leptons or more.
inline Process with_two_leptons(Process process)
{
   return {[=](TRandom &random) {
      for (;;) {
         auto event = process(random);
         if (event.electrons.pt.size() + event.muons.pt.size() >= 2)
            return event;
      }
   }};
}

// Only the events with two muons or more.
inline Process with_two_muons(Process process)
{
   return {[=](TRandom &random) {
      for (;;) {
         auto event = process(random);
         if (event.muons.pt.size() >= 2)
            return event;
      }
   }};
}

} // namespace collision_simulation
