// Histograms and sums of events that have weights, as the graph fills them; graph_scores.cxx alone includes this, see graph.hxx.
//
// Each content of a bin is a sum of real numbers here, and is kept as an exact one; so is the sum of the squares, from which
// the content's error follows.
#pragma once

#include "graph/graph_histograms.hxx"

#include <cmath>

namespace graph {

namespace {

// Of the events that come to a node.
struct WeightSum {
   exact_sums::Sums sums{2}; // of weights, and of their squares
   unsigned long long negative = 0, not_finite = 0;

   void add(double weight)
   {
      if (!std::isfinite(weight)) {
         ++not_finite;
         return;
      }
      sums.add(0, weight);
      sums.add(1, exact_sums::rounded(weight * weight));
      negative += weight < 0;
   }

   void add(const WeightSum &other)
   {
      sums.add(other.sums);
      negative += other.negative;
      not_finite += other.not_finite;
   }
};

class SumWeights : public ROOT::Detail::RDF::RActionImpl<SumWeights> {
public:
   using Result_t = WeightSum;

private:
   struct alignas(64) Slot {
      WeightSum sum;
   };
   std::shared_ptr<WeightSum> fResult;
   std::vector<Slot> fSlots;

public:
   SumWeights(std::shared_ptr<WeightSum> result, unsigned int slots) : fResult(std::move(result)), fSlots(slots) {}
   SumWeights(SumWeights &&) = default;
   void Initialize() {}
   void InitTask(TTreeReader *, unsigned int) {}
   void Exec(unsigned int slot, double weight) { fSlots[slot].sum.add(weight); }
   void Finalize()
   {
      for (const auto &slot : fSlots)
         fResult->add(slot.sum);
   }
   std::shared_ptr<WeightSum> GetResultPtr() const { return fResult; }
   std::string GetActionName() const { return "SumWeights"; }
};

class FillWeighted : public ROOT::Detail::RDF::RActionImpl<FillWeighted> {
public:
   using Result_t = Filled;

private:
   // Sums of what is filled to a histogram, and of its squares, one a bin; for means also the sums of the weights.
   struct Sums {
      exact_sums::Sums contents, squares, weights, squared_weights;
      double entries = 0;

      void add(std::size_t bin, double content)
      {
         contents.add(bin, content);
         squares.add(bin, exact_sums::rounded(content * content));
      }

      void add(const Sums &other)
      {
         contents.add(other.contents);
         squares.add(other.squares);
         weights.add(other.weights);
         squared_weights.add(other.squared_weights);
         entries += other.entries;
      }
   };
   struct alignas(64) Slot {
      std::vector<Sums> sums; // of each histogram
      std::vector<double> x;
   };
   std::shared_ptr<const Plan> fPlan;
   std::shared_ptr<Filled> fResult;
   std::vector<Slot> fSlots;
   stopwatch::Stopwatch *fStopwatch;

   void fill(Slot &slot, int selection, const recorded::Event &event, const scoring::Scores &scores)
   {
      for (const auto &fill : fPlan->fills[selection]) {
         const auto x = [&](std::size_t i) -> double { return fill.of[i].of(event, scores); };
         const auto &axes = *fPlan->empty[fill.number];
         auto &sums = slot.sums[fill.number];
         const int bin = fill.of.size() == 1 ? axes.FindFixBin(x(0)) : axes.FindFixBin(x(0), x(1));
         sums.add(bin, fill.weighted ? event.weight : 1.);
         ++sums.entries;
      }
      for (const auto &mean : fPlan->means[selection]) {
         const auto x = [&](std::size_t i) -> double { return mean.of[i].of(event, scores); };
         auto &sums = slot.sums[mean.number];
         const int bin = fPlan->empty[mean.number]->FindFixBin(x(0), x(1));
         const double content = exact_sums::rounded(event.weight * x(2));
         sums.contents.add(bin, content);
         sums.squares.add(bin, exact_sums::rounded(content * x(2))); // as a TProfile2D has it
         sums.weights.add(bin, event.weight);
         sums.squared_weights.add(bin, exact_sums::rounded(event.weight * event.weight));
         ++sums.entries;
      }
      for (const auto &products : fPlan->products[selection]) {
         slot.x.clear();
         if (products.with_one)
            slot.x.push_back(1.);
         for (const auto &field : products.of)
            slot.x.push_back(field.of(event, scores));
         auto &sums = slot.sums[products.number];
         const auto &matrix = *fPlan->empty[products.number];
         const double weight = products.weighted ? event.weight : 1.;
         for (std::size_t i = 0; i < slot.x.size(); ++i)
            for (std::size_t j = 0; j < slot.x.size(); ++j)
               sums.add(matrix.GetBin(i + 1, j + 1), exact_sums::rounded(weight * (slot.x[i] * slot.x[j])));
         ++sums.entries;
      }
   }

public:
   FillWeighted(std::shared_ptr<const Plan> plan, std::shared_ptr<Filled> result, unsigned int slots,
                stopwatch::Stopwatch *stopwatch)
      : fPlan(std::move(plan)), fResult(std::move(result)), fSlots(slots), fStopwatch(stopwatch)
   {
      for (auto &slot : fSlots)
         for (const auto &empty : fPlan->empty) {
            const exact_sums::Sums none(empty->GetNcells()), of_means(is_mean(*empty) ? empty->GetNcells() : 0);
            slot.sums.push_back({none, none, of_means, of_means});
         }
   }
   FillWeighted(FillWeighted &&) = default;
   FillWeighted(const FillWeighted &) = delete;

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
      auto &all = fSlots[0].sums;
      for (std::size_t slot = 1; slot < fSlots.size(); ++slot)
         for (std::size_t i = 0; i < all.size(); ++i)
            all[i].add(fSlots[slot].sums[i]);
      for (std::size_t i = 0; i < all.size(); ++i) {
         fResult->histograms.push_back(made(i, false));
         fResult->remainders.push_back(made(i, true));
      }
   }
   std::shared_ptr<Filled> GetResultPtr() const { return fResult; }
   std::string GetActionName() const { return "FillWeighted"; }
   FillWeighted MakeNew(void *result, std::string_view = "nominal")
   {
      auto &made = *static_cast<std::shared_ptr<Filled> *>(result);
      *made = {}; // it came with the histograms of the nominal result
      return {fPlan, made, static_cast<unsigned int>(fSlots.size()), fStopwatch};
   }

private:
   static bool is_mean(const TH1 &histogram) { return dynamic_cast<const TProfile2D *>(&histogram); }

   // A histogram with its sums, or with what rounding left of them.
   std::shared_ptr<TH1> made(std::size_t number, bool remainders) const
   {
      auto histogram = copy(*fPlan->empty[number]);
      if (remainders)
         histogram->SetTitle("What rounding left of sums");
      const auto &sums = fSlots[0].sums[number];
      const auto set = [remainders](TArrayD &contents, const exact_sums::Sums &of_bins) {
         for (std::size_t bin = 0; bin < of_bins.size(); ++bin)
            contents.SetAt(remainders ? of_bins.remainder(bin) : of_bins.value(bin), bin);
      };
      histogram->Sumw2();
      set(dynamic_cast<TArrayD &>(*histogram), sums.contents); // a profile's SetBinContent is of another meaning
      set(*histogram->GetSumw2(), sums.squares);
      if (auto *mean = dynamic_cast<TProfile2D *>(histogram.get())) {
         for (std::size_t bin = 0; bin < sums.weights.size(); ++bin) // which sets the square too
            mean->SetBinEntries(bin, remainders ? sums.weights.remainder(bin) : sums.weights.value(bin));
         set(*mean->GetBinSumw2(), sums.squared_weights);
      }
      if (!remainders) {
         histogram->ResetStats();
         histogram->SetEntries(sums.entries);
      }
      return histogram;
   }
};

} // namespace

struct WeightSums::State {
   unsigned int slots;
   std::vector<std::shared_ptr<WeightSum>> sums;
};

WeightSums::WeightSums(unsigned int slots) : fState(std::make_shared<State>())
{
   fState->slots = slots;
}

RResultHandle WeightSums::add(RNode events)
{
   fState->sums.push_back(std::make_shared<WeightSum>());
   return events.Book<double>(SumWeights(fState->sums.back(), fState->slots), {recorded::kWeight});
}

double WeightSums::sum(std::size_t node, bool squared) const
{
   return fState->sums.at(node)->sums.value(squared);
}

double WeightSums::remainder(std::size_t node, bool squared) const
{
   return fState->sums.at(node)->sums.remainder(squared);
}

unsigned long long WeightSums::negative(std::size_t node) const
{
   return fState->sums.at(node)->negative;
}

unsigned long long WeightSums::not_finite(std::size_t node) const
{
   return fState->sums.at(node)->not_finite;
}

} // namespace graph
