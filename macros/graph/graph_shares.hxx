// Events of each run and of each group of luminosity blocks, as the graph counts them; see graph.hxx.
#pragma once

#include "graph/graph.hxx"

#include <ROOT/RDF/RActionImpl.hxx>

#include <array>
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

struct alignas(64) CountedShares {
   Counted runs, groups;
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
   }
   void Finalize()
   {
      for (const auto &counted : fSlots) {
         fResult->runs.add(counted.runs);
         fResult->groups.add(counted.groups);
      }
   }
   std::shared_ptr<Result_t> GetResultPtr() const { return fResult; }
   std::string GetActionName() const { return "CountShares"; }
};

} // namespace

} // namespace graph
