// Made-up events with NanoAOD's layout, as TTree (ZLIB) or RNTuple (its default, ZSTD): make_events FORMAT EVENTS SEED FILE
//
// Jets 5 in the mean and 2 to 12, muons mostly two; both by falling pT, with the digits that NanoAOD keeps. Spectra only
// look like those of collisions. Equal seeds give equal events in both formats.
#include <ROOT/RNTupleModel.hxx>
#include <ROOT/RNTupleWriter.hxx>
#include <ROOT/RVec.hxx>
#include <TFile.h>
#include <TRandom3.h>
#include <TTree.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

namespace {

constexpr int kMaxJets = 12, kMaxMuons = 3;
constexpr long kClusterEvents = 25'000; // several clusters for each core, also of 1e5 events

// A float with so many bits of mantissa: NanoAOD does not store more than was measured.
float with_bits(double value, int bits)
{
   float x = static_cast<float>(value);
   std::uint32_t pattern;
   std::memcpy(&pattern, &x, sizeof x);
   pattern = (pattern + (1u << (22 - bits))) & ~((1u << (23 - bits)) - 1);
   std::memcpy(&x, &pattern, sizeof x);
   return x;
}

struct Event {
   std::uint32_t run = 1, luminosityBlock = 0;
   std::uint64_t event = 0;
   int nJet = 0, nMuon = 0;
   float Jet_pt[kMaxJets], Jet_eta[kMaxJets], Jet_phi[kMaxJets], Jet_mass[kMaxJets], Jet_btag[kMaxJets];
   float Muon_pt[kMaxMuons], Muon_eta[kMaxMuons], Muon_phi[kMaxMuons], Muon_mass[kMaxMuons];
   int Muon_charge[kMaxMuons];
   float MET_pt, MET_phi;
};

void generate(TRandom3 &random, long number, Event &event)
{
   event.luminosityBlock = static_cast<std::uint32_t>(number / 1000 + 1);
   event.event = static_cast<std::uint64_t>(number + 1);
   event.nJet = std::min(2 + static_cast<int>(random.Poisson(3)), kMaxJets);
   for (int i = 0; i < event.nJet; ++i) // the first two are hard and central
      event.Jet_pt[i] = with_bits(i < 2 ? 32 + random.Exp(60) : 15 + random.Exp(30), 10);
   std::sort(event.Jet_pt, event.Jet_pt + event.nJet, std::greater<>());
   for (int i = 0; i < event.nJet; ++i) {
      event.Jet_eta[i] = with_bits(i < 2 ? random.Uniform(-2.3, 2.3) : random.Gaus(0, 2), 12);
      event.Jet_phi[i] = with_bits(random.Uniform(-3.14, 3.14), 12);
      event.Jet_mass[i] = with_bits(event.Jet_pt[i] * (0.04 + random.Exp(0.06)), 10);
      event.Jet_btag[i] = with_bits(random.Rndm(), 10);
   }
   const double lot = random.Rndm();
   event.nMuon = lot < 0.92 ? 2 : lot < 0.98 ? 3 : lot < 0.99 ? 1 : 0;
   for (int i = 0; i < event.nMuon; ++i)
      event.Muon_pt[i] = with_bits(i < 2 ? 12 + random.Exp(30) : 5 + random.Exp(10), 10);
   std::sort(event.Muon_pt, event.Muon_pt + event.nMuon, std::greater<>());
   for (int i = 0; i < event.nMuon; ++i) {
      event.Muon_eta[i] = with_bits(random.Uniform(-2.39, 2.39), 12);
      event.Muon_phi[i] = with_bits(random.Uniform(-3.14, 3.14), 12);
      event.Muon_mass[i] = 0.105658f;
      event.Muon_charge[i] = random.Rndm() < 0.5 ? -1 : 1;
   }
   event.MET_pt = with_bits(random.Exp(40), 10);
   event.MET_phi = with_bits(random.Uniform(-3.14, 3.14), 12);
}

void write_ttree(long events, TRandom3 &random, const std::string &path)
{
   TFile file(path.c_str(), "RECREATE");
   file.SetCompressionSettings(101); // ZLIB
   TTree tree("Events", "made-up events");
   tree.SetAutoFlush(kClusterEvents);
   Event event;
   tree.Branch("run", &event.run, "run/i");
   tree.Branch("luminosityBlock", &event.luminosityBlock, "luminosityBlock/i");
   tree.Branch("event", &event.event, "event/l");
   tree.Branch("nJet", &event.nJet, "nJet/I");
   tree.Branch("Jet_pt", event.Jet_pt, "Jet_pt[nJet]/F");
   tree.Branch("Jet_eta", event.Jet_eta, "Jet_eta[nJet]/F");
   tree.Branch("Jet_phi", event.Jet_phi, "Jet_phi[nJet]/F");
   tree.Branch("Jet_mass", event.Jet_mass, "Jet_mass[nJet]/F");
   tree.Branch("Jet_btagDeepFlavB", event.Jet_btag, "Jet_btagDeepFlavB[nJet]/F");
   tree.Branch("nMuon", &event.nMuon, "nMuon/I");
   tree.Branch("Muon_pt", event.Muon_pt, "Muon_pt[nMuon]/F");
   tree.Branch("Muon_eta", event.Muon_eta, "Muon_eta[nMuon]/F");
   tree.Branch("Muon_phi", event.Muon_phi, "Muon_phi[nMuon]/F");
   tree.Branch("Muon_mass", event.Muon_mass, "Muon_mass[nMuon]/F");
   tree.Branch("Muon_charge", event.Muon_charge, "Muon_charge[nMuon]/I");
   tree.Branch("MET_pt", &event.MET_pt, "MET_pt/F");
   tree.Branch("MET_phi", &event.MET_phi, "MET_phi/F");
   for (long i = 0; i < events; ++i) {
      generate(random, i, event);
      tree.Fill();
   }
   file.Write();
}

void write_rntuple(long events, TRandom3 &random, const std::string &path)
{
   auto model = ROOT::RNTupleModel::Create();
   const auto run = model->MakeField<std::uint32_t>("run"), block = model->MakeField<std::uint32_t>("luminosityBlock");
   const auto number = model->MakeField<std::uint64_t>("event");
   const auto reals = [&model](const char *name) { return model->MakeField<ROOT::RVec<float>>(name); };
   const std::array jets{reals("Jet_pt"), reals("Jet_eta"), reals("Jet_phi"), reals("Jet_mass"),
                         reals("Jet_btagDeepFlavB")};
   const std::array muons{reals("Muon_pt"), reals("Muon_eta"), reals("Muon_phi"), reals("Muon_mass")};
   const auto charge = model->MakeField<ROOT::RVec<int>>("Muon_charge");
   const auto met_pt = model->MakeField<float>("MET_pt"), met_phi = model->MakeField<float>("MET_phi");
   const auto writer = ROOT::RNTupleWriter::Recreate(std::move(model), "Events", path);
   Event event;
   for (long i = 0; i < events; ++i) {
      generate(random, i, event);
      *run = event.run;
      *block = event.luminosityBlock;
      *number = event.event;
      const float *of_jets[] = {event.Jet_pt, event.Jet_eta, event.Jet_phi, event.Jet_mass, event.Jet_btag};
      for (std::size_t part = 0; part < jets.size(); ++part)
         jets[part]->assign(of_jets[part], of_jets[part] + event.nJet);
      const float *of_muons[] = {event.Muon_pt, event.Muon_eta, event.Muon_phi, event.Muon_mass};
      for (std::size_t part = 0; part < muons.size(); ++part)
         muons[part]->assign(of_muons[part], of_muons[part] + event.nMuon);
      charge->assign(event.Muon_charge, event.Muon_charge + event.nMuon);
      *met_pt = event.MET_pt;
      *met_phi = event.MET_phi;
      writer->Fill();
      if ((i + 1) % kClusterEvents == 0)
         writer->CommitCluster();
   }
}

} // namespace

int main(int, char **arguments)
{
   const std::string format = arguments[1], path = arguments[4];
   TRandom3 random(std::atoi(arguments[3]));
   (format == "rntuple" ? write_rntuple : write_ttree)(std::atol(arguments[2]), random, path);
}
