// First and second moments of several columns, as sums that can be added over events, threads and batch jobs.
#pragma once

#include <ROOT/RVec.hxx>

#include <array>
#include <cstddef>

namespace moments {

// With x_0 = 1 and x_1 ... x_N the columns: for each pair i <= j the bin i, the bin j and the product x_i x_j, in three
// vectors of the same order. Summed, the products give counts, means, variances and correlations.
template <std::size_t N>
ROOT::RVec<int> pair_first()
{
   ROOT::RVec<int> indices;
   for (std::size_t i = 0; i <= N; ++i)
      for (std::size_t j = i; j <= N; ++j)
         indices.push_back(static_cast<int>(i));
   return indices;
}

template <std::size_t N>
ROOT::RVec<int> pair_second()
{
   ROOT::RVec<int> indices;
   for (std::size_t i = 0; i <= N; ++i)
      for (std::size_t j = i; j <= N; ++j)
         indices.push_back(static_cast<int>(j));
   return indices;
}

template <std::size_t N>
ROOT::RVec<double> pair_products(const std::array<float, N> &columns)
{
   std::array<double, N + 1> x{1.};
   for (std::size_t i = 0; i < N; ++i)
      x[i + 1] = columns[i];
   ROOT::RVec<double> products;
   products.reserve((N + 1) * (N + 2) / 2);
   for (std::size_t i = 0; i <= N; ++i)
      for (std::size_t j = i; j <= N; ++j)
         products.push_back(x[i] * x[j]);
   return products;
}

} // namespace moments
