// Scores, histograms, counts, and the events on disk; see graph.hxx.
#include "graph/graph.hxx"

#include "graph/graph_histograms.hxx"
#include "graph/graph_rows.hxx"
#include "graph/graph_shares.hxx"
#include "weights/weighted.hxx"

#include <ROOT/RDFHelpers.hxx>
#include <ROOT/RNTupleReader.hxx>
#include <ROOT/RNTupleView.hxx>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <utility>

namespace graph {

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

struct Shares::State {
   ROOT::RDF::RResultPtr<CountedShares> result;
};

Shares::Shares(RNode events, unsigned int slots, unsigned int group)
   : fState(std::make_shared<State>(
        State{events.Book<recorded::Event, scoring::Scores>(CountShares(slots, group), {kEvent, kScores})}))
{
}

RResultHandle Shares::booked() const
{
   return fState->result;
}

std::vector<std::vector<unsigned long long>> Shares::runs() const
{
   return fState->result->runs.rows();
}

std::vector<std::vector<unsigned long long>> Shares::groups() const
{
   return fState->result->groups.rows();
}

std::vector<std::vector<unsigned long long>> Shares::directions() const
{
   return {fState->result->directions.all, fState->result->directions.flagged};
}

RResultHandle Rows::book_scored(RNode events)
{
   return events.Book<recorded::Event, scoring::Scores>(CollectRows<State, scoring::Scores>(fState), {kEvent, kScores});
}

Entries::Entries(unsigned int slots, const Fields &fields, bool flagged)
   : fState(std::make_shared<State>(slots, fields, flagged))
{
}

RResultHandle Entries::book(RNode events, const std::string &entry)
{
   return events.Book<unsigned long long, recorded::Event, scoring::Scores>(CollectEntries<State>(fState),
                                                                            {entry, kEvent, kScores});
}

unsigned long long Entries::size() const
{
   return fState->rows.size();
}

void Entries::copy(std::uint64_t *entries, float *values) const
{
   fState->rows.copy(entries, values);
}

unsigned long long
write_picks(const std::string &table, const std::string &events, const std::string &path, bool with_blocks)
{
   const auto reader = ROOT::RNTupleReader::Open(table, events);
   auto run = reader->GetView<std::uint32_t>("run");
   auto block = reader->GetView<std::uint32_t>("luminosityBlock");
   auto event = reader->GetView<std::uint64_t>("event");
   auto flagged = reader->GetView<bool>("flag_ensemble");
   std::vector<std::array<std::uint64_t, 3>> picked;
   for (const auto i : *reader)
      if (flagged(i))
         picked.push_back({run(i), with_blocks ? block(i) : 0, event(i)});
   std::sort(picked.begin(), picked.end());
   std::ofstream file(path);
   for (const auto &[of_run, of_block, of_event] : picked) {
      file << of_run << ':';
      if (with_blocks)
         file << of_block << ':';
      file << of_event << '\n';
   }
   file.close();
   if (!file)
      throw std::runtime_error("cannot be written whole");
   return picked.size();
}

struct TopObjects::State {
   Fields key;
   rows::TopRows rows;
   struct alignas(64) Slot {
      rows::Values values;
   };
   std::vector<Slot> slots;

   State(unsigned int n_slots, const Fields &of_key, unsigned long long size)
      : key(of_key), rows(n_slots, size, of_key.size()), slots(n_slots)
   {
   }

   rows::Values &key_of(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores)
   {
      auto &values = slots[slot].values;
      values.clear();
      for (const auto &field : key)
         values.push_back(field.of(event, scores));
      return values;
   }

   bool takes(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores)
   {
      return rows.takes(slot, key_of(slot, event, scores));
   }

   void add(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores,
            const recorded::Objects &objects)
   {
      auto &values = key_of(slot, event, scores);
      for (const auto &attribute : objects) {
         values.push_back(attribute.size());
         values.insert(values.end(), attribute.begin(), attribute.end());
      }
      rows.add(slot, {event.run, event.luminosityBlock, event.event}, values);
   }
};

namespace {

// Hands the objects of events to TopObjects.
template <typename State>
class CollectObjects : public ROOT::Detail::RDF::RActionImpl<CollectObjects<State>> {
   std::shared_ptr<State> fState;
   std::shared_ptr<bool> fDone = std::make_shared<bool>(false);

public:
   using Result_t = bool;
   explicit CollectObjects(std::shared_ptr<State> state) : fState(std::move(state)) {}
   CollectObjects(CollectObjects &&) = default;
   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores,
             const recorded::Objects &objects)
   {
      fState->add(slot, event, scores, objects);
   }
   void Finalize() { *fDone = true; }
   std::shared_ptr<bool> GetResultPtr() const { return fDone; }
   std::string GetActionName() const { return "CollectObjects"; }
};

} // namespace

TopObjects::TopObjects(unsigned int slots, const Fields &key, unsigned long long size)
   : fState(std::make_shared<State>(slots, key, size))
{
}

RResultHandle TopObjects::book(RNode events)
{
   const auto takes = [state = fState](unsigned int slot, const recorded::Event &event, const scoring::Scores &scores) {
      return state->takes(slot, event, scores);
   };
   return events.Filter(takes, {"rdfslot_", kEvent, kScores})
      .Book<recorded::Event, scoring::Scores, recorded::Objects>(CollectObjects<State>(fState),
                                                                 {kEvent, kScores, recorded::kObjects});
}

std::vector<std::vector<std::uint64_t>> TopObjects::ids() const
{
   std::vector<std::vector<std::uint64_t>> ids;
   for (const auto *row : fState->rows.first())
      ids.push_back(row->ids);
   return ids;
}

std::vector<std::vector<float>> TopObjects::values() const
{
   std::vector<std::vector<float>> values;
   for (const auto *row : fState->rows.first())
      values.push_back(row->values);
   return values;
}

RNode define_scores(RNode events, const scoring::Ensemble &ensemble, stopwatch::Stopwatch *stopwatch, const Names &columns,
                    const Fields &of_columns)
{
   const auto score = [ensemble, stopwatch](unsigned int slot, const recorded::Event &event) {
      return ensemble(slot, event.event, event.values, [slot, stopwatch](std::size_t i) {
         if (stopwatch)
            stopwatch->mark(slot, stopwatch::kDetectors + i);
      });
   };
   events = events.DefineSlot(kScores, score, {kEvent});
   for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto field = of_columns[i];
      const auto kind = field.kind();
      if (kind == fields::kFlag || kind == fields::kEnsembleFlag)
         events = events.Define(
            columns[i], [field](const scoring::Scores &scores) -> bool { return field.of({}, scores); }, {kScores});
      else if (kind == fields::kVotes || kind == fields::kFold)
         events = events.Define(
            columns[i], [field](const scoring::Scores &scores) -> int { return field.of({}, scores); }, {kScores});
      else
         events = events.Define(
            columns[i], [field](const scoring::Scores &scores) { return field.of({}, scores); }, {kScores});
   }
   return events;
}

RResultHandle book_snapshot(RNode events, const std::string &table, const std::string &path, const Names &columns)
{
   ROOT::RDF::RSnapshotOptions options;
   options.fLazy = true;
   options.fMode = "UPDATE";
   // Small clusters bound what is lost to memory by each thread, and what a nearly full disk has to take at the end.
   options.fApproxZippedClusterSize = 16'000'000;
   options.fMaxUnzippedClusterSize = 32'000'000;
   options.fOutputFormat = ROOT::RDF::ESnapshotOutputFormat::kRNTuple;
   return events.Snapshot(table, path, columns, options);
}

struct Histograms::State {
   std::shared_ptr<Plan> plan = std::make_shared<Plan>();
   std::optional<ROOT::RDF::RResultPtr<Filled>> result;
   std::optional<ROOT::RDF::Experimental::RResultMap<Filled>> varied;
   const Filled &of(const std::string &variation);
};

Histograms::Histograms() : fState(std::make_shared<State>()) {}

std::size_t Histograms::add_counts(const TH1 &empty, const Fields &fields, Selection selection, bool weighted)
{
   if (fields.size() != 1 && fields.size() != 2)
      throw std::invalid_argument("a histogram counts one field, or pairs of two");
   const auto number = fState->plan->number_of(empty);
   fState->plan->fills[selection].push_back({fields, number, weighted});
   return number;
}

std::size_t Histograms::add_means(const TH1 &empty, const Fields &fields, Selection selection)
{
   if (fields.size() != 3)
      throw std::invalid_argument("a mean is that of one field in bins of two");
   const auto number = fState->plan->number_of(empty);
   fState->plan->means[selection].push_back({fields, number});
   return number;
}

std::size_t Histograms::add_products(const TH1 &empty, const Fields &fields, bool with_one, Selection selection,
                                     bool weighted)
{
   const auto number = fState->plan->number_of(empty);
   fState->plan->products[selection].push_back({fields, with_one, number, weighted});
   return number;
}

RResultHandle Histograms::book(RNode events, unsigned int slots, bool varied, stopwatch::Stopwatch *stopwatch,
                               bool weighted)
{
   auto filled = std::make_shared<Filled>();
   const Names columns{kEvent, kScores};
   fState->result =
      weighted
         ? events.Book<recorded::Event, scoring::Scores>(FillWeighted(fState->plan, filled, slots, stopwatch), columns)
         : events.Book<recorded::Event, scoring::Scores>(FillHistograms(fState->plan, filled, slots, stopwatch),
                                                         columns);
   if (varied)
      fState->varied = ROOT::RDF::Experimental::VariationsFor(*fState->result);
   return *fState->result;
}

Names Histograms::variations() const
{
   return fState->varied ? fState->varied->GetKeys() : Names{"nominal"};
}

const Filled &Histograms::State::of(const std::string &variation)
{
   return varied ? (*varied)[variation] : **result;
}

TH1 *Histograms::filled(const std::string &variation, std::size_t number) const
{
   return fState->of(variation).histograms.at(number).get();
}

TH1 *Histograms::remainders(const std::string &variation, std::size_t number) const
{
   return fState->of(variation).remainders.at(number).get();
}

} // namespace graph
