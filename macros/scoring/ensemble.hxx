// Trained detectors inside the event loop: score, rank and flag of each, and the vote of several.
#pragma once

#include "scoring/network.hxx"
#include "scoring/scores.hxx"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace scoring {

// A detector, or that of one fold.
class Detector {
   static constexpr std::size_t kBlock = 32;
   float fThreshold;
   std::size_t fTableSize;
   std::vector<float> fTableScores; // and infinities, up to a whole number of blocks
   std::vector<float> fBlockEnds;   // the last score of each block, and infinities likewise
   std::vector<float> fTableRanks;
   std::vector<std::shared_ptr<Network>> fNetworks; // one for each slot

public:
   // make: address of a MakeNetwork. weights: file that it reads, here and not again. slots: of the event loops to come.
   // table_scores (ascending) and table_ranks: the rank table.
   Detector(std::uintptr_t make, const std::string &weights, unsigned int slots, float threshold,
            std::vector<float> table_scores, std::vector<float> table_ranks)
      : fThreshold(threshold), fTableSize(table_scores.size()), fTableScores(std::move(table_scores)),
        fTableRanks(std::move(table_ranks))
   {
      fill_up(fTableScores);
      for (std::size_t end = kBlock; end <= fTableScores.size(); end += kBlock)
         fBlockEnds.push_back(fTableScores[end - 1]);
      fill_up(fBlockEnds);
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
      // How many of the table's scores are less: whole blocks, and what of one block. To count them with vector
      // instructions is several times faster than a binary search, whose every step waits for the one before.
      std::size_t block = 0;
      for (std::size_t k = 0; k < fBlockEnds.size(); k += kBlock)
         block += count_below(score, fBlockEnds.data() + k);
      const std::size_t i =
         block * kBlock == fTableScores.size()
            ? fTableSize
            : block * kBlock + count_below(score, fTableScores.data() + block * kBlock);
      if (i >= fTableSize)
         return 1.f;
      if (i == 0 || fTableScores[i] == score)
         return i == 0 ? 0.f : fTableRanks[i];
      const float fraction = (score - fTableScores[i - 1]) / (fTableScores[i] - fTableScores[i - 1]);
      return fTableRanks[i - 1] + fraction * (fTableRanks[i] - fTableRanks[i - 1]);
   }

private:
   static void fill_up(std::vector<float> &scores)
   {
      scores.resize((scores.size() + kBlock - 1) / kBlock * kBlock, std::numeric_limits<float>::infinity());
   }

   static std::size_t count_below(float score, const float *scores)
   {
      int count = 0;
      for (std::size_t k = 0; k < kBlock; ++k)
         count += scores[k] < score;
      return count;
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
