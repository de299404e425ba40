// Scales that are varied, which only runs with systematic variations need; see graph.hxx.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O1") // nothing here takes time in an event
#endif
#include "graph/graph.hxx"

#include <ROOT/RVec.hxx>

namespace graph {

RNode vary_scale(RNode events, const std::string &column, double up, double down, const Names &directions,
                 const std::string &variation)
{
   const auto scales = [up, down] { return ROOT::RVec<double>{up, down}; };
   return events.Define(column, [] { return 1.; }).Vary(column, scales, {}, directions, variation);
}

} // namespace graph
