// What the detectors say of an event.
#pragma once

#include <cstddef>

namespace scoring {

constexpr std::size_t kMaxDetectors = 16;

struct Scores {
   float score[kMaxDetectors]; // higher is more anomalous
   float rank[kMaxDetectors];  // fraction of the training events that are less anomalous
   bool flag[kMaxDetectors];   // score above the threshold
   int fold;                   // of the event; 0 without folds
   int votes;                  // flags of the ensemble's detectors
   float ensemble;             // mean rank of the ensemble's detectors
   bool flagged;               // as many votes as it takes, or more
};

} // namespace scoring
