// A reproducible stream of simulated events or tracks.
#pragma once

#include <ROOT/RDataFrame.hxx>
#include <TRandom3.h>

#include <string>
#include <utility>

namespace simulation_stream {

// Calls a generator again and again with random numbers of its own: equal seeds give equal streams. A seed of 0 would
// make TRandom3 pick one from the clock.
template <typename Generator>
class Stream {
   TRandom3 fRandom;
   Generator fGenerator;

public:
   Stream(unsigned int seed, Generator generator) : fRandom(seed), fGenerator(std::move(generator)) {}
   Stream(const Stream &) = delete;
   Stream &operator=(const Stream &) = delete;

   auto next() { return fGenerator(fRandom); }
};

// Define a column of what a stream generates, an entry after the other. The stream has to live as long as the loop runs.
template <typename Generator>
ROOT::RDF::RNode define(ROOT::RDF::RNode events, const std::string &column, Stream<Generator> &stream)
{
   return events.Define(column, [&stream] { return stream.next(); });
}

} // namespace simulation_stream
