// Rows, as the graph fills them; see graph.hxx.
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

} // namespace graph
