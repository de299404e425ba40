// See array_scorer.hxx.
#include "scoring/array_scorer.hxx"

#include <thread>
#include <vector>

namespace scoring {

void ArrayScorer::score_some(unsigned int slot, std::size_t first, std::size_t last) const
{
   const std::size_t detectors = fEnsemble.size();
   float *ensemble = fReals + 2 * detectors * fStride;
   int *votes = fIntegers + detectors * fStride;
   for (std::size_t i = first; i < last; ++i) {
      const Scores said = fEnsemble(slot, fNumbers ? fNumbers[i] : 0, fFeatures + i * fWidth, [](std::size_t) {});
      for (std::size_t k = 0; k < detectors; ++k) {
         fReals[k * fStride + i] = said.score[k];
         fReals[(detectors + k) * fStride + i] = said.rank[k];
         fIntegers[k * fStride + i] = said.flag[k];
      }
      ensemble[i] = said.ensemble;
      votes[i] = said.votes;
      votes[fStride + i] = said.flagged;
      votes[2 * fStride + i] = said.fold;
   }
}

void ArrayScorer::score(std::size_t first, std::size_t last) const
{
   // The first share is this thread's own, so that with one thread no other is started.
   const std::size_t share = (last - first + fThreads - 1) / fThreads;
   const auto end_of = [=](std::size_t begin) { return begin + share < last ? begin + share : last; };
   std::vector<std::thread> others;
   unsigned int slot = 1;
   for (std::size_t begin = end_of(first); begin < last; begin = end_of(begin), ++slot)
      others.emplace_back(&ArrayScorer::score_some, this, slot, begin, end_of(begin));
   score_some(0, first, end_of(first));
   for (auto &other : others)
      other.join();
}

} // namespace scoring
