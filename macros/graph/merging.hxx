// Parts of a sample put together; see merging.cxx.
#pragma once

#include <TDirectory.h>

#include <string>
#include <vector>

namespace merging {

// Write the rows of the RNTuple `table` of all parts, one after the other, to `target`; return how many each has. Pages are
// copied as they are, not unpacked. Nothing is written if there are no rows at all.
// Throws if a part cannot be read or has other columns than the first.
std::vector<unsigned long long>
concatenate(const std::string &table, const std::vector<std::string> &parts, TDirectory &target);

} // namespace merging
