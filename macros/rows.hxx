// Rows of an event's ids and values, collected by the event loop in memory: all of them, or the top of them.
//
// A graph collects by a filter on add(), which lets every event through.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <queue>
#include <tuple>
#include <utility>
#include <vector>

namespace rows {

using Ids = std::initializer_list<std::uint64_t>;
using Values = std::initializer_list<float>;

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

   bool add(unsigned int slot, Ids ids, Values values)
   {
      auto &rows = fSlots[slot];
      rows.ids.insert(rows.ids.end(), ids);
      rows.values.insert(rows.values.end(), values);
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

// The rows whose first `key` values are the greatest, compared first value first; of rows with equal keys those with the
// least ids, so that slots make no difference. Each slot keeps as many as are wanted in the end, so that none is lost.
class TopRows {
   struct Row {
      std::vector<float> key;
      std::vector<std::uint64_t> ids;
      std::vector<float> values; // the others
      bool operator>(const Row &other) const
      {
         return key != other.key ? key > other.key : std::tie(ids, values) < std::tie(other.ids, other.values);
      }
   };
   struct alignas(64) Slot {
      std::priority_queue<Row, std::vector<Row>, std::greater<Row>> least_first;
   };
   std::vector<Slot> fSlots;
   std::size_t fWanted, fKey;

public:
   TopRows(std::size_t slots, std::size_t wanted, std::size_t key) : fSlots(slots), fWanted(wanted), fKey(key) {}

   bool add(unsigned int slot, Ids ids, Values values)
   {
      auto &least_first = fSlots[slot].least_first;
      if (least_first.size() == fWanted) {
         const auto &least = least_first.top().key;
         if (std::lexicographical_compare(values.begin(), values.begin() + fKey, least.begin(), least.end()))
            return true;
         least_first.push({{values.begin(), values.begin() + fKey}, ids, {values.begin() + fKey, values.end()}});
         least_first.pop();
      } else {
         least_first.push({{values.begin(), values.begin() + fKey}, ids, {values.begin() + fKey, values.end()}});
      }
      return true;
   }

   std::size_t size() const
   {
      std::size_t rows = 0;
      for (const auto &slot : fSlots)
         rows += slot.least_first.size();
      return rows;
   }

   // As in AllRows; rows of all slots, in no order.
   void copy(std::uint64_t *ids, float *values) const
   {
      for (const auto &slot : fSlots) {
         for (auto rows = slot.least_first; !rows.empty(); rows.pop()) {
            ids = std::copy(rows.top().ids.begin(), rows.top().ids.end(), ids);
            values = std::copy(rows.top().key.begin(), rows.top().key.end(), values);
            values = std::copy(rows.top().values.begin(), rows.top().values.end(), values);
         }
      }
   }
};

} // namespace rows
