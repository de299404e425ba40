// Columns of an event, all computed by one function, and an event's objects: what rdf/code/columns.py writes includes this.
//
// It has nothing of RDataFrame, whose headers and templates take g++ four seconds. The nodes of the graph that call what is
// made here are in graph_columns.cxx.
#pragma once

#include "physics/certified_runs.hxx"
#include "physics/dilepton.hxx"
#include "physics/event_shape.hxx"
#include "physics/four_leptons.hxx"
#include "physics/identifiers.hxx"
#include "physics/leading.hxx"
#include "physics/met.hxx"
#include "physics/objects.hxx"
#include "physics/overlaps.hxx"
#include "physics/razor.hxx"
#include "graph/recorded.hxx"

#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

namespace columns {

// What is computed of an event: float32 values side by side, and columns of any type.
template <std::size_t N, typename... Members>
struct Row {
   std::array<float, N> values;
   recorded::Event event;
   std::tuple<Members...> members;
};

template <std::size_t N, typename... Members>
Row<N, std::decay_t<Members>...> make_row(const std::array<float, N> &values, const recorded::Event &event,
                                          Members &&...members)
{
   return {values, event, {std::forward<Members>(members)...}};
}

// Whether an event passes a cut, by the value of the cut's expression: NaN, which stands for what an event does not have,
// passes none.
template <typename Value>
bool passes(const Value &value)
{
   static_assert(std::is_arithmetic_v<Value>, "a cut is true or false for an event; write Any(...) or All(...) of an array");
   return value == value && value != Value{};
}

// A function of columns as what each slot has one of; the results of a row are its event, its values and its members. Slots
// do not share a cache line.
template <auto function>
class Computed;

template <std::size_t N, typename... Members, typename... Read, Row<N, Members...> (*function)(const Read &...)>
class alignas(64) Computed<function> final : public recorded::Computation {
   Row<N, Members...> fRow{};

   template <std::size_t... I>
   void call(const void *const *read, std::index_sequence<I...>)
   {
      fRow = function(*static_cast<const Read *>(read[I])...);
   }

public:
   void compute(const void *const *read) override
   {
      call(read, std::index_sequence_for<Read...>{});
      fRow.event.values = fRow.values.data();
   }
   std::vector<const std::type_info *> read_types() const override { return {&typeid(Read)...}; }
   std::vector<Result> results() const override
   {
      std::vector<Result> results{{&typeid(fRow.event), &fRow.event}};
      for (const auto &value : fRow.values)
         results.push_back({&typeid(value), &value});
      std::apply([&results](const auto &...member) { (results.push_back({&typeid(member), &member}), ...); },
                 fRow.members);
      return results;
   }
};

// A function of columns with one result.
template <typename Value, auto function, typename... Read>
class alignas(64) Single : public recorded::Computation {
   Value fValue{};

   template <std::size_t... I>
   void call(const void *const *read, std::index_sequence<I...>)
   {
      fValue = function(*static_cast<const Read *>(read[I])...);
   }

public:
   void compute(const void *const *read) override { call(read, std::index_sequence_for<Read...>{}); }
   std::vector<const std::type_info *> read_types() const override { return {&typeid(Read)...}; }
   std::vector<Result> results() const override { return {{&typeid(fValue), &fValue}}; }
};

// An event's objects.
template <typename... Read, recorded::Objects (*function)(const Read &...)>
class Computed<function> final : public Single<recorded::Objects, function, Read...> {
};

// The run and luminosity block of an event.
template <typename... Read, unsigned long long (*function)(const Read &...)>
class Computed<function> final : public Single<unsigned long long, function, Read...> {
};

// An event's weight.
template <typename... Read, double (*function)(const Read &...)>
class Computed<function> final : public Single<double, function, Read...> {
};

// The number of cuts that an event passes, one after the other.
template <typename... Read, unsigned int (*function)(const Read &...)>
class Computed<function> final : public Single<unsigned int, function, Read...> {
};

} // namespace columns
