// The event loop, selection and collection of rows; see graph.hxx.
#include "graph.hxx"

#include "event_loop.hxx"
#include "fields.hxx"
#include "rows.hxx"

#include <cmath>
#include <utility>
#include <variant>

namespace graph {

RNode open(const std::string &tree, const Names &files)
{
   return ROOT::RDataFrame(tree, files);
}

struct EventLoop::State {
   stopwatch::Stopwatch watch;
   event_loop::EventLoop loop;
   explicit State(unsigned int slots) : watch(slots), loop(slots) {}
};

EventLoop::EventLoop(unsigned int slots) : fState(std::make_shared<State>(slots)) {}

EventLoop::~EventLoop()
{
   fState->loop.stop(); // in case it runs still
   fState->loop.join();
}

RNode EventLoop::begin(RNode head, const std::string &name, unsigned int first, unsigned int last)
{
   RNode events = first == last ? head : RNode(head.Range(first, last));
   const auto tick = [state = fState](unsigned int slot) {
      state->watch.mark(slot, stopwatch::kWriting); // of the event before
      return state->loop.tick(slot);
   };
   return events.Filter(tick, {"rdfslot_"}, name);
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
   return fState->watch.seconds(stage);
}

stopwatch::Stopwatch *EventLoop::watch() const
{
   return &fState->watch;
}

Cutflow::Cutflow(RNode events) : fReport(events.Report()) {}

RResultHandle Cutflow::booked() const
{
   return fReport;
}

Names Cutflow::names() const
{
   Names names;
   auto report = fReport;
   for (const auto &cut : *report)
      names.push_back(cut.GetName());
   return names;
}

std::vector<unsigned long long> Cutflow::passed() const
{
   std::vector<unsigned long long> passed;
   auto report = fReport;
   for (const auto &cut : *report)
      passed.push_back(cut.GetPass());
   return passed;
}

RNode select_finite(RNode events, unsigned int features, const std::string &name)
{
   const auto finite = [features](const recorded::Event &event) {
      bool all = true;
      for (unsigned int i = 0; i < features; ++i)
         all &= std::isfinite(event.values[i]);
      return all;
   };
   return events.Filter(finite, {kEvent}, name);
}

namespace {

// Counts, slot by slot, the features that are not finite.
class CountNonFinite : public ROOT::Detail::RDF::RActionImpl<CountNonFinite> {
public:
   using Result_t = std::vector<unsigned long long>;

private:
   std::shared_ptr<Result_t> fResult;
   std::vector<Result_t> fSlots;

public:
   CountNonFinite(std::shared_ptr<Result_t> result, unsigned int slots)
      : fResult(std::move(result)), fSlots(slots, Result_t(fResult->size()))
   {
   }
   CountNonFinite(CountNonFinite &&) = default;
   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, const recorded::Event &event)
   {
      auto &counts = fSlots[slot];
      for (std::size_t i = 0; i < counts.size(); ++i)
         counts[i] += !std::isfinite(event.values[i]);
   }
   void Finalize()
   {
      for (const auto &counts : fSlots)
         for (std::size_t i = 0; i < counts.size(); ++i)
            (*fResult)[i] += counts[i];
   }
   std::shared_ptr<Result_t> GetResultPtr() const { return fResult; }
   std::string GetActionName() const { return "CountNonFinite"; }
};

} // namespace

NonFinite::NonFinite(RNode events, unsigned int features, unsigned int slots)
   : fCounts(std::make_shared<std::vector<unsigned long long>>(features)),
     fResult(events.Book<recorded::Event>(CountNonFinite(fCounts, slots), {kEvent}))
{
}

RResultHandle NonFinite::booked() const
{
   return fResult;
}

std::vector<unsigned long long> NonFinite::counts() const
{
   return *fCounts;
}

struct Rows::State {
   std::variant<rows::AllRows, rows::SampledRows, rows::TopRows> rows;
   std::vector<fields::Field> fields;
   bool with_row;
   struct alignas(64) Slot {
      rows::Ids ids;
      rows::Values values;
      unsigned long long seen = 0;
   };
   std::vector<Slot> slots;

   template <typename Kind>
   State(Kind kind, unsigned int n_slots, const Names &names, bool row)
      : rows(std::move(kind)), with_row(row), slots(n_slots)
   {
      for (const auto &name : names)
         fields.emplace_back(name);
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

namespace {

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

} // namespace

Rows Rows::all(unsigned int slots, const Names &fields, bool with_row)
{
   Rows made;
   made.fState =
      std::make_shared<State>(rows::AllRows(slots, with_row ? 4 : 3, fields.size()), slots, fields, with_row);
   return made;
}

Rows Rows::sampled(unsigned int slots, const Names &fields, bool with_row, unsigned long long size,
                   unsigned long long seed)
{
   Rows made;
   made.fState = std::make_shared<State>(rows::SampledRows(slots, size, seed), slots, fields, with_row);
   return made;
}

Rows Rows::top(unsigned int slots, const Names &fields, unsigned long long size, unsigned int key)
{
   Rows made;
   made.fState = std::make_shared<State>(rows::TopRows(slots, size, key), slots, fields, false);
   return made;
}

RResultHandle Rows::book(RNode events, bool scored)
{
   if (scored)
      return events.Book<recorded::Event, scoring::Scores>(CollectRows<State, scoring::Scores>(fState),
                                                           {kEvent, kScores});
   return events.Book<recorded::Event>(CollectRows<State>(fState), {kEvent});
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
