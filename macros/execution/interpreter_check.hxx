// A few lines that need the C++ standard library, to find out whether Cling can be trusted.
#pragma once

#include <cmath>
#include <vector>

namespace interpreter_check {

// sqrt(0) + sqrt(1) + ... + sqrt(n - 1)
inline double sum_of_roots(int n)
{
   std::vector<double> roots;
   for (int i = 0; i < n; ++i)
      roots.push_back(std::sqrt(static_cast<double>(i)));
   double sum = 0;
   for (const double root : roots)
      sum += root;
   return sum;
}

} // namespace interpreter_check
