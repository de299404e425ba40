// Operators and functions of checked arrays, by the names that ROOT has for its RVec; see checked_array.hxx.
#pragma once

#include "graph/checked_array.hxx"

#include <Math/VectorUtil.h> // for expressions of schemas and users

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace checked {

#define CHECKED_UNARY_OPERATOR(OP)          \
   template <typename T>                    \
   auto operator OP(const RVec<T> &values)  \
   {                                        \
      return wrapped(OP values.plain());    \
   }

CHECKED_UNARY_OPERATOR(+)
CHECKED_UNARY_OPERATOR(-)
CHECKED_UNARY_OPERATOR(~)
CHECKED_UNARY_OPERATOR(!)
#undef CHECKED_UNARY_OPERATOR

// With an array on either side, or on both; ROOT's own arrays are what kernels return.
#define CHECKED_BINARY(NAME, CALL)                                   \
   template <typename T, typename U>                                 \
   auto NAME(const RVec<T> &a, const RVec<U> &b)                     \
   {                                                                 \
      check_sizes(b.size(), a.size(), "an array");                   \
      return wrapped(CALL(a.plain(), b.plain()));                    \
   }                                                                 \
   template <typename T, typename U>                                 \
   auto NAME(const RVec<T> &a, const ::ROOT::RVec<U> &b)             \
   {                                                                 \
      return NAME(a, view(b));                                       \
   }                                                                 \
   template <typename T, typename U>                                 \
   auto NAME(const ::ROOT::RVec<T> &a, const RVec<U> &b)             \
   {                                                                 \
      return NAME(view(a), b);                                       \
   }                                                                 \
   template <typename T, typename U>                                 \
   auto NAME(const RVec<T> &a, const U &b)->decltype(wrapped(CALL(a.plain(), b))) \
   {                                                                 \
      return wrapped(CALL(a.plain(), b));                            \
   }                                                                 \
   template <typename T, typename U>                                 \
   auto NAME(const T &a, const RVec<U> &b)->decltype(wrapped(CALL(a, b.plain()))) \
   {                                                                 \
      return wrapped(CALL(a, b.plain()));                            \
   }

#define CHECKED_BINARY_OPERATOR(OP) CHECKED_BINARY(operator OP, ::ROOT::VecOps::operator OP)
CHECKED_BINARY_OPERATOR(+)
CHECKED_BINARY_OPERATOR(-)
CHECKED_BINARY_OPERATOR(*)
CHECKED_BINARY_OPERATOR(/)
CHECKED_BINARY_OPERATOR(%)
CHECKED_BINARY_OPERATOR(^)
CHECKED_BINARY_OPERATOR(|)
CHECKED_BINARY_OPERATOR(&)
CHECKED_BINARY_OPERATOR(<)
CHECKED_BINARY_OPERATOR(>)
CHECKED_BINARY_OPERATOR(==)
CHECKED_BINARY_OPERATOR(!=)
CHECKED_BINARY_OPERATOR(<=)
CHECKED_BINARY_OPERATOR(>=)
CHECKED_BINARY_OPERATOR(&&)
CHECKED_BINARY_OPERATOR(||)
#undef CHECKED_BINARY_OPERATOR

#define CHECKED_ASSIGNMENT(OP)                            \
   template <typename T, typename U>                      \
   RVec<T> &operator OP(RVec<T> &values, const U &other)  \
   {                                                      \
      values.plain() OP plain(other);                     \
      return values;                                      \
   }

CHECKED_ASSIGNMENT(+=)
CHECKED_ASSIGNMENT(-=)
CHECKED_ASSIGNMENT(*=)
CHECKED_ASSIGNMENT(/=)
CHECKED_ASSIGNMENT(%=)
CHECKED_ASSIGNMENT(^=)
CHECKED_ASSIGNMENT(|=)
CHECKED_ASSIGNMENT(&=)
#undef CHECKED_ASSIGNMENT

#define CHECKED_BINARY_FUNCTION(F) CHECKED_BINARY(F, ::ROOT::VecOps::F)
CHECKED_BINARY_FUNCTION(fdim)
CHECKED_BINARY_FUNCTION(fmod)
CHECKED_BINARY_FUNCTION(remainder)
CHECKED_BINARY_FUNCTION(pow)
CHECKED_BINARY_FUNCTION(hypot)
CHECKED_BINARY_FUNCTION(atan2)
#undef CHECKED_BINARY_FUNCTION
#undef CHECKED_BINARY

// Functions that ask for no element of their own accord.
#define CHECKED_FUNCTION(F)                                 \
   template <typename... Arguments>                         \
   auto F(const Arguments &...arguments)                    \
   {                                                        \
      return wrapped(::ROOT::VecOps::F(plain(arguments)...)); \
   }

CHECKED_FUNCTION(abs)
CHECKED_FUNCTION(exp)
CHECKED_FUNCTION(exp2)
CHECKED_FUNCTION(expm1)
CHECKED_FUNCTION(log)
CHECKED_FUNCTION(log10)
CHECKED_FUNCTION(log2)
CHECKED_FUNCTION(log1p)
CHECKED_FUNCTION(sqrt)
CHECKED_FUNCTION(cbrt)
CHECKED_FUNCTION(sin)
CHECKED_FUNCTION(cos)
CHECKED_FUNCTION(tan)
CHECKED_FUNCTION(asin)
CHECKED_FUNCTION(acos)
CHECKED_FUNCTION(atan)
CHECKED_FUNCTION(sinh)
CHECKED_FUNCTION(cosh)
CHECKED_FUNCTION(tanh)
CHECKED_FUNCTION(asinh)
CHECKED_FUNCTION(acosh)
CHECKED_FUNCTION(atanh)
CHECKED_FUNCTION(floor)
CHECKED_FUNCTION(ceil)
CHECKED_FUNCTION(trunc)
CHECKED_FUNCTION(round)
CHECKED_FUNCTION(lround)
CHECKED_FUNCTION(llround)
CHECKED_FUNCTION(erf)
CHECKED_FUNCTION(erfc)
CHECKED_FUNCTION(lgamma)
CHECKED_FUNCTION(tgamma)
CHECKED_FUNCTION(Sum)
CHECKED_FUNCTION(Product)
CHECKED_FUNCTION(Dot)
CHECKED_FUNCTION(Any)
CHECKED_FUNCTION(All)
CHECKED_FUNCTION(Map)
CHECKED_FUNCTION(Filter)
CHECKED_FUNCTION(Reverse)
CHECKED_FUNCTION(Concatenate)
CHECKED_FUNCTION(Nonzero)
CHECKED_FUNCTION(Enumerate)
CHECKED_FUNCTION(Range)
CHECKED_FUNCTION(Linspace)
CHECKED_FUNCTION(Logspace)
CHECKED_FUNCTION(Arange)
CHECKED_FUNCTION(DeltaPhi)
CHECKED_FUNCTION(DeltaR)
CHECKED_FUNCTION(DeltaR2)
CHECKED_FUNCTION(InvariantMass)
CHECKED_FUNCTION(InvariantMasses)
CHECKED_FUNCTION(InvariantMasses_PxPyPzM)
#undef CHECKED_FUNCTION

template <typename T, typename... Parts>
RVec<T> Construct(const Parts &...parts)
{
   return ::ROOT::VecOps::Construct<T>(plain(parts)...);
}

// The mean, variance and standard deviation of nothing are NaN; the variance of one number is 0, as with ROOT.
template <typename T>
auto Mean(const RVec<T> &values)
{
   return values.empty() ? kNaN : ::ROOT::VecOps::Mean(values.plain());
}
template <typename T, typename R>
auto Mean(const RVec<T> &values, const R &zero)
{
   return values.empty() ? Nothing<R>::make() : ::ROOT::VecOps::Mean(values.plain(), zero);
}
template <typename T>
double Var(const RVec<T> &values)
{
   return values.empty() ? kNaN : ::ROOT::VecOps::Var(values.plain());
}
template <typename T>
double StdDev(const RVec<T> &values)
{
   return values.empty() ? kNaN : ::ROOT::VecOps::StdDev(values.plain());
}

template <typename T>
bool is_nan(const T &value)
{
   if constexpr (std::is_floating_point_v<T>)
      return std::isnan(value);
   else
      return false;
}

// Place of the first of the greatest elements by an order; NaN where there is none, or where one is NaN.
template <typename T, typename Compare>
double place_of_greatest(const RVec<T> &values, Compare is_less)
{
   const auto &v = values.plain();
   if (v.empty() || std::any_of(v.begin(), v.end(), is_nan<T>))
      return kNaN;
   return std::max_element(v.begin(), v.end(), is_less) - v.begin();
}
template <typename T>
double ArgMax(const RVec<T> &values)
{
   return place_of_greatest(values, [](const T &x, const T &y) { return x < y; });
}
template <typename T>
double ArgMin(const RVec<T> &values)
{
   return place_of_greatest(values, [](const T &x, const T &y) { return y < x; });
}
template <typename T>
Element<T> Max(const RVec<T> &values)
{
   return values.at(ArgMax(values));
}
template <typename T>
Element<T> Min(const RVec<T> &values)
{
   return values.at(ArgMin(values));
}

// Places of the elements in an order, equal ones as they come. A sort by merging, which stays within the array also where
// the order is none; by default NaN comes last.
template <typename T, typename Compare>
RVec<std::size_t> StableArgsort(const RVec<T> &values, Compare is_less)
{
   ::ROOT::RVec<std::size_t> places(values.size());
   std::iota(places.begin(), places.end(), std::size_t(0));
   const auto &v = values.plain();
   std::stable_sort(places.begin(), places.end(),
                    [&v, &is_less](std::size_t i, std::size_t j) { return is_less(v[i], v[j]); });
   return places;
}
template <typename T>
RVec<std::size_t> StableArgsort(const RVec<T> &values)
{
   return StableArgsort(values, [](const T &x, const T &y) { return is_nan(y) ? !is_nan(x) : x < y; });
}
template <typename T, typename... Compare>
RVec<std::size_t> Argsort(const RVec<T> &values, const Compare &...is_less)
{
   return StableArgsort(values, is_less...);
}
template <typename T, typename... Compare>
RVec<T> StableSort(const RVec<T> &values, const Compare &...is_less)
{
   RVec<T> sorted;
   for (const auto i : StableArgsort(values, is_less...).plain())
      sorted.push_back(values.plain()[i]);
   return sorted;
}
template <typename T, typename... Compare>
RVec<T> Sort(const RVec<T> &values, const Compare &...is_less)
{
   return StableSort(values, is_less...);
}

// Elements by their places. A place that is not there gives NaN, or what is to stand for it.
template <typename T, typename Index, typename... Otherwise>
RVec<Element<T>> Take(const RVec<T> &values, const RVec<Index> &places, const Otherwise &...otherwise)
{
   RVec<Element<T>> taken;
   for (const auto i : places.plain())
      taken.push_back(values.at(i, otherwise...));
   return taken;
}
template <typename T, typename... Otherwise>
RVec<Element<T>> Take(const RVec<T> &values, std::initializer_list<long long> places, const Otherwise &...otherwise)
{
   return Take(values, RVec<long long>(places), otherwise...);
}
// The first elements, or the last ones if the number is negative.
constexpr long long kMostTaken = 1 << 16;
template <typename T, typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>, typename... Otherwise>
RVec<Element<T>> Take(const RVec<T> &values, Number number, const Otherwise &...otherwise)
{
   if (!(number <= kMostTaken) || (std::is_signed_v<Number> && !(number >= Number(-kMostTaken))))
      throw std::runtime_error("Take of " + std::to_string(number) + " elements; correct the expression");
   const auto wanted = static_cast<long long>(number);
   RVec<long long> places(std::abs(wanted));
   const auto first = wanted < 0 ? static_cast<long long>(values.size()) + wanted : 0;
   std::iota(places.plain().begin(), places.plain().end(), first);
   return Take(values, places, otherwise...);
}
template <typename T, typename Index>
RVec<T> Drop(const RVec<T> &values, const RVec<Index> &places)
{
   RVec<int> kept(values.size(), 1);
   std::size_t place = 0;
   for (const auto i : places.plain())
      if (is_there(i, values.size(), place))
         kept.plain()[place] = 0;
   return values[kept];
}
template <typename T>
RVec<T> Drop(const RVec<T> &values, std::initializer_list<long long> places)
{
   return Drop(values, RVec<long long>(places));
}

// One of two values for each element of a condition.
template <typename Flag, typename First, typename Second>
auto Where(const RVec<Flag> &condition, const First &first, const Second &second)
{
   const auto size = condition.size();
   const auto pick = [size](const auto &from, std::size_t i) {
      if constexpr (std::is_arithmetic_v<std::decay_t<decltype(from)>>) {
         return from;
      } else {
         check_sizes(from.size(), size, "what Where chooses from");
         return plain(from)[i];
      }
   };
   using Value = std::common_type_t<decltype(pick(first, 0)), decltype(pick(second, 0))>;
   RVec<Value> chosen;
   for (std::size_t i = 0; i < size; ++i)
      chosen.push_back(condition.plain()[i] ? pick(first, i) : pick(second, i));
   return chosen;
}

template <typename T, typename U>
RVec<std::common_type_t<T, U>> Intersect(const RVec<T> &first, const RVec<U> &second, bool = false)
{
   RVec<std::common_type_t<T, U>> common;
   for (const auto &value : first.plain())
      if (std::find(second.plain().begin(), second.plain().end(), value) != second.plain().end())
         common.push_back(value);
   return common;
}

// Places of all pairs of two arrays, or of all choices of n elements of one, of which there may be none.
using Places = RVec<RVec<std::size_t>>;
inline Places as_places(const ::ROOT::RVec<::ROOT::RVec<std::size_t>> &found)
{
   Places places;
   for (const auto &part : found)
      places.push_back(part);
   return places;
}
template <typename T, typename U>
Places Combinations(const RVec<T> &first, const RVec<U> &second)
{
   return as_places(::ROOT::VecOps::Combinations(first.size(), second.size()));
}
template <typename T, typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
Places Combinations(const RVec<T> &values, Number number)
{
   const auto n = static_cast<std::size_t>(number);
   if (n > values.size())
      return Places(std::min<std::size_t>(n, kMostTaken), RVec<std::size_t>());
   return as_places(::ROOT::VecOps::Combinations(values.plain(), n));
}

// What expressions know as ROOT: all of it, with these arrays in the place of its own.
namespace root {
using namespace ::ROOT;
using checked::RVec;
using RVecB = RVec<bool>;
using RVecC = RVec<char>;
using RVecD = RVec<double>;
using RVecF = RVec<float>;
using RVecI = RVec<int>;
using RVecL = RVec<long>;
using RVecLL = RVec<long long>;
using RVecU = RVec<unsigned int>;
using RVecUL = RVec<unsigned long>;
using RVecULL = RVec<unsigned long long>;

namespace VecOps {
using namespace ::checked;
} // namespace VecOps
} // namespace root

} // namespace checked
