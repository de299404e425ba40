// Simulated tracks of charged particles: prompt ones, and displaced ones from the decay of a long-lived particle. Lengths
// in cm, momenta in GeV.
#pragma once

#include "simulation/collision_simulation.hxx"

#include <Math/Vector4D.h>
#include <TRandom.h>

#include <cmath>
#include <utility>

namespace track_simulation {

// As at its point of closest approach to the beam: d0 is the transverse impact parameter with the sign that CMS gives it,
// -x sin(phi) + y cos(phi), and dz the distance along the beam from the primary vertex.
struct Track {
   float pt, eta, phi, d0, dz;
   int label; // 1: displaced, 0: prompt
};

constexpr double kField = 3.8;                      // [T], CMS
constexpr double kMinPt = 1, kMaxEta = 2.5;         // [GeV]
constexpr double kMaxRadius = 40, kMaxHalfLength = 100; // of decays that leave a track [cm]

constexpr double kLongLivedMass = 40, kMeanPt = 60; // [GeV]
constexpr double kLifetime = 1;                     // c tau [cm]

constexpr double kPileUp = 0.2;        // tracks of other collisions that are taken for those of the primary one
constexpr double kPileUpLength = 3.5;  // of the beam spot [cm]

// Resolutions [cm]: 90 (100) um at 1 GeV and 20 (30) um at high pT, about as CMS, JINST 9 (2014) P10009, arXiv:1405.6569.
inline double d0_resolution(double pt)
{
   return std::hypot(20e-4, 90e-4 / pt);
}

inline double dz_resolution(double pt)
{
   return std::hypot(30e-4, 100e-4 / pt);
}

// A particle from the point (x, y, z), followed back along its helix to where it comes closest to the beam.
inline Track make_track(double x, double y, double z, double pt, double eta, double phi, int charge, int label)
{
   const double radius = pt / (0.00299792458 * kField); // [cm]
   const double centre_x = x + charge * radius * std::sin(phi), centre_y = y - charge * radius * std::cos(phi);
   const double d0 = charge * (radius - std::hypot(centre_x, centre_y));
   const double phi0 = std::atan2(charge * centre_x, -charge * centre_y);
   const double turned = charge * std::remainder(phi0 - phi, 2 * M_PI);
   const double dz = z - turned * radius * std::sinh(eta);
   return {static_cast<float>(pt),  static_cast<float>(eta), static_cast<float>(phi0),
           static_cast<float>(d0), static_cast<float>(dz),  label};
}

// dN/dpT ~ pT^-4 and flat in eta.
inline Track make_prompt(TRandom &random)
{
   const double pt = kMinPt * std::pow(1 - random.Rndm(), -1 / 3.);
   const double eta = random.Uniform(-kMaxEta, kMaxEta), phi = random.Uniform(-M_PI, M_PI);
   const double z = random.Rndm() < kPileUp ? random.Gaus(0, kPileUpLength) - random.Gaus(0, kPileUpLength) : 0;
   return make_track(0, 0, z, pt, eta, phi, random.Rndm() < 0.5 ? 1 : -1, 0);
}

// One of the two muons of a long-lived particle.
inline Track make_displaced(TRandom &random)
{
   for (;;) {
      const double pt = random.Exp(kMeanPt), eta = random.Gaus(0, 1.2), phi = random.Uniform(-M_PI, M_PI);
      const objects::Momentum particle(ROOT::Math::PtEtaPhiMVector(pt, eta, phi, kLongLivedMass));
      const double flight = random.Exp(kLifetime) / kLongLivedMass; // in units of the momentum: p / m * c t
      const double x = particle.Px() * flight, y = particle.Py() * flight, z = particle.Pz() * flight;
      const auto muon = collision_simulation::decay(random, particle, detector_simulation::kMuonMass,
                                                    detector_simulation::kMuonMass)
                           .first;
      if (std::hypot(x, y) < kMaxRadius && std::abs(z) < kMaxHalfLength && muon.Pt() > kMinPt &&
          std::abs(muon.Eta()) < kMaxEta)
         return make_track(x, y, z, muon.Pt(), muon.Eta(), muon.Phi(), random.Rndm() < 0.5 ? 1 : -1, 1);
   }
}

class Tracks {
   double fSignalFraction;

public:
   explicit Tracks(double signal_fraction) : fSignalFraction(signal_fraction) {}

   Track operator()(TRandom &random) const
   {
      auto track = random.Rndm() < fSignalFraction ? make_displaced(random) : make_prompt(random);
      track.d0 += random.Gaus(0, d0_resolution(track.pt));
      track.dz += random.Gaus(0, dz_resolution(track.pt));
      track.pt *= 1 + random.Gaus(0, detector_simulation::muon_resolution(track.pt));
      return track;
   }
};

} // namespace track_simulation
