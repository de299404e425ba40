// Four regions of a plane as Python calls them; compiled once. See abcd.hxx.
#pragma once

#include <cstdint>
#include <vector>

namespace abcd_calls {

using Numbers = std::vector<double>;

// Observed limit, and those expected at -2, -1, 0, 1 and 2 standard deviations [events].
struct LimitNumbers {
   double observed = 0;
   Numbers expected;
};

// counts: A, B, C and D of one data set after the other. measured: the pull of each.
Numbers significances(const Numbers &counts, const Numbers &measured, double closure);

// A, B, C, D and the pull of the fit without a signal.
Numbers rates(const Numbers &counts, double closure);

// Signed roots of toys that are thrown from the fit without a signal; each depends on the seed and its number alone.
Numbers toys(const Numbers &counts, double closure, std::uint64_t seed, std::uint64_t first, std::uint64_t last);

// Limits by the asymptotic formulas. Throws std::runtime_error where there is none.
LimitNumbers limits(const Numbers &counts, double closure);

// Limits by toys: of each number of signal events `each`, and as many without a signal.
// Throws std::runtime_error where there is none.
LimitNumbers toy_limits(const Numbers &counts, double closure, std::uint64_t seed, std::uint64_t each);

} // namespace abcd_calls
