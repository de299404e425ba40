// Histograms, as the graph fills them; see graph.hxx.
#pragma once

#include "graph/fields.hxx"
#include "graph/graph.hxx"
#include "numerics/exact_sums.hxx"

#include <ROOT/RDF/RActionImpl.hxx>
#include <TH2.h>
#include <TProfile2D.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graph {

// Unnamed: only graph_scores.cxx fills histograms, and so the compiler knows that nobody else calls any of it.
namespace {

struct Fill {
   Fields of;          // one or two
   std::size_t number; // of the histogram
   bool weighted;      // where the events have weights
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
   bool weighted; // where the events have weights
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

std::size_t Plan::number_of(const TH1 &histogram)
{
   empty.push_back(copy(histogram));
   return empty.size() - 1;
}

// Histograms, with the low words of their double-double sums; null for histograms that count.
struct Filled {
   std::vector<std::shared_ptr<TH1>> histograms, remainders;
};

// Call a function with each selection that an event belongs to.
template <typename Function>
void for_selections(const recorded::Event &event, const scoring::Scores &scores, const Function &call)
{
   call(Histograms::kAll);
   call(scores.flagged ? Histograms::kAnomalous : Histograms::kNormal);
   if (event.label == 1)
      call(Histograms::kSignal);
   else if (event.label == 0)
      call(Histograms::kBackground);
}

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
   stopwatch::Stopwatch *fStopwatch;

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
                  stopwatch::Stopwatch *stopwatch)
      : fPlan(std::move(plan)), fResult(std::move(result)), fSlots(slots), fStopwatch(stopwatch)
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
      if (fStopwatch)
         fStopwatch->mark(slot, stopwatch::kWriting); // by what was booked before
      for_selections(event, scores, [&](int selection) { fill(fSlots[slot], selection, event, scores); });
      if (fStopwatch)
         fStopwatch->mark(slot, stopwatch::kHistograms);
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
      *made = {}; // it came with the histograms of the nominal result
      return {fPlan, made, static_cast<unsigned int>(fSlots.size()), fStopwatch};
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

} // namespace graph
