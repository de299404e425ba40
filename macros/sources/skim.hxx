// Entries of trees copied whole, with all their branches; see skim.cxx.
#pragma once

#include <TDirectory.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace skim {

using Names = std::vector<std::string>;

// Writes entries of TTrees, or of RNTuples, to one of the same kind and name, with the same branches, types, values and
// compression. Friends stay where they are.
class Copy {
public:
   struct Trees;

private:
   std::unique_ptr<Trees> fTrees;

public:
   // tree: its name, or the path of it in a file; files: where it is, in order. Throws if RNTuples have other fields than
   // the first.
   Copy(const std::string &tree, const Names &files, TDirectory &target);
   Copy(const Copy &) = delete;
   Copy &operator=(const Copy &) = delete;
   ~Copy();
   // Branches of TTrees that not all files have in the same way: they are not copied.
   Names left_out() const;
   // Go on to a file, by its place among them, the first one first. Throws, if `checked`, where the header of one of its
   // baskets is damaged.
   void begin(std::size_t file, bool checked);
   // Copy entries of the file. Throws where one cannot be read.
   void add(const std::uint64_t *entries, std::size_t size);
   // Copy all of them; packed baskets of TTrees as they are.
   void add_all();
   // Complete the tree; returns the number of its entries.
   unsigned long long close();
};

} // namespace skim
