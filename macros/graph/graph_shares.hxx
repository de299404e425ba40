// Events of each run, of each group of luminosity blocks and of each direction, as the graph counts them; see graph.hxx.
#pragma once

#include "graph/graph.hxx"

#include <ROOT/RDF/RActionImpl.hxx>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace graph {

// Unnamed: only graph_scores.cxx counts.
namespace {

// All events and flagged events by a number, which is mostly that of the event before.
struct Counted {
   using Pair = std::array<unsigned long long, 2>;
   std::map<unsigned int, Pair> counts; // whose elements stay where they are
   unsigned int number = 0;
   Pair *last = nullptr;

   void add(unsigned int of, bool flagged)
   {
      if (!last || of != number) {
         number = of;
         last = &counts[of];
      }
      ++(*last)[0];
      (*last)[1] += flagged;
   }
   void add(const Counted &other)
   {
      for (const auto &[of, pair] : other.counts) {
         auto &mine = counts[of];
         mine[0] += pair[0];
         mine[1] += pair[1];
      }
   }
   std::vector<std::vector<unsigned long long>> rows() const
   {
      std::vector<std::vector<unsigned long long>> rows;
      for (const auto &[of, pair] : counts)
         rows.push_back({of, pair[0], pair[1]});
      return rows;
   }
};

// All events and flagged events by the direction of their leading object; those without one do not count.
struct CountedDirections {
   std::vector<unsigned long long> all, flagged; // [eta][phi]
   CountedDirections() : all(kEtaBins * kPhiBins, 0), flagged(kEtaBins * kPhiBins, 0) {}

   void add(const recorded::Direction &direction, bool is_flagged)
   {
      constexpr float pi = 3.14159265f;
      const float eta = (direction.eta + kLargestEta) / (2 * kLargestEta) * kEtaBins;
      const float phi = (direction.phi + pi) / (2 * pi) * kPhiBins;
      if (!(eta >= 0 && eta < kEtaBins && phi >= 0 && phi < kPhiBins + 1))
         return;
      const auto column = std::min(static_cast<unsigned int>(phi), kPhiBins - 1); // pi itself is in the last
      const std::size_t bin = static_cast<std::size_t>(eta) * kPhiBins + column;
      ++all[bin];
      flagged[bin] += is_flagged;
   }
   void add(const CountedDirections &other)
   {
      for (std::size_t i = 0; i < all.size(); ++i) {
         all[i] += other.all[i];
         flagged[i] += other.flagged[i];
      }
   }
};

struct alignas(64) CountedShares {
   Counted runs, groups;
   CountedDirections directions;
};

class CountShares : public ROOT::Detail::RDF::RActionImpl<CountShares> {
public:
   using Result_t = CountedShares;

private:
   std::shared_ptr<Result_t> fResult = std::make_shared<Result_t>();
   std::vector<Result_t> fSlots;
   unsigned int fGroup;

public:
   CountShares(unsigned int slots, unsigned int group) : fSlots(slots), fGroup(group) {}
   CountShares(CountShares &&) = default;
   CountShares(const CountShares &) = delete;
   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores)
   {
      fSlots[slot].runs.add(event.run, scores.flagged);
      fSlots[slot].groups.add(event.luminosityBlock / fGroup, scores.flagged);
      fSlots[slot].directions.add(event.direction, scores.flagged);
   }
   void Finalize()
   {
      for (const auto &counted : fSlots) {
         fResult->runs.add(counted.runs);
         fResult->groups.add(counted.groups);
         fResult->directions.add(counted.directions);
      }
   }
   std::shared_ptr<Result_t> GetResultPtr() const { return fResult; }
   std::string GetActionName() const { return "CountShares"; }
};

} // namespace

} // namespace graph
