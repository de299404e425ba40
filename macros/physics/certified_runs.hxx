// Certified runs: the luminosity blocks that an experiment has found good, by run and ranges of blocks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <vector>

namespace certified_runs {

// Run and luminosity block as one number.
inline unsigned long long as_section(unsigned int run, unsigned int block)
{
   return static_cast<unsigned long long>(run) << 32 | block;
}

// Neighbouring blocks of a run of which all are certified, or none.
struct Span {
   unsigned int run = 0, first = 1, last = 0; // no block at all
   bool certified = false;

   bool holds(unsigned long long section) const
   {
      const auto block = static_cast<unsigned int>(section);
      return static_cast<unsigned int>(section >> 32) == run && first <= block && block <= last;
   }
};

class CertifiedRuns {
   using Numbers = std::vector<unsigned int>;
   Numbers fRuns, fBegins, fFirst, fLast;

public:
   // runs: ascending. begins: place of each run's first range, and their number in all. first, last: of each range its
   // first and its last block, both certified; the ranges of a run ascend and have no block in common.
   CertifiedRuns(const Numbers &runs, const Numbers &begins, const Numbers &first, const Numbers &last)
      : fRuns(runs), fBegins(begins), fFirst(first), fLast(last)
   {
      if (begins.size() != runs.size() + 1 || begins.back() != first.size() || first.size() != last.size())
         throw std::invalid_argument("certified runs: the arrays do not fit together");
   }

   // The blocks around a section that are certified or not as it is. Events come by run and block: the next is among them,
   // mostly.
   Span around(unsigned long long section) const
   {
      constexpr auto largest = std::numeric_limits<unsigned int>::max();
      const auto run = static_cast<unsigned int>(section >> 32), block = static_cast<unsigned int>(section);
      const auto found = std::lower_bound(fRuns.begin(), fRuns.end(), run);
      if (found == fRuns.end() || *found != run)
         return {run, 0, largest, false};
      const std::size_t place = found - fRuns.begin(), begin = fBegins[place], end = fBegins[place + 1];
      const std::size_t next = std::upper_bound(fFirst.begin() + begin, fFirst.begin() + end, block) - fFirst.begin();
      if (next > begin && block <= fLast[next - 1])
         return {run, fFirst[next - 1], fLast[next - 1], true};
      return {run, next > begin ? fLast[next - 1] + 1 : 0, next < end ? fFirst[next] - 1 : largest, false};
   }
};

} // namespace certified_runs
