// An event in the graph: what names it, and its columns as float32 side by side; and its objects, for a display of it.
#pragma once

#include <cstddef>
#include <limits>
#include <type_traits>
#include <typeinfo>
#include <vector>

namespace recorded {

// Columns that have them.
constexpr const char *kEvent = "recorded_event";
constexpr const char *kObjects = "recorded_objects";
constexpr const char *kWeight = "recorded_weight"; // of events that have not passed a cut yet

// Pseudorapidity and azimuth; NaN where there are none.
struct Direction {
   float eta = std::numeric_limits<float>::quiet_NaN(), phi = std::numeric_limits<float>::quiet_NaN();
};

struct Event {
   unsigned long long row = 0; // of the published table; 0 where there is none
   unsigned int run = 0;
   unsigned int luminosityBlock = 0;
   unsigned long long event = 0;
   int label = -1;                // 1 signal, 0 background, -1 neither or unknown
   const float *values = nullptr; // features, and after them what is only recorded; theirs until the slot's next event
   double weight = 1;
   Direction direction; // of the object of highest pT, where the columns are made of any
};

// The objects of an event: the numbers of each attribute, such as the pT of all jets.
using Objects = std::vector<std::vector<float>>;

template <typename Attribute>
std::vector<float> numbers_of(const Attribute &attribute)
{
   if constexpr (std::is_arithmetic_v<Attribute>) {
      return {static_cast<float>(attribute)};
   } else {
      std::vector<float> numbers;
      for (std::size_t i = 0; i < attribute.size(); ++i)
         numbers.push_back(attribute[i]);
      return numbers;
   }
}

template <typename... Attributes>
Objects collect_objects(const Attributes &...attributes)
{
   return {numbers_of(attributes)...};
}

// A function of columns of a file. It keeps what it computed last: each slot of an event loop has one of its own.
struct Computation {
   struct Result {
      const std::type_info *type;
      const void *place; // the same for every event
   };
   virtual ~Computation() = default;
   // read: where each of the columns lies, of the types that read_types() gives.
   virtual void compute(const void *const *read) = 0;
   virtual std::vector<const std::type_info *> read_types() const = 0;
   // The values that are computed, each of them a column.
   virtual std::vector<Result> results() const = 0;
};

using MakeComputation = Computation *();

} // namespace recorded
