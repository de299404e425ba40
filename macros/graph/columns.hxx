// Columns of an event, all computed by one function, and what of them the graph is given.
#pragma once

#include "physics/dilepton.hxx"
#include "physics/event_shape.hxx"
#include "physics/identifiers.hxx"
#include "physics/met.hxx"
#include "physics/objects.hxx"
#include "physics/razor.hxx"
#include "graph/recorded.hxx"
#include "execution/stopwatch.hxx"

#include <ROOT/RDataFrame.hxx>

#include <array>
#include <cstddef>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace columns {

using Names = std::vector<std::string>;
using ROOT::RDF::RNode;

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

// Names of what is defined: of the row, of the values and of the members, and which of these a file has already.
struct Defined {
   std::string row;
   Names values, members;
   std::set<std::string> there;
};

template <typename Function>
RNode define(RNode events, const Defined &defined, const std::string &name, Function function)
{
   return defined.there.count(name) ? events.Redefine(name, function, {defined.row})
                                    : events.Define(name, function, {defined.row});
}

// By its place in the row, so that members of one type share one instantiation, of which each takes g++ a quarter of a
// second.
template <typename Member, typename R>
RNode define_member(RNode events, const Defined &defined, const std::string &name, std::ptrdiff_t place)
{
   return define(events, defined, name, [place](const R &row) {
      return *reinterpret_cast<const Member *>(reinterpret_cast<const char *>(&row) + place);
   });
}

template <std::size_t N, typename... Members, std::size_t... I>
RNode define_members(RNode events, const Defined &defined, const Row<N, Members...> &row, std::index_sequence<I...>)
{
   const auto place = [&row](const auto &member) {
      return reinterpret_cast<const char *>(&member) - reinterpret_cast<const char *>(&row);
   };
   ((events = define_member<Members, Row<N, Members...>>(events, defined, defined.members[I],
                                                         place(std::get<I>(row.members)))),
    ...);
   return events;
}

// Define the columns that `compute` makes of the columns `read`. `watch` may be null.
template <std::size_t N, typename... Members, typename... Read>
RNode define_columns(RNode events, Row<N, Members...> (*compute)(const Read &...), const Names &read,
                     const Defined &defined, stopwatch::Stopwatch *watch)
{
   const auto timed = [compute, watch](unsigned int slot, const Read &...values) {
      if (watch)
         watch->mark(slot, stopwatch::kRead);
      auto row = compute(values...);
      if (watch)
         watch->mark(slot, stopwatch::kColumns);
      return row;
   };
   events = events.DefineSlot(defined.row, timed, read);
   events = define_members(events, defined, Row<N, Members...>{}, std::index_sequence_for<Members...>{});
   if constexpr (N > 0) {
      for (std::size_t i = 0; i < N; ++i)
         events = define(events, defined, defined.values[i],
                         [i](const Row<N, Members...> &row) { return row.values[i]; });
      events = events.Define(recorded::kEvent,
                             [](const Row<N, Members...> &row) {
                                auto event = row.event;
                                event.values = row.values.data();
                                return event;
                             },
                             {defined.row});
   }
   return events;
}

// Define the objects that `compute` makes of the columns `read`. This is a function of its own, since objects are looked
// at in few events.
template <typename... Read>
RNode define_objects(RNode events, recorded::Objects (*compute)(const Read &...), const Names &read)
{
   return events.Define(recorded::kObjects, compute, read);
}

} // namespace columns
