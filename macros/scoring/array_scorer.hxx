// What detectors say of events whose features lie in memory, one event after the other. No event loop, and no ROOT.
#pragma once

#include "scoring/ensemble.hxx"

#include <cstddef>
#include <cstdint>

namespace scoring {

class ArrayScorer {
   Ensemble fEnsemble;
   std::size_t fWidth;
   unsigned int fThreads;
   const float *fFeatures = nullptr;
   const std::uint64_t *fNumbers = nullptr;
   float *fReals = nullptr;
   int *fIntegers = nullptr;
   std::size_t fStride = 0;

   void score_some(unsigned int slot, std::size_t first, std::size_t last) const;

public:
   // width: features of an event. threads: at most as many as the detectors have slots.
   ArrayScorer(const Ensemble &ensemble, std::size_t width, unsigned int threads)
      : fEnsemble(ensemble), fWidth(width), fThreads(threads)
   {
   }

   // features: `width` of each event. numbers: event numbers, which say an event's fold, or nullptr where there are no
   // folds. Both stay their owner's.
   void read_from(const float *features, const std::uint64_t *numbers)
   {
      fFeatures = features;
      fNumbers = numbers;
   }

   // Rows with a number for each of `events` events. reals: scores of all detectors, their ranks, and the score of the
   // ensemble. integers: flags of all detectors, votes, flag of the ensemble, and fold. Both stay their owner's.
   void write_to(float *reals, int *integers, std::size_t events)
   {
      fReals = reals;
      fIntegers = integers;
      fStride = events;
   }

   // Score the events of a half-open range.
   void score(std::size_t first, std::size_t last) const;
};

} // namespace scoring
