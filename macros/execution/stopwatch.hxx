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

// Looks at the clock during one event of eight, which costs next to nothing and is representative.
class Stopwatch {
   using Clock = std::chrono::steady_clock;
   static constexpr std::size_t kStages = 32;
   static constexpr unsigned int kEvery = 8;
   struct alignas(64) Slot {
      unsigned int events = 0;
      bool running = false;
      std::uint64_t last = 0;
      std::array<std::uint64_t, kStages> taken{};
   };
   std::vector<Slot> fSlots;
   std::uint64_t fFirstTicks = ticks();
   Clock::time_point fFirst = Clock::now();

public:
   explicit Stopwatch(std::size_t slots) : fSlots(slots) {}

   // An event begins in a slot; the time since the last word was that of writing the event before.
   void begin(unsigned int slot)
   {
      auto &timing = fSlots[slot];
      mark(slot, kWriting);
      timing.running = timing.events++ % kEvery == 0;
      if (timing.running)
         timing.last = ticks();
   }

   // Count the time since the slot's last word to a stage.
   void mark(unsigned int slot, std::size_t stage)
   {
      auto &timing = fSlots[slot];
      if (!timing.running || stage >= kStages)
         return;
      const auto now = ticks();
      timing.taken[stage] += now - timing.last;
      timing.last = now;
   }

   // Seconds that a stage took in all events and slots, from those that were looked at; to be asked when the loop has
   // ended.
   double seconds(std::size_t stage) const
   {
      std::uint64_t sum = 0;
      for (const auto &slot : fSlots)
         sum += slot.taken.at(stage);
      const double in_all = std::chrono::duration<double>(Clock::now() - fFirst).count();
      return kEvery * sum * (in_all / (ticks() - fFirstTicks));
   }
};

} // namespace stopwatch
