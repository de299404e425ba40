// Trained detectors inside the event loop: score, rank and the running list of the most anomalous events.
//
// A detector's network is a class that SOFIE generated (`Session`), which keeps its intermediate results in members:
// each slot of the event loop has a session of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <queue>
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

// Keeps, per slot, the keys of the `size` most anomalous events so far. Whoever is among the first `size` of all events
// is among the first `size` of its slot at the time it is seen, so a filter on enters() loses none of them, and lets
// through only about size * log(events / size) others.
template <std::size_t KeyLength>
class RunningTop {
   using Key = std::array<float, KeyLength>;
   struct alignas(64) Slot {
      std::priority_queue<Key, std::vector<Key>, std::greater<Key>> least_first;
   };
   std::size_t fSize;
   std::vector<Slot> fSlots;

public:
   RunningTop(std::size_t size, std::size_t slots) : fSize(size), fSlots(slots) {}

   // Whether an event with this key (compared first element first) belongs to the slot's top so far.
   bool enters(unsigned int slot, const Key &key)
   {
      auto &least_first = fSlots[slot].least_first;
      if (least_first.size() == fSize) {
         if (key < least_first.top())
            return false;
         least_first.pop();
      }
      least_first.push(key);
      return true;
   }
};

} // namespace scoring
