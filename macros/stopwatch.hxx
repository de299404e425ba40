// Where the time of an event loop goes: each slot says, as often as it likes, what it has just done.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace stopwatch {

// Reading a clock of the system would take as long as some of what is measured.
inline std::uint64_t ticks()
{
#if defined(__x86_64__)
   return __rdtsc();
#else
   return std::chrono::steady_clock::now().time_since_epoch().count();
#endif
}

// kWriting is all that is nothing else: what is written and collected. kDetectors + i is the i-th detector.
enum Stage : std::size_t { kWriting, kRead, kColumns, kHistograms, kDetectors };

class Stopwatch {
   using Clock = std::chrono::steady_clock;
   static constexpr std::size_t kStages = 32;
   struct alignas(64) Slot {
      std::uint64_t last = 0;
      std::array<std::uint64_t, kStages> taken{};
   };
   std::vector<Slot> fSlots;
   std::uint64_t fFirstTicks = ticks();
   Clock::time_point fFirst = Clock::now();

public:
   explicit Stopwatch(std::size_t slots) : fSlots(slots) {}

   // Count the time since the slot's last word to a stage.
   void mark(unsigned int slot, std::size_t stage)
   {
      auto &watch = fSlots[slot];
      const auto now = ticks();
      if (watch.last && stage < kStages)
         watch.taken[stage] += now - watch.last;
      watch.last = now;
   }

   // Seconds that a stage took, over all slots; to be asked when the loop has ended.
   double seconds(std::size_t stage) const
   {
      std::uint64_t sum = 0;
      for (const auto &slot : fSlots)
         sum += slot.taken.at(stage);
      const double in_all = std::chrono::duration<double>(Clock::now() - fFirst).count();
      return sum * (in_all / (ticks() - fFirstTicks));
   }
};

} // namespace stopwatch
