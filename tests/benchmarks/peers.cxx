// What a good C++ programmer would write, one core: prints the seconds that the events took.
//
//   peers loop FILE [OUTPUT]   columns by TTreeReader and the kernels of macros/; written to OUTPUT as rows of float32
//   peers read FILE            the same branches by RDataFrame, TTree or RNTuple, and nothing done with them
#include "physics/dilepton.hxx"
#include "physics/event_shape.hxx"
#include "physics/met.hxx"
#include "physics/objects.hxx"
#include "physics/razor.hxx"

#include <ROOT/RDataFrame.hxx>
#include <ROOT/RVec.hxx>
#include <TFile.h>
#include <TTree.h>
#include <TTreeReader.h>
#include <TTreeReaderArray.h>
#include <TTreeReaderValue.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Columns = std::array<float, 8>;

double seconds_since(Clock::time_point started)
{
   return std::chrono::duration<double>(Clock::now() - started).count();
}

// A branch as a container.
struct Numbers {
   TTreeReaderArray<float> &array;
   std::size_t size() const { return array.GetSize(); }
   double operator[](std::size_t i) const { return array[i]; }
};

struct Objects {
   TTreeReaderArray<float> pt, eta, phi, mass;
   ROOT::RVec<std::size_t> selected;
   Objects(TTreeReader &reader, const std::string &kind)
      : pt(reader, (kind + "_pt").c_str()), eta(reader, (kind + "_eta").c_str()), phi(reader, (kind + "_phi").c_str()),
        mass(reader, (kind + "_mass").c_str())
   {
   }

   // By falling pT, as NanoAOD has them.
   objects::Momenta select(float min_pt, float max_eta)
   {
      selected.clear();
      for (std::size_t i = 0; i < pt.GetSize(); ++i)
         if (pt[i] > min_pt && std::abs(eta[i]) < max_eta)
            selected.push_back(i);
      return objects::make_momenta(Numbers{pt}, Numbers{eta}, Numbers{phi}, Numbers{mass}, selected);
   }
};

Columns compute(const objects::Momenta &jets, const objects::Momenta &muons, double met_pt, double met_phi)
{
   const auto megajets = razor::compute_megajets(jets);
   const double mr = razor::compute_MR(megajets.first, megajets.second);
   const double mtr = razor::compute_MTR(megajets.first, megajets.second, met_pt, met_phi);
   double ht = 0, energy = 0;
   for (const auto &jet : jets) {
      ht += jet.Pt();
      energy += jet.E();
   }
   double pt = ht;
   for (const auto &muon : muons) {
      pt += muon.Pt();
      energy += muon.E();
   }
   const double columns[] = {mr,
                             razor::compute_Rsq(mtr, mr),
                             ht,
                             met_pt,
                             missing_pt::compute_MET_over_HT(met_pt, ht),
                             missing_pt::compute_MET_over_sqrt_HT(met_pt, ht),
                             dilepton::compute_mll(muons),
                             pt / energy};
   Columns result;
   std::copy(std::begin(columns), std::end(columns), result.begin());
   return result;
}

double loop(const char *path, const char *output)
{
   TFile file(path);
   TTreeReader reader("Events", &file);
   Objects jet(reader, "Jet"), muon(reader, "Muon");
   TTreeReaderValue<float> met_pt(reader, "MET_pt"), met_phi(reader, "MET_phi");
   std::vector<Columns> written;
   Columns total{};
   const auto started = Clock::now();
   while (reader.Next()) {
      const auto columns = compute(jet.select(30, 2.4f), muon.select(10, 2.4f), *met_pt, *met_phi);
      for (std::size_t i = 0; i < columns.size(); ++i)
         total[i] += columns[i];
      if (output)
         written.push_back(columns);
   }
   const double taken = seconds_since(started);
   std::fprintf(stderr, "%g\n", static_cast<double>(total[0])); // keeps the sums
   if (output) {
      auto *opened = std::fopen(output, "wb");
      std::fwrite(written.data(), sizeof(Columns), written.size(), opened);
      std::fclose(opened);
   }
   return taken;
}

double read(const char *path)
{
   using Reals = ROOT::RVec<float>;
   ROOT::RDataFrame events("Events", path);
   Clock::time_point started{}; // at the first event: what comes before is the same for 1 event and 1e7
   std::size_t sizes = 0;
   const auto touch = [&](const Reals &pt, const Reals &eta, const Reals &phi, const Reals &mass, const Reals &muon_pt,
                          const Reals &muon_eta, const Reals &muon_phi, const Reals &muon_mass, float met_pt,
                          float met_phi) {
      if (started == Clock::time_point{})
         started = Clock::now();
      sizes += pt.size() + eta.size() + phi.size() + mass.size() + muon_pt.size() + muon_eta.size() + muon_phi.size() +
               muon_mass.size() + (met_pt > 0) + (met_phi > 0);
   };
   events.Foreach(touch, {"Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass", "Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass",
                          "MET_pt", "MET_phi"});
   const double taken = seconds_since(started);
   std::fprintf(stderr, "%zu\n", sizes);
   return taken;
}

} // namespace

int main(int count, char **arguments)
{
   const bool loops = std::string(arguments[1]) == "loop";
   std::printf("%.9f\n", loops ? loop(arguments[2], count > 3 ? arguments[3] : nullptr) : read(arguments[2]));
}
