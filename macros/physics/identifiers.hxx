// Numbers that name an event, run, luminosityBlock and event, and the label that says what it is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace identifiers {

// The same number as another integer type. Throws where that cannot hold it, so that no event gets another's name.
template <typename To, typename From>
To exactly(From number, const char *name)
{
   const To converted = static_cast<To>(number);
   if (static_cast<From>(converted) != number || (number < From{}) != (converted < To{}))
      throw std::runtime_error(std::string(name) + " " + std::to_string(number) + " is not a number of its kind");
   return converted;
}

// By these names, and not with a name as an argument: RDataFrame replaces columns' names within strings too.
template <typename Number>
unsigned int as_run(Number number)
{
   return exactly<unsigned int>(number, "run");
}

template <typename Number>
unsigned int as_luminosity_block(Number number)
{
   return exactly<unsigned int>(number, "luminosityBlock");
}

// A negative number is one from 2^31 to 2^32 that was published as a signed one of 32 bits, whatever type holds it now:
// 2^32 too little.
template <typename Number>
unsigned long long as_event(Number number)
{
   if constexpr (std::is_signed_v<Number>) {
      if (number < Number{} && number >= static_cast<Number>(std::numeric_limits<std::int32_t>::min()))
         return static_cast<unsigned long long>(exactly<long long>(number, "event") + (1LL << 32));
   }
   return exactly<unsigned long long>(number, "event");
}

// 1 for signal and 0 for background as they are; -1 for what is neither, as NaN.
template <typename Number>
int as_signal_flag(Number number)
{
   return number == Number(1) ? 1 : number == Number(0) ? 0 : -1;
}

// 0 where the number of a data set or process is one of the background's, 1 where it is another, -1 where it is not
// finite.
template <typename Number>
int as_signal_flag(Number number, std::initializer_list<long long> background)
{
   if constexpr (std::is_floating_point_v<Number>) {
      if (!std::isfinite(number))
         return -1;
   }
   const auto is_number = [number](long long other) {
      if constexpr (std::is_floating_point_v<Number>)
         return static_cast<double>(number) == static_cast<double>(other);
      else
         return static_cast<long long>(number) == other && (number < Number{}) == (other < 0);
   };
   return std::none_of(background.begin(), background.end(), is_number);
}

} // namespace identifiers
