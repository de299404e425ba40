// An event in the graph: what names it, and its columns as float32 side by side.
#pragma once

namespace recorded {

// Column that has it.
constexpr const char *kEvent = "recorded_event";

struct Event {
   unsigned long long row = 0; // of the published table; 0 where there is none
   unsigned int run = 0;
   unsigned int luminosityBlock = 0;
   unsigned long long event = 0;
   int label = -1;                // 1 signal, 0 background, -1 neither or unknown
   const float *values = nullptr; // features, and after them what is only recorded; theirs until the slot's next event
};

} // namespace recorded
