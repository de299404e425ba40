// Scores, histograms, counts, and the events on disk; see graph.hxx.
#include "graph/graph.hxx"

#include "numerics/exact_sums.hxx"
#include "graph/graph_rows.hxx"

#include <ROOT/RDFHelpers.hxx>
#include <TH2.h>
#include <TProfile2D.h>

#include <cmath>
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

RResultHandle Rows::book_scored(RNode events)
{
   return events.Book<recorded::Event, scoring::Scores>(CollectRows<State, scoring::Scores>(fState), {kEvent, kScores});
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
      for (const auto &part : objects) {
         values.push_back(part.size());
         values.insert(values.end(), part.begin(), part.end());
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

RNode define_scores(RNode events, const scoring::Ensemble &ensemble, stopwatch::Stopwatch *watch, const Names &columns,
                    const Fields &of_columns)
{
   const auto score = [ensemble, watch](unsigned int slot, const recorded::Event &event) {
      return ensemble(slot, event.event, event.values, [slot, watch](std::size_t i) {
         if (watch)
            watch->mark(slot, stopwatch::kDetectors + i);
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

namespace {

struct Fill {
   Fields of;          // one or two
   std::size_t number; // of the histogram
};

// Mean of the third field in bins of the first two.
struct Mean {
   Fields of;
   std::size_t number;
};

// Sums of products of pairs of fields, row by row.
struct Products {
   Fields of;
   bool with_one; // field 0 is 1
   std::size_t number;
   std::size_t size() const { return of.size() + with_one; }
};

struct Plan {
   static constexpr std::size_t kSelections = Histograms::kBackground + 1;
   std::vector<std::shared_ptr<TH1>> empty;
   std::size_t number_of(const TH1 &histogram); // under which an empty copy of it is kept
   std::vector<Fill> fills[kSelections];
   std::vector<Mean> means[kSelections];
   std::vector<Products> products[kSelections];
};

std::shared_ptr<TH1> copy(const TH1 &histogram)
{
   std::shared_ptr<TH1> made(static_cast<TH1 *>(histogram.Clone()));
   made->SetDirectory(nullptr);
   return made;
}

// Histograms, with the low words of their double-double sums; null for histograms that count.
struct Filled {
   std::vector<std::shared_ptr<TH1>> histograms, remainders;
};

class FillHistograms : public ROOT::Detail::RDF::RActionImpl<FillHistograms> {
public:
   using Result_t = Filled;

private:
   struct alignas(64) Slot {
      std::vector<std::shared_ptr<TH1>> histograms;
      std::vector<exact_sums::Sums> sums, squares; // of a mean or of products, one a bin
      std::vector<std::vector<double>> entries;    // of each bin of a mean, or of all products
      std::vector<double> x, products;
   };
   std::shared_ptr<const Plan> fPlan;
   std::shared_ptr<Filled> fResult;
   std::vector<Slot> fSlots;
   stopwatch::Stopwatch *fWatch;

   void fill(Slot &slot, int selection, const recorded::Event &event, const scoring::Scores &scores)
   {
      for (const auto &fill : fPlan->fills[selection]) {
         auto &histogram = *slot.histograms[fill.number];
         const auto x = [&](std::size_t i) { return fill.of[i].of(event, scores); };
         if (fill.of.size() == 1)
            histogram.Fill(x(0));
         else
            static_cast<TH2 &>(histogram).Fill(x(0), x(1));
      }
      for (const auto &mean : fPlan->means[selection]) {
         const auto x = [&](std::size_t i) -> double { return mean.of[i].of(event, scores); };
         const int bin = slot.histograms[mean.number]->FindFixBin(x(0), x(1));
         slot.sums[mean.number].add(bin, x(2));
         slot.squares[mean.number].add(bin, x(2) * x(2)); // exact: x is a float32
         ++slot.entries[mean.number][bin];
      }
      for (const auto &products : fPlan->products[selection]) {
         slot.x.clear();
         if (products.with_one)
            slot.x.push_back(1.);
         for (const auto &field : products.of)
            slot.x.push_back(field.of(event, scores));
         const std::size_t n = slot.x.size();
         slot.products.resize(n);
         ++slot.entries[products.number][0];
         for (std::size_t i = 0; i < n; ++i) { // all pairs, which vector instructions like
            for (std::size_t j = 0; j < n; ++j)
               slot.products[j] = slot.x[i] * slot.x[j];
            slot.sums[products.number].add(slot.products, i * n);
            for (auto &product : slot.products)
               product *= product;
            slot.squares[products.number].add(slot.products, i * n);
         }
      }
   }

public:
   FillHistograms(std::shared_ptr<const Plan> plan, std::shared_ptr<Filled> result, unsigned int slots,
                  stopwatch::Stopwatch *watch)
      : fPlan(std::move(plan)), fResult(std::move(result)), fSlots(slots), fWatch(watch)
   {
      for (auto &slot : fSlots) {
         for (const auto &empty : fPlan->empty)
            slot.histograms.push_back(copy(*empty));
         slot.sums.resize(fPlan->empty.size());
         slot.entries.resize(fPlan->empty.size());
         for (const auto &of_selection : fPlan->means) {
            for (const auto &mean : of_selection) {
               const std::size_t bins = fPlan->empty[mean.number]->GetNcells();
               slot.sums[mean.number] = exact_sums::Sums(bins);
               slot.entries[mean.number].resize(bins);
            }
         }
         for (const auto &of_selection : fPlan->products)
            for (const auto &products : of_selection) {
               slot.sums[products.number] = exact_sums::Sums(products.size() * products.size());
               slot.entries[products.number].resize(1);
            }
         slot.squares = slot.sums;
      }
   }
   FillHistograms(FillHistograms &&) = default;
   FillHistograms(const FillHistograms &) = delete;

   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, const recorded::Event &event, const scoring::Scores &scores)
   {
      if (fWatch)
         fWatch->mark(slot, stopwatch::kWriting); // by what was booked before
      fill(fSlots[slot], Histograms::kAll, event, scores);
      fill(fSlots[slot], scores.flagged ? Histograms::kAnomalous : Histograms::kNormal, event, scores);
      if (event.label == 1)
         fill(fSlots[slot], Histograms::kSignal, event, scores);
      else if (event.label == 0)
         fill(fSlots[slot], Histograms::kBackground, event, scores);
      if (fWatch)
         fWatch->mark(slot, stopwatch::kHistograms);
   }
   void Finalize()
   {
      auto &all = fSlots[0];
      for (std::size_t slot = 1; slot < fSlots.size(); ++slot) {
         for (std::size_t i = 0; i < all.histograms.size(); ++i) {
            all.histograms[i]->Add(fSlots[slot].histograms[i].get());
            all.sums[i].add(fSlots[slot].sums[i]);
            all.squares[i].add(fSlots[slot].squares[i]);
            for (std::size_t bin = 0; bin < all.entries[i].size(); ++bin)
               all.entries[i][bin] += fSlots[slot].entries[i][bin];
         }
      }
      fResult->histograms = all.histograms;
      fResult->remainders.resize(all.histograms.size());
      for (const auto &of_selection : fPlan->means)
         for (const auto &mean : of_selection)
            set_mean(mean.number);
      for (const auto &of_selection : fPlan->products)
         for (const auto &products : of_selection)
            set_products(products);
   }
   std::shared_ptr<Filled> GetResultPtr() const { return fResult; }
   std::string GetActionName() const { return "FillHistograms"; }
   FillHistograms MakeNew(void *result, std::string_view = "nominal")
   {
      auto &made = *static_cast<std::shared_ptr<Filled> *>(result);
      *made = {}; // those of the nominal result
      return {fPlan, made, static_cast<unsigned int>(fSlots.size()), fWatch};
   }

private:
   // Write sum i to bin `bin` of a histogram and of its remainders.
   void set_bin(std::size_t number, std::size_t i, int bin) const
   {
      const auto &sums = fSlots[0].sums[number], &squares = fSlots[0].squares[number];
      auto &histogram = *fResult->histograms[number], &rest = *fResult->remainders[number];
      dynamic_cast<TArrayD &>(histogram).SetAt(sums.value(i), bin); // a profile's SetBinContent is of another meaning
      histogram.GetSumw2()->SetAt(squares.value(i), bin);
      rest.SetBinContent(bin, sums.remainder(i));
      rest.GetSumw2()->SetAt(squares.remainder(i), bin);
   }

   // An empty histogram of the same bins.
   void add_remainders(std::size_t number) const
   {
      const auto &like = *fResult->histograms[number];
      auto made = std::make_shared<TH2D>();
      made->SetDirectory(nullptr);
      made->SetNameTitle(like.GetName(), "What rounding left of sums");
      const auto &x = *like.GetXaxis(), &y = *like.GetYaxis();
      made->SetBins(x.GetNbins(), x.GetXmin(), x.GetXmax(), y.GetNbins(), y.GetXmin(), y.GetXmax());
      made->Sumw2();
      fResult->remainders[number] = made;
   }

   void set_mean(std::size_t number) const
   {
      auto &mean = static_cast<TProfile2D &>(*fResult->histograms[number]);
      add_remainders(number);
      double entries = 0;
      for (std::size_t bin = 0; bin < fSlots[0].entries[number].size(); ++bin) {
         set_bin(number, bin, bin);
         mean.SetBinEntries(bin, fSlots[0].entries[number][bin]);
         entries += fSlots[0].entries[number][bin];
      }
      mean.ResetStats();
      mean.SetEntries(entries);
   }

   void set_products(const Products &products) const
   {
      const std::size_t n = products.size();
      auto &matrix = *fResult->histograms[products.number];
      matrix.Sumw2();
      add_remainders(products.number);
      for (std::size_t i = 0; i < n; ++i)
         for (std::size_t j = 0; j < n; ++j)
            set_bin(products.number, i * n + j, matrix.GetBin(i + 1, j + 1));
      matrix.ResetStats();
      matrix.SetEntries(fSlots[0].entries[products.number][0]);
   }
};

} // namespace

struct Histograms::State {
   std::shared_ptr<Plan> plan = std::make_shared<Plan>();
   std::optional<ROOT::RDF::RResultPtr<Filled>> result;
   std::optional<ROOT::RDF::Experimental::RResultMap<Filled>> varied;
   const Filled &of(const std::string &variation);
};

Histograms::Histograms() : fState(std::make_shared<State>()) {}

std::size_t Plan::number_of(const TH1 &histogram)
{
   empty.push_back(copy(histogram));
   return empty.size() - 1;
}

std::size_t Histograms::add_counts(const TH1 &empty, const Fields &fields, Selection selection)
{
   if (fields.size() != 1 && fields.size() != 2)
      throw std::invalid_argument("a histogram counts one field, or pairs of two");
   const auto number = fState->plan->number_of(empty);
   fState->plan->fills[selection].push_back({fields, number});
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

std::size_t Histograms::add_products(const TH1 &empty, const Fields &fields, bool with_one, Selection selection)
{
   const auto number = fState->plan->number_of(empty);
   fState->plan->products[selection].push_back({fields, with_one, number});
   return number;
}

RResultHandle Histograms::book(RNode events, unsigned int slots, bool varied, stopwatch::Stopwatch *watch)
{
   auto filled = std::make_shared<Filled>();
   fState->result = events.Book<recorded::Event, scoring::Scores>(FillHistograms(fState->plan, filled, slots, watch),
                                                                  {kEvent, kScores});
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
