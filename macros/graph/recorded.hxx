// An event in the graph: what names it, and its columns as float32 side by side; and its objects, for a display of it.
#pragma once

#include <cstddef>
#include <type_traits>
#include <typeinfo>
#include <vector>

namespace recorded {

// Columns that have them.
constexpr const char *kEvent = "recorded_event";
constexpr const char *kObjects = "recorded_objects";

struct Event {
   unsigned long long row = 0; // of the published table; 0 where there is none
   unsigned int run = 0;
   unsigned int luminosityBlock = 0;
   unsigned long long event = 0;
   int label = -1;                // 1 signal, 0 background, -1 neither or unknown
   const float *values = nullptr; // features, and after them what is only recorded; theirs until the slot's next event
};

// What there is of an event's objects, such as the pT of all jets: the numbers of each of these parts.
using Objects = std::vector<std::vector<float>>;

template <typename Part>
std::vector<float> numbers_of(const Part &part)
{
   if constexpr (std::is_arithmetic_v<Part>) {
      return {static_cast<float>(part)};
   } else {
      std::vector<float> numbers;
      for (std::size_t i = 0; i < part.size(); ++i)
         numbers.push_back(part[i]);
      return numbers;
   }
}

template <typename... Parts>
Objects collect_objects(const Parts &...parts)
{
   return {numbers_of(parts)...};
}

// A function of columns of a file. It keeps what it computed last: each slot of an event loop has one of its own.
struct Computation {
   struct Part {
      const std::type_info *type;
      const void *place; // the same for every event
   };
   virtual ~Computation() = default;
   // read: where each of the columns lies, of the types that read_types() gives.
   virtual void compute(const void *const *read) = 0;
   virtual std::vector<const std::type_info *> read_types() const = 0;
   // What is computed, each of which is a column.
   virtual std::vector<Part> parts() const = 0;
};

using MakeComputation = Computation *();

} // namespace recorded
