// What the machine can do at most, on one core: limits TTREE_FILE RNTUPLE_FILE WEIGHTS_BYTES prints a table of JSON.
#include <ROOT/RNTupleReader.hxx>
#include <ROOT/RVec.hxx>
#include <TBasket.h>
#include <TBranch.h>
#include <TFile.h>
#include <TTree.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
typedef float Vector __attribute__((vector_size(64)));
constexpr int kLanes = sizeof(Vector) / sizeof(float), kChains = 16; // more than a multiply-add's latency
constexpr int kRepeats = 20; // short ones, of which the best saw nobody else on the core

const std::vector<std::string> kArrays{"Jet_pt",  "Jet_eta",  "Jet_phi",  "Jet_mass",
                                       "Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass"};
const std::vector<std::string> kNumbers{"MET_pt", "MET_phi"};

template <typename Function>
double least_seconds(Function function)
{
   double least = 1e30;
   for (int i = 0; i < kRepeats; ++i) {
      const auto started = Clock::now();
      function();
      least = std::min(least, std::chrono::duration<double>(Clock::now() - started).count());
   }
   return least;
}

volatile float sink = 0.5f;

void keep(const Vector (&sums)[kChains])
{
   Vector total{};
   for (const auto &sum : sums)
      total += sum;
   sink = total[0];
}

// Multiply-adds of float32 a second, with all operands in registers.
double multiply_adds_per_second()
{
   constexpr long kSteps = 1'000'000;
   return kSteps * kChains * kLanes / least_seconds([] {
      Vector sums[kChains];
      for (auto &sum : sums)
         sum = Vector{} + sink; // read anew each time, so that no chain is known to be like another
      const Vector factor = Vector{} + sink, term = Vector{} + sink;
      for (long step = 0; step < kSteps; ++step)
         for (auto &sum : sums)
            sum = sum * factor + term;
      keep(sums);
   });
}

// Bytes a second of a matrix of weights of this size that is read over and over again, each times an activation.
double weight_bytes_per_second(std::size_t bytes)
{
   const std::size_t vectors = bytes / sizeof(Vector) / kChains * kChains, passes = 500'000'000 / bytes;
   std::vector<Vector> weights(vectors, Vector{} + 1e-9f);
   return passes * vectors * sizeof(Vector) / least_seconds([&] {
      Vector sums[kChains]{};
      for (std::size_t pass = 0; pass < passes; ++pass) {
         Vector activation = Vector{} + sink;
         for (std::size_t i = 0; i < vectors; i += kChains)
            for (int k = 0; k < kChains; ++k)
               sums[k] += weights[i + k] * activation;
      }
      keep(sums);
   });
}

struct Decompression {
   double bytes, seconds; // compressed, an event
};

// Baskets of the branches are read and decompressed, and no entry is made of them.
Decompression of_ttree(const char *path)
{
   auto names = kArrays;
   names.insert(names.end(), kNumbers.begin(), kNumbers.end());
   names.insert(names.end(), {"nJet", "nMuon"});
   double bytes = 0, events = 0;
   const double seconds = least_seconds([&] {
      TFile file(path);
      auto *tree = file.Get<TTree>("Events");
      tree->SetCacheSize(0);
      events = tree->GetEntries();
      bytes = 0;
      for (const auto &name : names) {
         auto *branch = tree->GetBranch(name.c_str());
         bytes += branch->GetZipBytes();
         for (int i = 0; i < branch->GetWriteBasket(); ++i) {
            branch->GetBasket(i);
            branch->DropBaskets("all");
         }
      }
   });
   return {bytes / events, seconds / events};
}

// What the reader itself counts as decompression of the fields' pages.
Decompression of_rntuple(const char *path)
{
   const std::string source = "RNTupleReader.RPageSourceFile.";
   double bytes = 0, events = 0, seconds = 1e30;
   for (int i = 0; i < 5; ++i) {
      auto reader = ROOT::RNTupleReader::Open("Events", path);
      reader->EnableMetrics();
      events = reader->GetNEntries();
      std::vector<ROOT::RNTupleView<ROOT::RVec<float>>> arrays;
      std::vector<ROOT::RNTupleView<float>> numbers;
      for (const auto &name : kArrays)
         arrays.push_back(reader->GetView<ROOT::RVec<float>>(name));
      for (const auto &name : kNumbers)
         numbers.push_back(reader->GetView<float>(name));
      for (const auto event : reader->GetEntryRange()) {
         for (auto &view : arrays)
            sink = view(event).size();
         for (auto &view : numbers)
            sink = view(event);
      }
      const auto count = [&](const char *name) {
         return static_cast<double>(reader->GetMetrics().GetCounter(source + name)->GetValueAsInt());
      };
      bytes = count("szReadPayload");
      seconds = std::min(seconds, 1e-9 * count("timeWallUnzip"));
   }
   return {bytes / events, seconds / events};
}

} // namespace

int main(int, char **arguments)
{
   const auto ttree = of_ttree(arguments[1]), rntuple = of_rntuple(arguments[2]);
   std::printf("{\"multiply_adds_per_s\": %g, \"weight_bytes_per_s\": %g,\n"
               " \"ttree_bytes\": %g, \"ttree_decompression_s\": %g, \"rntuple_bytes\": %g, "
               "\"rntuple_decompression_s\": %g}\n",
               multiply_adds_per_second(), weight_bytes_per_second(std::atol(arguments[3])), ttree.bytes, ttree.seconds,
               rntuple.bytes, rntuple.seconds);
}
