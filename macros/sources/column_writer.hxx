// Columns of numbers, portion by portion to a TTree or an RNTuple in a file that is there already; see column_writer.cxx.
#pragma once

#include <TDirectory.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace column_writer {

using Names = std::vector<std::string>;

// Writes columns of numbers, each portion behind the one before.
class Columns {
public:
   struct Writer;

private:
   std::unique_ptr<Writer> fWriter;

public:
   // types: bool, float, double, std::int32_t, std::uint32_t or std::uint64_t.
   Columns(const std::string &name, const Names &columns, const Names &types, TDirectory &target, bool is_ttree);
   Columns(const Columns &) = delete;
   Columns &operator=(const Columns &) = delete;
   ~Columns();
   // addresses: of the first number of each column; those of `rows` rows lie behind each.
   void write(std::size_t rows, const std::vector<std::uintptr_t> &addresses);
   void close();
};

} // namespace column_writer
