// Arrays for the expressions of schemas and users, in which an element that an event does not have is NaN. ROOT's own
// RVec reads whatever lies there.
//
// What is checked is not the text of an expression but the type: an array and all that is made of it, by indices, masks,
// operators and functions, is a checked::RVec. It has the operators and functions of ROOT's, under the same names; those
// that ask for an element say NaN where there is none, and so do the maximum, minimum, mean and variance of nothing. The
// sum and the size of nothing are 0. Elements of whole numbers are real numbers when they are asked for one by one, since
// no whole number is NaN. Arrays and masks of different lengths throw, as with ROOT.
#pragma once

#include <Math/Vector4D.h>
#include <ROOT/RVec.hxx>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace checked {

template <typename T>
class RVec;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Thrown for an element that is not there where no NaN can stand for it; makes all of the expression NaN.
struct Missing : std::runtime_error {
   Missing()
      : std::runtime_error("an element that an event does not have, in an expression that gives a whole number, which "
                           "cannot be NaN; make it a real one, as in 1. * (...)")
   {
   }
};

// What stands for elements of type T that may not be there: a real number for any number.
template <typename T>
using Element = std::conditional_t<std::is_integral_v<T>, double, T>;

// What stands for a value that is not there.
template <typename T>
struct Nothing {
   static T make()
   {
      if constexpr (std::is_floating_point_v<T>)
         return std::numeric_limits<T>::quiet_NaN();
      else
         throw Missing();
   }
};

template <typename Coordinates>
struct Nothing<ROOT::Math::LorentzVector<Coordinates>> {
   static ROOT::Math::LorentzVector<Coordinates> make() { return {kNaN, kNaN, kNaN, kNaN}; }
};

template <typename T>
struct IsLorentzVector : std::false_type {};
template <typename Coordinates>
struct IsLorentzVector<ROOT::Math::LorentzVector<Coordinates>> : std::true_type {};

template <typename T>
struct Nothing<RVec<T>> {
   static RVec<T> make() { return {}; }
};

inline void check_sizes(std::size_t size, std::size_t wanted, const char *what)
{
   if (size != wanted)
      throw std::runtime_error(std::string(what) + " has " + std::to_string(size) + " values for an array of " +
                               std::to_string(wanted) + "; correct the expression");
}

// Whether an array of this size has an element i; sets its place.
template <typename Index>
bool is_there(Index i, std::size_t size, std::size_t &place)
{
   static_assert(std::is_arithmetic_v<Index>, "an index is a number");
   if constexpr (std::is_floating_point_v<Index>) {
      if (!(i >= 0 && i < static_cast<Index>(size)))
         return false;
   } else if constexpr (std::is_signed_v<Index>) {
      if (i < 0)
         return false;
   }
   place = static_cast<std::size_t>(i);
   return place < size;
}

// Walks over an array, and knows its ends.
template <typename T>
class Iterator {
   using Value = std::remove_const_t<T>;
   T *fFirst = nullptr;
   std::ptrdiff_t fSize = 0, fPlace = 0;

public:
   using iterator_category = std::random_access_iterator_tag;
   using value_type = Value;
   using difference_type = std::ptrdiff_t;
   using pointer = T *;
   using reference = T &;

   Iterator() = default;
   Iterator(T *first, std::size_t size, std::size_t place) : fFirst(first), fSize(size), fPlace(place) {}
   operator Iterator<const Value>() const { return {fFirst, std::size_t(fSize), std::size_t(fPlace)}; }

   reference operator*() const
   {
      if (fPlace >= 0 && fPlace < fSize)
         return fFirst[fPlace];
      if constexpr (std::is_const_v<T>) {
         static const Value nothing = Nothing<Value>::make();
         return nothing;
      }
      throw Missing();
   }
   pointer operator->() const { return &**this; }
   reference operator[](difference_type i) const { return *(*this + i); }
   Iterator &operator+=(difference_type n) { return fPlace += n, *this; }
   Iterator &operator-=(difference_type n) { return fPlace -= n, *this; }
   Iterator &operator++() { return *this += 1; }
   Iterator &operator--() { return *this -= 1; }
   Iterator operator++(int) { return std::exchange(*this, *this + 1); }
   Iterator operator--(int) { return std::exchange(*this, *this - 1); }
   friend Iterator operator+(Iterator i, difference_type n) { return i += n; }
   friend Iterator operator+(difference_type n, Iterator i) { return i += n; }
   friend Iterator operator-(Iterator i, difference_type n) { return i -= n; }
   friend difference_type operator-(const Iterator &i, const Iterator &j) { return i.fPlace - j.fPlace; }
   friend bool operator==(const Iterator &i, const Iterator &j) { return i.fPlace == j.fPlace; }
   friend bool operator!=(const Iterator &i, const Iterator &j) { return i.fPlace != j.fPlace; }
   friend bool operator<(const Iterator &i, const Iterator &j) { return i.fPlace < j.fPlace; }
   friend bool operator>(const Iterator &i, const Iterator &j) { return i.fPlace > j.fPlace; }
   friend bool operator<=(const Iterator &i, const Iterator &j) { return i.fPlace <= j.fPlace; }
   friend bool operator>=(const Iterator &i, const Iterator &j) { return i.fPlace >= j.fPlace; }
};

template <typename T>
class RVec {
   ::ROOT::RVec<T> fValues;

public:
   using value_type = T;
   using size_type = std::size_t;
   using difference_type = std::ptrdiff_t;
   using iterator = Iterator<T>;
   using const_iterator = Iterator<const T>;

   RVec() = default;
   explicit RVec(std::size_t size) : fValues(size) {}
   RVec(std::size_t size, const T &value) : fValues(size, value) {}
   RVec(std::initializer_list<T> values) : fValues(values) {}
   template <typename In, typename = typename std::iterator_traits<In>::iterator_category>
   RVec(In first, In last)
   {
      for (; first != last; ++first)
         fValues.push_back(*first);
   }
   RVec(const std::vector<T> &values) : fValues(values.begin(), values.end()) {}
   RVec(const ::ROOT::RVec<T> &values) : fValues(values) {}
   RVec(::ROOT::RVec<T> &&values) : fValues(std::move(values)) {}
   // A view of values that live elsewhere.
   RVec(const T *values, std::size_t size) : fValues(const_cast<T *>(values), size) {}
   template <typename U, typename = std::enable_if_t<std::is_convertible_v<T, U> && !std::is_same_v<T, U>>>
   operator RVec<U>() const
   {
      return RVec<U>(begin(), end());
   }
   operator const ::ROOT::RVec<T> &() const { return fValues; }

   const ::ROOT::RVec<T> &plain() const & { return fValues; }
   ::ROOT::RVec<T> &plain() & { return fValues; }
   ::ROOT::RVec<T> plain() && { return std::move(fValues); }

   std::size_t size() const { return fValues.size(); }
   bool empty() const { return fValues.empty(); }

   template <typename Index, typename = std::enable_if_t<std::is_arithmetic_v<Index>>>
   auto operator[](Index i) const
   {
      using Found = std::conditional_t<std::is_arithmetic_v<T>, double, T>;
      std::size_t place = 0;
      return is_there(i, size(), place) ? static_cast<Found>(fValues[place]) : Nothing<Found>::make();
   }
   template <typename Flag>
   RVec operator[](const RVec<Flag> &mask) const
   {
      check_sizes(mask.size(), size(), "a mask");
      RVec passed;
      for (std::size_t i = 0; i < size(); ++i)
         if (mask.plain()[i])
            passed.push_back(fValues[i]);
      return passed;
   }
   template <typename Index>
   Element<T> at(Index i) const
   {
      std::size_t place = 0;
      return is_there(i, size(), place) ? static_cast<Element<T>>(fValues[place]) : Nothing<Element<T>>::make();
   }
   template <typename Index>
   Element<T> at(Index i, Element<T> otherwise) const
   {
      std::size_t place = 0;
      return is_there(i, size(), place) ? static_cast<Element<T>>(fValues[place]) : otherwise;
   }
   Element<T> front() const { return at(0); }
   Element<T> back() const { return at(static_cast<std::ptrdiff_t>(size()) - 1); }

   iterator begin() { return {fValues.data(), size(), 0}; }
   iterator end() { return {fValues.data(), size(), size()}; }
   const_iterator begin() const { return {fValues.data(), size(), 0}; }
   const_iterator end() const { return {fValues.data(), size(), size()}; }
   const_iterator cbegin() const { return begin(); }
   const_iterator cend() const { return end(); }
   auto rbegin() const { return std::make_reverse_iterator(end()); }
   auto rend() const { return std::make_reverse_iterator(begin()); }

   void push_back(const T &value) { fValues.push_back(value); }
   template <typename... Arguments>
   void emplace_back(Arguments &&...arguments)
   {
      fValues.emplace_back(std::forward<Arguments>(arguments)...);
   }
   void reserve(std::size_t size) { fValues.reserve(size); }
   void resize(std::size_t size) { fValues.resize(size); }
   void clear() { fValues.clear(); }
};

// ROOT's array of a checked one, for a kernel or a function of ROOT; and the other way round.
template <typename Value>
const Value &plain(const Value &value)
{
   return value;
}
template <typename T>
const ::ROOT::RVec<T> &plain(const RVec<T> &values)
{
   return values.plain();
}
template <typename Value>
Value wrapped(Value value)
{
   return value;
}
template <typename T>
RVec<T> wrapped(::ROOT::RVec<T> values)
{
   return std::move(values);
}

// A column as an expression sees it.
template <typename Value>
const Value &view(const Value &value)
{
   return value;
}
template <typename T>
RVec<T> view(const ::ROOT::RVec<T> &values)
{
   return RVec<T>(values.data(), values.size()); // in braces they would be two values of an array of truth values
}
template <typename T>
RVec<T> view(const std::vector<T> &values)
{
   return values;
}

template <typename Value>
Value unwrapped(Value value)
{
   return value;
}
template <typename T>
::ROOT::RVec<T> unwrapped(RVec<T> values)
{
   return std::move(values).plain();
}

// The value of an expression, as the rest of the graph sees it.
template <typename Expression>
auto evaluate(const Expression &expression) -> decltype(unwrapped(expression()))
{
   using Value = std::decay_t<decltype(plain(expression()))>;
   try {
      return unwrapped(expression());
   } catch (const Missing &missing) {
      if constexpr (std::is_floating_point_v<Value> || IsLorentzVector<Value>::value)
         return Nothing<Value>::make();
      else
         throw std::runtime_error(missing.what());
   }
}

} // namespace checked
