// ROOT's errors of reading as exceptions. By itself ROOT says that a basket is damaged and goes on with what is in memory, and
// with array sizes made of that it crashes.
#pragma once

#include <TError.h>

#include <atomic>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace read_errors {

inline std::atomic<int> sentries{0};
inline ErrorHandlerFunc_t told_before = nullptr;

// Whether an error of this method ends the reading. Others are told as ever: of writing, since a destructor that writes
// must not throw, and of classes that ROOT does not know, which need not be those that are read.
inline bool of_reading(std::string_view location)
{
   if (location.find("Write") != location.npos || location.find("Flush") != location.npos)
      return false;
   for (const std::string_view reader :
        {"TBasket", "TBranch", "TLeaf", "TBuffer", "TKey", "TTree", "TChain", "TFile", "TDirectoryFile", "TNetXNGFile"})
      if (location.substr(0, reader.size()) == reader)
         return true;
   return false;
}

inline void handle(int level, bool abort, const char *location, const char *message)
{
   // While another exception is on its way a second one would end the process.
   if (level >= kError && sentries > 0 && !std::uncaught_exceptions() && location && of_reading(location))
      throw std::runtime_error(std::string(location) + ": " + message);
   told_before(level, abort, location, message);
}

// An object of this class makes ROOT's errors of reading exceptions, in all threads, for as long as it lives.
class Sentry {
public:
   Sentry()
   {
      const auto before = SetErrorHandler(handle);
      if (!told_before) // asked once only: two copies of this code would ask each other for ever
         told_before = before;
      ++sentries;
   }
   Sentry(const Sentry &) = delete;
   Sentry &operator=(const Sentry &) = delete;
   ~Sentry() { --sentries; }
};

} // namespace read_errors
