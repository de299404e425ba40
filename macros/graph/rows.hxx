// Rows of an event's ids and values, collected by the event loop in memory: all of them, the top of them, or some at
// random.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

namespace rows {

using Ids = std::vector<std::uint64_t>;
using Values = std::vector<float>;

// All rows.
class AllRows {
   struct alignas(64) Slot {
      std::vector<std::uint64_t> ids;
      std::vector<float> values;
   };
   std::vector<Slot> fSlots;
   std::size_t fIds, fValues;

public:
   // ids, values: of a row.
   AllRows(std::size_t slots, std::size_t ids, std::size_t values) : fSlots(slots), fIds(ids), fValues(values) {}

   bool add(unsigned int slot, const Ids &ids, const Values &values)
   {
      auto &rows = fSlots[slot];
      rows.ids.insert(rows.ids.end(), ids.begin(), ids.end());
      rows.values.insert(rows.values.end(), values.begin(), values.end());
      return true;
   }

   std::size_t size() const
   {
      std::size_t rows = 0;
      for (const auto &slot : fSlots)
         rows += slot.values.size() / fValues;
      return rows;
   }

   // Write the rows to arrays of size() * ids and size() * values numbers, slot after slot.
   void copy(std::uint64_t *ids, float *values) const
   {
      for (const auto &slot : fSlots) {
         ids = std::copy(slot.ids.begin(), slot.ids.end(), ids);
         values = std::copy(slot.values.begin(), slot.values.end(), values);
      }
   }
};

// The first `size` rows in an order. A Row has vectors `ids` and `values` and, as operator<, the
// order. Each slot keeps as many as are wanted in the end, so that none is lost and slots make no difference.
template <typename Row>
class FirstRows {
   struct alignas(64) Slot {
      std::vector<Row> heap; // last of them first
   };
   std::vector<Slot> fSlots;
   std::size_t fWanted;

protected:
   FirstRows(std::size_t slots, std::size_t wanted) : fSlots(slots), fWanted(wanted) {}

   // The row that has to be outdone in a slot; none as long as the slot has fewer rows than are wanted.
   const Row *last(unsigned int slot) const
   {
      const auto &heap = fSlots[slot].heap;
      return heap.size() == fWanted ? &heap.front() : nullptr;
   }

   void keep(unsigned int slot, Row row)
   {
      auto &heap = fSlots[slot].heap;
      heap.push_back(std::move(row));
      std::push_heap(heap.begin(), heap.end());
      if (heap.size() > fWanted) {
         std::pop_heap(heap.begin(), heap.end());
         heap.pop_back();
      }
   }

public:
   std::size_t size() const
   {
      std::size_t rows = 0;
      for (const auto &slot : fSlots)
         rows += slot.heap.size();
      return std::min(rows, fWanted);
   }

   // The rows, in no order.
   std::vector<const Row *> first() const
   {
      std::vector<const Row *> rows;
      for (const auto &slot : fSlots)
         for (const auto &row : slot.heap)
            rows.push_back(&row);
      const auto end = rows.begin() + size();
      std::nth_element(rows.begin(), end, rows.end(), [](const Row *one, const Row *other) { return *one < *other; });
      rows.erase(end, rows.end());
      return rows;
   }

   // As in AllRows; the rows are in no order.
   void copy(std::uint64_t *ids, float *values) const
   {
      for (const auto *row : first()) {
         ids = std::copy(row->ids.begin(), row->ids.end(), ids);
         values = std::copy(row->values.begin(), row->values.end(), values);
      }
   }
};

struct TopRow {
   std::size_t key; // values that are compared
   std::vector<std::uint64_t> ids;
   std::vector<float> values;
   bool operator<(const TopRow &other) const
   {
      const auto end = values.begin() + key;
      const auto differ = std::mismatch(values.begin(), end, other.values.begin());
      return differ.first != end ? *differ.first > *differ.second
                                 : std::tie(ids, values) < std::tie(other.ids, other.values);
   }
};

// The rows whose first `key` values are the greatest, compared first value first; of rows with equal keys those with the
// least ids.
class TopRows : public FirstRows<TopRow> {
   std::size_t fKey;

public:
   TopRows(std::size_t slots, std::size_t wanted, std::size_t key) : FirstRows(slots, wanted), fKey(key) {}

   // Whether a row whose values begin with this key can be among them, as far as the slot has seen.
   bool takes(unsigned int slot, const Values &values) const
   {
      const auto *least = last(slot);
      return !least || !std::lexicographical_compare(values.begin(), values.begin() + fKey, least->values.begin(),
                                                     least->values.begin() + fKey);
   }

   bool add(unsigned int slot, const Ids &ids, const Values &values)
   {
      if (takes(slot, values))
         keep(slot, {fKey, ids, values});
      return true;
   }
};

// A number that looks random, a different one for each x: a step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
inline std::uint64_t mix(std::uint64_t x)
{
   x += 0x9e3779b97f4a7c15;
   x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
   x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
   return x ^ (x >> 31);
}

struct SampledRow {
   std::uint64_t by_ids, by_values; // lots
   std::vector<std::uint64_t> ids;
   std::vector<float> values;
   bool operator<(const SampledRow &other) const
   {
      return std::tie(by_ids, by_values) < std::tie(other.by_ids, other.by_values);
   }
};

// `wanted` rows, drawn at random without replacement: the rows with the least lots. A row gets its lot by the seed and its
// ids, or, among rows of equal ids, by its values too. The order of the rows makes no difference.
class SampledRows : public FirstRows<SampledRow> {
   std::uint64_t fSeed;

public:
   SampledRows(std::size_t slots, std::size_t wanted, std::uint64_t seed) : FirstRows(slots, wanted), fSeed(seed) {}

   bool add(unsigned int slot, const Ids &ids, const Values &values)
   {
      auto by_ids = mix(fSeed);
      for (const auto id : ids)
         by_ids = mix(by_ids ^ id);
      const auto *greatest = last(slot);
      if (greatest && greatest->by_ids < by_ids)
         return true;
      auto by_values = by_ids;
      for (const auto value : values) {
         std::uint32_t bits;
         std::memcpy(&bits, &value, sizeof bits);
         by_values = mix(by_values ^ bits);
      }
      keep(slot, {by_ids, by_values, ids, values});
      return true;
   }
};

} // namespace rows
