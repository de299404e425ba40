// What the first event loop of a run is made of: the loop itself, the selection, the rows; see graph.hxx.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O1") // nothing here takes time in an event, and a user's first run waits for it
#endif
#include "graph/graph.hxx"

#include "sources/baskets.hxx"
#include "sources/entry_numbers.hxx"
#include "execution/event_loop.hxx"
#include "graph/graph_rows.hxx"

#include <cmath>
#include <memory>
#include <stdexcept>
#include <utility>

namespace graph {

RNode open(const std::string &tree, const Names &files)
{
   return ROOT::RDataFrame(tree, files);
}

void check_baskets(const std::string &file, const std::string &tree, const Names &columns)
{
   const std::unique_ptr<TFile> opened(TFile::Open(file.c_str()));
   if (!opened)
      throw std::runtime_error("cannot be opened");
   if (auto *events = opened->Get<TTree>(tree.c_str()))
      baskets::check(*events, columns);
}

RNode number_entries(RNode head, const Names &files, const std::vector<unsigned long long> &first,
                     const std::string &column)
{
   const auto numbers = std::make_shared<entry_numbers::EntryNumbers>(head.GetNSlots(), files, first);
   const auto begin = [numbers](unsigned int slot, const ROOT::RDF::RSampleInfo &range) {
      return numbers->begin(slot, range);
   };
   const auto note = [numbers](bool begun, unsigned int slot, ULong64_t entry) {
      return begun && numbers->note(slot, entry);
   };
   const auto number = [numbers](unsigned int slot, ULong64_t entry) { return numbers->number(slot, entry); };
   const Names place{"rdfslot_", "rdfentry_"};
   const RNode events =
      head.DefinePerSample("part_begun", begin).Filter(note, {"part_begun", "rdfslot_", "rdfentry_"});
   // Converted tables have rows of their own, each from 0.
   return head.HasColumn(column) ? RNode(RNode(events).Redefine(column, number, place))
                                 : RNode(RNode(events).Define(column, number, place));
}

struct EventLoop::State {
   stopwatch::Stopwatch stage_times;
   event_loop::EventLoop loop;
   explicit State(unsigned int slots) : stage_times(slots), loop(slots) {}
};

EventLoop::EventLoop(unsigned int slots) : fState(std::make_shared<State>(slots)) {}

EventLoop::~EventLoop()
{
   fState->loop.end(); // in case it runs still
}

RNode EventLoop::begin_range(RNode head, const std::string &name, unsigned int first, unsigned int last)
{
   return begin(head.Range(first, last), name);
}

RNode EventLoop::begin(RNode head, const std::string &name)
{
   const auto tick = [state = fState](unsigned int slot) {
      state->stage_times.begin(slot);
      return state->loop.tick(slot);
   };
   return head.Filter(tick, {"rdfslot_"}, name);
}

void EventLoop::start(const Results &results)
{
   fState->loop.start(results);
}

bool EventLoop::wait(unsigned int milliseconds)
{
   return fState->loop.wait(milliseconds);
}

void EventLoop::stop()
{
   fState->loop.stop();
}

unsigned long long EventLoop::events() const
{
   return fState->loop.events();
}

double EventLoop::seconds_before_first_event() const
{
   return fState->loop.seconds_before_first_event();
}

double EventLoop::seconds_in_all() const
{
   return fState->loop.seconds_in_all();
}

double EventLoop::seconds_of(std::size_t stage) const
{
   return fState->stage_times.seconds(stage);
}

stopwatch::Stopwatch *EventLoop::get_stopwatch() const
{
   return &fState->stage_times;
}

RNode select_certified(RNode events, const certified_runs::CertifiedRuns &list, const std::string &section,
                       const std::string &name)
{
   struct alignas(64) Slot {
      certified_runs::Span last;
   };
   struct State {
      certified_runs::CertifiedRuns list;
      std::vector<Slot> slots;
   };
   const auto state = std::make_shared<State>(State{list, std::vector<Slot>(events.GetNSlots())});
   const auto is_certified = [state](unsigned int slot, unsigned long long place) {
      auto &last = state->slots[slot].last;
      if (!last.holds(place))
         last = state->list.around(place);
      return last.certified;
   };
   return events.Filter(is_certified, {"rdfslot_", section}, name);
}

RNode select_passed(RNode events, unsigned int cut, const std::string &passed, const std::string &name)
{
   return events.Filter([cut](unsigned int cuts) { return cuts > cut; }, {passed}, name);
}

RNode select_finite(RNode events, unsigned int features, const std::string &name, bool weighted)
{
   if (weighted)
      events = events.Filter([](const recorded::Event &event) { return std::isfinite(event.weight); }, {kEvent});
   const auto finite = [features](const recorded::Event &event) {
      bool all = true;
      for (unsigned int i = 0; i < features; ++i)
         all &= std::isfinite(event.values[i]);
      return all;
   };
   return events.Filter(finite, {kEvent}, name);
}

Rows Rows::all(unsigned int slots, const Fields &fields, bool with_row)
{
   Rows made;
   made.fState =
      std::make_shared<State>(rows::AllRows(slots, with_row ? 4 : 3, fields.size()), slots, fields, with_row);
   return made;
}

Rows Rows::sampled(unsigned int slots, const Fields &fields, bool with_row, unsigned long long size,
                   unsigned long long seed)
{
   Rows made;
   made.fState = std::make_shared<State>(rows::SampledRows(slots, size, seed), slots, fields, with_row);
   return made;
}

Rows Rows::top(unsigned int slots, const Fields &fields, unsigned long long size, unsigned int key)
{
   Rows made;
   made.fState = std::make_shared<State>(rows::TopRows(slots, size, key), slots, fields, false);
   return made;
}

RResultHandle Rows::book(RNode events)
{
   return events.Book<recorded::Event>(CollectRows<State>(fState), {kEvent});
}

void Rows::add(const std::uint64_t *ids, const float *values, unsigned long long size)
{
   auto &slot = fState->slots[0];
   const std::size_t n_ids = fState->with_row ? 4 : 3, n_values = fState->fields.size();
   for (unsigned long long i = 0; i < size; ++i, ids += n_ids, values += n_values) {
      slot.ids.assign(ids, ids + n_ids);
      slot.values.assign(values, values + n_values);
      std::visit([&slot](auto &kind) { kind.add(0, slot.ids, slot.values); }, fState->rows);
   }
}

unsigned long long Rows::seen() const
{
   unsigned long long sum = 0;
   for (const auto &slot : fState->slots)
      sum += slot.seen;
   return sum;
}

unsigned long long Rows::size() const
{
   return std::visit([](const auto &kind) -> unsigned long long { return kind.size(); }, fState->rows);
}

void Rows::copy(std::uint64_t *ids, float *values) const
{
   std::visit([=](const auto &kind) { kind.copy(ids, values); }, fState->rows);
}

} // namespace graph
