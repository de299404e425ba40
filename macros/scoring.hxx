// Trained detectors inside the event loop: score, rank and flag.
//
// A detector's network is a class that SOFIE generated (`Session`), which keeps its intermediate results in members:
// each slot of the event loop has a session of its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace scoring {

template <typename Session>
class Detector {
   float fThreshold;
   std::vector<float> fTableScores;
   std::vector<float> fTableRanks;
   std::vector<std::unique_ptr<Session>> fSessions;

public:
   // weights: the file of weights beside SOFIE's header, read here and not again. slots: of the event loops to come.
   // table_scores (ascending) and table_ranks: the rank table.
   Detector(const std::string &weights, std::size_t slots, float threshold, std::vector<float> table_scores,
            std::vector<float> table_ranks)
      : fThreshold(threshold), fTableScores(std::move(table_scores)), fTableRanks(std::move(table_ranks))
   {
      for (std::size_t slot = 0; slot < slots; ++slot)
         fSessions.push_back(std::make_unique<Session>(weights));
   }

   // Anomaly score of one event; higher is more anomalous.
   float score(unsigned int slot, const float *features) const { return fSessions[slot]->infer(features)[0]; }

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
      const auto above = std::lower_bound(fTableScores.begin(), fTableScores.end(), score);
      if (above == fTableScores.end())
         return 1.f;
      const auto i = above - fTableScores.begin();
      if (i == 0 || *above == score)
         return i == 0 ? 0.f : fTableRanks[i];
      const float fraction = (score - fTableScores[i - 1]) / (fTableScores[i] - fTableScores[i - 1]);
      return fTableRanks[i - 1] + fraction * (fTableRanks[i] - fTableRanks[i - 1]);
   }
};

} // namespace scoring
