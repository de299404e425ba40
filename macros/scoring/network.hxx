// A trained detector's network as the event loop sees it. Without any header of ROOT, so that it compiles in a second.
#pragma once

namespace scoring {

// It keeps its intermediate results in members: each slot of an event loop has one of its own.
struct Network {
   virtual ~Network() = default;
   // Anomaly score of one event; higher is more anomalous.
   virtual float score(const float *features) = 0;
};

using MakeNetwork = Network *(const char *weights);

} // namespace scoring
