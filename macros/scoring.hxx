// Trained detectors inside the event loop: score, rank and flag of each, and the vote of several.
#pragma once

#include "network.hxx"
#include "scores.hxx"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace scoring {

// A detector, or that of one fold.
class Detector {
   float fThreshold;
   std::vector<float> fTableScores;
   std::vector<float> fTableRanks;
   std::vector<std::shared_ptr<Network>> fNetworks; // one for each slot

public:
   // make: address of a MakeNetwork. weights: file that it reads, here and not again. slots: of the event loops to come.
   // table_scores (ascending) and table_ranks: the rank table.
   Detector(std::uintptr_t make, const std::string &weights, unsigned int slots, float threshold,
            std::vector<float> table_scores, std::vector<float> table_ranks)
      : fThreshold(threshold), fTableScores(std::move(table_scores)), fTableRanks(std::move(table_ranks))
   {
      for (unsigned int slot = 0; slot < slots; ++slot)
         fNetworks.emplace_back(reinterpret_cast<MakeNetwork *>(make)(weights.c_str()));
   }

   float score(unsigned int slot, const float *features) const { return fNetworks[slot]->score(features); }

   // Scores of `events` events that lie one after the other in `features`, for checks outside the event loop.
   void scores(std::size_t events, std::size_t width, const float *features, float *out) const
   {
      for (std::size_t i = 0; i < events; ++i)
         out[i] = score(0, features + i * width);
   }

   bool flag(float score) const { return score > fThreshold; }

   // Fraction of training events that are less anomalous than `score`: exact at the table's points, linear between.
   float rank(float score) const
   {
      // std::lower_bound in steps that are always the same, so that the CPU has nothing to guess.
      std::size_t i = 0;
      for (std::size_t left = fTableScores.size(); left > 0;) {
         const std::size_t half = (left + 1) / 2;
         i = fTableScores[i + half - 1] < score ? i + half : i;
         left -= half;
      }
      if (i == fTableScores.size())
         return 1.f;
      if (i == 0 || fTableScores[i] == score)
         return i == 0 ? 0.f : fTableRanks[i];
      const float fraction = (score - fTableScores[i - 1]) / (fTableScores[i] - fTableScores[i - 1]);
      return fTableRanks[i - 1] + fraction * (fTableRanks[i] - fTableRanks[i - 1]);
   }
};

// Detectors, each with a network for every fold of the events, of which some vote.
class Ensemble {
   struct Entry {
      std::vector<Detector> of_folds;
      bool votes;
   };
   std::vector<Entry> fDetectors;
   std::size_t fFolds;
   int fMinVotes;
   int fVoters = 0;

public:
   // min_votes: flags that flag an event.
   Ensemble(unsigned int folds, int min_votes) : fFolds(folds), fMinVotes(min_votes) {}

   void add(const std::vector<Detector> &of_folds, bool votes)
   {
      if (of_folds.size() != fFolds || fDetectors.size() == kMaxDetectors)
         throw std::invalid_argument("an ensemble has one network a fold, and at most " +
                                     std::to_string(kMaxDetectors) + " detectors");
      fDetectors.push_back({of_folds, votes});
      fVoters += votes;
   }

   std::size_t size() const { return fDetectors.size(); }

   // Scores of an event by the networks of its fold, which were trained on the other folds. `done` is told the number of
   // each detector that has scored.
   template <typename Done>
   Scores operator()(unsigned int slot, unsigned long long event, const float *features, Done done) const
   {
      Scores said;
      said.fold = fFolds > 1 ? static_cast<int>(event % fFolds) : 0;
      said.votes = 0;
      float ranks = 0;
      for (std::size_t i = 0; i < fDetectors.size(); ++i) {
         const auto &detector = fDetectors[i].of_folds[said.fold];
         const float score = detector.score(slot, features);
         said.score[i] = score;
         said.rank[i] = detector.rank(score);
         said.flag[i] = detector.flag(score);
         if (fDetectors[i].votes) {
            said.votes += said.flag[i];
            ranks += said.rank[i];
         }
         done(i);
      }
      said.ensemble = ranks / fVoters;
      said.flagged = said.votes >= fMinVotes;
      return said;
   }
};

} // namespace scoring
