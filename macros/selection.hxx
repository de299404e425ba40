// Which of an event's features can be used.
#pragma once

#include <ROOT/RVec.hxx>

#include <array>
#include <cmath>
#include <cstddef>

namespace selection {

// Indices of the features that are NaN or infinite; empty for an event that can be trained on and scored.
template <std::size_t N>
ROOT::RVec<int> non_finite(const std::array<float, N> &features)
{
   ROOT::RVec<int> indices;
   for (std::size_t i = 0; i < N; ++i)
      if (!std::isfinite(features[i]))
         indices.push_back(static_cast<int>(i));
   return indices;
}

} // namespace selection
