// Rows, and numbers of entries, as the graph fills them; see graph.hxx.
#pragma once

#include "graph/fields.hxx"
#include "graph/graph.hxx"
#include "graph/rows.hxx"

#include <ROOT/RDF/RActionImpl.hxx>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace graph {

struct Rows::State {
   std::variant<rows::AllRows, rows::SampledRows, rows::TopRows> rows;
   Fields fields;
   bool with_row;
   struct alignas(64) Slot {
      rows::Ids ids;
      rows::Values values;
      unsigned long long seen = 0;
   };
   std::vector<Slot> slots;

   template <typename Kind>
   State(Kind kind, unsigned int n_slots, const Fields &of_row, bool row)
      : rows(std::move(kind)), fields(of_row), with_row(row), slots(n_slots)
   {
   }

   void add(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores)
   {
      auto &[ids, values, seen] = slots[slot];
      ++seen;
      ids.clear();
      if (with_row)
         ids.push_back(event.row);
      ids.insert(ids.end(), {event.run, event.luminosityBlock, event.event});
      values.clear();
      for (const auto &field : fields)
         values.push_back(field.of(event, scores));
      std::visit([&, slot](auto &kind) { kind.add(slot, ids, values); }, rows);
   }
};

// Hands each event to Rows; with its scores, or with none.
template <typename State, typename... Scores>
class CollectRows : public ROOT::Detail::RDF::RActionImpl<CollectRows<State, Scores...>> {
   std::shared_ptr<State> fState;
   std::shared_ptr<bool> fDone = std::make_shared<bool>(false);

public:
   using Result_t = bool;
   explicit CollectRows(std::shared_ptr<State> state) : fState(std::move(state)) {}
   CollectRows(CollectRows &&) = default;
   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, const recorded::Event &event) { fState->add(slot, event, scoring::Scores{}); }
   void Exec(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores)
   {
      fState->add(slot, event, scores);
   }
   void Finalize() { *fDone = true; }
   std::shared_ptr<bool> GetResultPtr() const { return fDone; }
   std::string GetActionName() const { return "CollectRows"; }
};

struct Entries::State {
   Fields fields;
   bool flagged;
   rows::AllRows rows;
   struct alignas(64) Slot {
      rows::Ids ids{0};
      rows::Values values;
   };
   std::vector<Slot> slots;

   State(unsigned int n_slots, const Fields &of_event, bool only_flagged)
      : fields(of_event), flagged(only_flagged), rows(n_slots, 1, of_event.size()), slots(n_slots)
   {
   }

   void add(unsigned int slot, std::uint64_t entry, const recorded::Event &event, const scoring::Scores &scores)
   {
      auto &[ids, values] = slots[slot];
      ids[0] = entry;
      values.clear();
      for (const auto &field : fields)
         values.push_back(field.of(event, scores));
      rows.add(slot, ids, values);
   }
};

// Hands entries to Entries.
template <typename State>
class CollectEntries : public ROOT::Detail::RDF::RActionImpl<CollectEntries<State>> {
   std::shared_ptr<State> fState;
   std::shared_ptr<bool> fDone = std::make_shared<bool>(false);

public:
   using Result_t = bool;
   explicit CollectEntries(std::shared_ptr<State> state) : fState(std::move(state)) {}
   CollectEntries(CollectEntries &&) = default;
   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, unsigned long long entry, const recorded::Event &event, const scoring::Scores &scores)
   {
      if (!fState->flagged || scores.flagged)
         fState->add(slot, entry, event, scores);
   }
   void Finalize() { *fDone = true; }
   std::shared_ptr<bool> GetResultPtr() const { return fDone; }
   std::string GetActionName() const { return "CollectEntries"; }
};

} // namespace graph
