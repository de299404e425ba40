// Numbers that name an event: run, luminosityBlock, event.
#pragma once

#include <stdexcept>
#include <string>

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

template <typename Number>
unsigned long long as_event(Number number)
{
   return exactly<unsigned long long>(number, "event");
}

} // namespace identifiers
