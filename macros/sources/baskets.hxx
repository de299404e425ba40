// The headers of a TTree's baskets, checked before its events are read. What a basket holds is protected by its compression; its
// header is not, and ROOT takes sizes from it as they stand.
#pragma once

#include <TBranch.h>
#include <TFile.h>
#include <TLeaf.h>
#include <TTree.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace baskets {

constexpr std::int64_t kHeader = 1024;             // bytes that hold the header of any basket
constexpr std::int64_t kLargeBuffer = 100'000'000; // more than any buffer or table that is written for small baskets

// Reads numbers as ROOT writes them, the most significant byte first; past the end only zeros.
class Header {
   const unsigned char *fBytes;
   std::size_t fSize, fAt = 0;

public:
   Header(const unsigned char *bytes, std::size_t size) : fBytes(bytes), fSize(size) {}

   template <typename Number>
   Number read()
   {
      std::uint64_t number = 0;
      for (std::size_t i = 0; i < sizeof(Number); ++i, ++fAt)
         number = number << 8 | (fAt < fSize ? fBytes[fAt] : 0);
      return static_cast<Number>(number);
   }
   // Three bytes, the least significant first, as in the header of a compressed block.
   std::int64_t read_size()
   {
      std::int64_t number = 0;
      for (int i = 0; i < 3; ++i)
         number |= static_cast<std::int64_t>(read<std::uint8_t>()) << 8 * i;
      return number;
   }
   void skip(std::size_t bytes) { fAt += bytes; }
   void skip_string()
   {
      const std::size_t size = read<std::uint8_t>();
      skip(size < 255 ? size : read<std::uint32_t>());
   }
   std::int64_t at() const { return static_cast<std::int64_t>(fAt); }
   bool within() const { return fAt <= fSize; }
};

// The sizes in the header of a basket.
struct Sizes {
   std::int64_t key;     // of the header
   std::int64_t content; // of the entries
   std::int64_t tables;  // of where each entry begins, and how far these are displaced
   bool packed;          // entries and tables are compressed
   bool options;         // the tables are of a newer kind
};

// Reads the header of a basket; throws what is wrong with it.
// bytes: its first `size` bytes; length: of the whole basket in the file; entries: that it has to hold; fixed: whether all
// entries have one size, so that there is no table.
inline Sizes read_header(const unsigned char *bytes, std::size_t size, std::int64_t length, std::int64_t entries, bool fixed)
{
   const auto require = [](bool fulfilled, const char *what) {
      if (!fulfilled)
         throw std::runtime_error(what);
   };
   Header header(bytes, size);
   require(header.read<std::int32_t>() == length, "its length");
   const auto version = header.read<std::int16_t>();
   const std::int64_t unpacked = header.read<std::int32_t>();
   header.skip(4); // date
   const std::int64_t key = header.read<std::int16_t>();
   header.skip(2 + (version > 1000 ? 16 : 8)); // cycle; its own place and its folder's
   for (int i = 0; i < 3; ++i) // class, name and title
      header.skip_string();
   header.skip(2); // version
   const std::int64_t buffer = header.read<std::int32_t>(), slots = header.read<std::int32_t>();
   if (slots < 0) // a byte of options follows
      header.skip(1);
   const std::int64_t held = header.read<std::int32_t>(), last = header.read<std::int32_t>();
   const bool alone = header.read<std::uint8_t>() == 0; // no more of the header follows
   require(version > 0 && alone && header.within() && key == header.at() && key <= length && unpacked >= 0,
           "the length of its header");
   require(held == entries, "its number of entries");
   const std::int64_t content = last - key, tables = unpacked - content;
   require(content >= 0 && tables >= 0 && buffer >= 0 && buffer <= std::max(kLargeBuffer, 4 * (key + unpacked)),
           "the place of its end");
   const auto fits = [=](std::int64_t n) { return tables == 4 + 4 * n || tables == 8 + 8 * n; };
   require(fixed ? !tables && slots * held == content : !tables || fits(held) || fits(held + 1), "the size of its entries");
   require(fixed || (slots && std::abs(slots) <= kLargeBuffer + 4 * held), "the size of its table");
   const std::int64_t packed = length - key;
   if (packed != unpacked) {
      const std::string_view method(reinterpret_cast<const char *>(bytes) + key, 2);
      const std::array<std::string_view, 5> methods{"ZL", "CS", "XZ", "L4", "ZS"};
      header.skip(3);
      const auto block_packed = header.read_size() + 9, block_unpacked = header.read_size();
      const bool one_block = unpacked < 0xffffff;
      require(std::find(methods.begin(), methods.end(), method) != methods.end() &&
                 (one_block ? block_packed == packed && block_unpacked == unpacked
                            : block_packed <= packed && block_unpacked <= unpacked),
              "the sizes of what is compressed");
   }
   return {key, content, tables, packed != unpacked, slots < 0};
}

// Throws where entries of an array do not begin one after the other.
// bytes: the table, as it stands in the file; step: size of an element.
inline void check_table(const std::vector<unsigned char> &bytes, const Sizes &sizes, std::int64_t entries, int step)
{
   Header table(bytes.data(), bytes.size());
   const std::int64_t number = table.read<std::int32_t>();
   bool good = number == entries || number == entries + 1;
   std::int64_t before = sizes.key;
   for (std::int64_t i = 0; good && i < entries; ++i) {
      const std::int64_t place = table.read<std::int32_t>();
      good = before <= place && place <= sizes.key + sizes.content && (place - sizes.key) % step == 0;
      before = place;
   }
   if (!good)
      throw std::runtime_error("where its entries begin");
}

// Throws where a number of elements is negative, or larger than all that were written.
inline void check_counts(const std::vector<unsigned char> &bytes, std::int64_t entries, std::int64_t largest)
{
   Header counts(bytes.data(), bytes.size());
   for (std::int64_t i = 0; i < entries; ++i) {
      const auto count = counts.read<std::int32_t>();
      if (count < 0 || count > largest)
         throw std::runtime_error("how many elements an entry has");
   }
}

// Throws where a basket is damaged in a way by which ROOT would crash or read nonsense, as far as that can be told without
// unpacking it.
inline void check(TBranch &branch, TFile &file, int i)
{
   const Long64_t begin = branch.GetBasketSeek(i), length = branch.GetBasketBytes()[i];
   if (!begin) // kept in the tree itself
      return;
   const Long64_t entries = branch.GetBasketEntry()[i + 1] - branch.GetBasketEntry()[i];
   if (length <= 0 || begin < 0 || begin + length > file.GetSize() || entries < 0)
      throw std::runtime_error("its place");
   const auto read = [&](Long64_t from, Long64_t size) {
      std::vector<unsigned char> bytes(static_cast<std::size_t>(size));
      if (file.ReadBuffer(reinterpret_cast<char *>(bytes.data()), begin + from, static_cast<int>(size)))
         throw std::runtime_error("its place");
      return bytes;
   };
   const bool fixed = branch.GetEntryOffsetLen() == 0;
   const auto first = read(0, std::min<Long64_t>(length, kHeader));
   const auto sizes = read_header(first.data(), first.size(), length, entries, fixed);
   if (sizes.packed) // its content has a checksum
      return;
   const auto *leaves = branch.GetListOfLeaves();
   const auto *leaf = leaves->GetEntriesFast() == 1 ? static_cast<TLeaf *>(leaves->UncheckedAt(0)) : nullptr;
   if (sizes.tables && !sizes.options)
      check_table(read(sizes.key + sizes.content, sizes.tables), sizes, entries,
                  leaf && leaf->GetLeafCount() ? leaf->GetLenType() : 1);
   if (fixed && leaf && leaf->IsRange() && leaf->InheritsFrom("TLeafI") && sizes.content == 4 * entries)
      check_counts(read(sizes.key, sizes.content), entries, leaf->GetMaximum());
}

inline void check(TBranch &branch)
{
   auto *file = branch.GetFile(0);
   if (!file || !branch.GetBasketEntry())
      return;
   const int number = std::min(branch.GetWriteBasket(), branch.GetMaxBaskets() - 1);
   for (int i = 0; i < number; ++i) {
      try {
         check(branch, *file, i);
      } catch (const std::runtime_error &error) {
         throw std::runtime_error("basket " + std::to_string(i) + " of branch " + branch.GetName() + ": " + error.what() +
                                  " cannot be right");
      }
   }
}

// The branches whose baskets are read where a column of this name is, those that count its elements among them.
inline void add_branches(TBranch *branch, std::set<TBranch *> &found)
{
   if (!branch || !found.insert(branch).second)
      return;
   for (auto *leaf : *branch->GetListOfLeaves())
      if (auto *counter = static_cast<TLeaf *>(leaf)->GetLeafCount())
         add_branches(counter->GetBranch(), found);
   for (auto *part : *branch->GetListOfBranches())
      add_branches(static_cast<TBranch *>(part), found);
}

// A damaged header of a basket is an exception that names the branch and the basket; only these columns are checked.
inline void check(TTree &tree, const std::vector<std::string> &columns)
{
   std::set<TBranch *> found;
   for (const auto &column : columns) {
      auto *leaf = tree.FindLeaf(column.c_str());
      auto *branch = tree.FindBranch(column.c_str());
      add_branches(branch ? branch : leaf ? leaf->GetBranch() : nullptr, found);
   }
   for (auto *branch : found)
      check(*branch);
}

} // namespace baskets
